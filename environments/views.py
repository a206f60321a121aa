"""The environment endpoints: who may see what is decided by the selectors."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from environments import examples, selectors
from environments.errors import NotFoundError
from environments.images import image_response
from environments.models import Camera, Environment, Zone
from environments.serializers import (
    CameraSerializer,
    DateRangesSerializer,
    EnvironmentItemSerializer,
    EnvironmentSerializer,
    ZoneSerializer,
    calibration_data,
    date_ranges_data,
    map_data,
)

_ENV_ID = OpenApiParameter(
    "env_id", OpenApiTypes.STR, OpenApiParameter.PATH, description="Slug, e.g. campus."
)


def _pages_ordered_by(*fields: str) -> type:
    """The project's pagination, in another order."""
    default = api_settings.DEFAULT_PAGINATION_CLASS
    return type(f"{default.__name__}By{fields[0].title()}", (default,), {"ordering": fields})


class EnvironmentListView(ListAPIView):
    serializer_class = EnvironmentItemSerializer
    pagination_class = _pages_ordered_by("slug")

    def get_queryset(self) -> QuerySet[Environment]:
        return selectors.environments_with_counts(self.request.user)

    @extend_schema(
        operation_id="environments_list",
        tags=["environments"],
        summary="Environments the caller may see",
        examples=[examples.ENVIRONMENT_ITEM],
    )
    def get(self, request: Request) -> Response:
        return super().get(request)


class EnvironmentView(APIView):
    @extend_schema(
        operation_id="environments_retrieve",
        tags=["environments"],
        summary="One environment: map, cameras, zones, calibration quality",
        description="Errors: `environment_not_found` (404), also when the caller is not a member.",
        parameters=[_ENV_ID],
        responses=EnvironmentSerializer,
        examples=[examples.ENVIRONMENT],
    )
    def get(self, request: Request, env_id: str) -> Response:
        environment = selectors.environment_get(user=request.user, slug=env_id)
        cameras = selectors.cameras_of(environment)
        ranges = selectors.date_ranges(environment)
        plan_url = reverse("environments:floor-plan", args=[environment.slug])
        data = {
            "slug": environment.slug,
            "name": environment.name,
            "description": environment.description,
            "timezone": environment.timezone,
            "last_data_at": ranges.end,
            "role": selectors.role_of(user=request.user, environment=environment),
            "map": map_data(environment, plan_url if environment.floor_plan else None),
            "cameras": cameras,
            "zones": list(selectors.zones_of(environment)),
            "available_date_ranges": ranges.common,
            "calibration_data": calibration_data(cameras),
        }
        return Response(EnvironmentSerializer(_Record(data)).data)


class CameraListView(ListAPIView):
    queryset = Camera.objects.none()
    serializer_class = CameraSerializer
    pagination_class = _pages_ordered_by("order", "slug")

    def get_queryset(self) -> QuerySet[Camera]:
        environment = selectors.environment_get(user=self.request.user, slug=self.kwargs["env_id"])
        return environment.cameras.filter(is_active=True).select_related("environment")

    @extend_schema(
        operation_id="environments_cameras",
        tags=["environments"],
        summary="Cameras with calibration and the ground they see",
        parameters=[_ENV_ID],
        examples=[examples.CAMERA],
    )
    def get(self, request: Request, env_id: str) -> Response:
        return super().get(request, env_id)


class ZoneListView(ListAPIView):
    queryset = Zone.objects.none()
    serializer_class = ZoneSerializer
    pagination_class = _pages_ordered_by("slug")

    def get_queryset(self) -> QuerySet[Zone]:
        environment = selectors.environment_get(user=self.request.user, slug=self.kwargs["env_id"])
        return selectors.zones_of(environment)

    @extend_schema(
        operation_id="environments_zones",
        tags=["environments"],
        summary="Zones as polygons in map metres",
        parameters=[_ENV_ID],
        examples=[examples.ZONE],
    )
    def get(self, request: Request, env_id: str) -> Response:
        return super().get(request, env_id)


class DateRangesView(APIView):
    @extend_schema(
        operation_id="environments_date_ranges",
        tags=["environments"],
        summary="What was recorded when",
        description="Recorded spans per camera, their intersection, and both by calendar day in UTC and in "
        "the environment's local time.",
        parameters=[_ENV_ID],
        responses=DateRangesSerializer,
        examples=[examples.DATE_RANGES],
    )
    def get(self, request: Request, env_id: str) -> Response:
        environment = selectors.environment_get(user=request.user, slug=env_id)
        data = date_ranges_data(environment, selectors.date_ranges(environment))
        return Response(DateRangesSerializer(data).data)


class FloorPlanView(APIView):
    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        # the answer is an image, but the errors are JSON: `Accept: image/png` must not be refused
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        operation_id="environments_floor_plan",
        tags=["environments"],
        summary="The floor plan's image",
        description="PNG or JPEG with `ETag` and `Last-Modified`; 304 when `If-None-Match` still holds. "
        "Errors: `environment_not_found`, `floor_plan_not_found` (404).",
        parameters=[_ENV_ID],
        responses={
            (200, "image/png"): OpenApiTypes.BINARY,
            304: OpenApiResponse(description="Unchanged"),
        },
    )
    def get(self, request: Request, env_id: str) -> HttpResponse:
        environment = selectors.environment_get(user=request.user, slug=env_id)
        return image_response(request, environment.floor_plan, FloorPlanNotFoundError())


class FloorPlanNotFoundError(NotFoundError):
    code = "floor_plan_not_found"

    def __init__(self) -> None:
        super().__init__("This environment has no floor plan yet. An administrator can upload one.")


class _Record:
    """A mapping with attribute access, so that one serializer reads rows and assembled details alike."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.__dict__.update(fields)
