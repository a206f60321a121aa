"""Cameras, zones and floor plans over REST: who may see what is decided by the selectors.

What tells of stored results too (list, details, date ranges) is in `tracking.environment_views`.
"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from environments import examples, selectors
from environments.errors import NotFoundError
from environments.images import image_response
from environments.models import Camera, Zone
from environments.pages import pages_ordered_by
from environments.serializers import CameraSerializer, ZoneSerializer

ENV_ID = OpenApiParameter("env_id", OpenApiTypes.STR, OpenApiParameter.PATH, description="Slug, e.g. campus.")


class CameraListView(ListAPIView):
    queryset = Camera.objects.none()
    serializer_class = CameraSerializer
    pagination_class = pages_ordered_by("order", "slug")

    def get_queryset(self) -> QuerySet[Camera]:
        environment = selectors.environment_get(user=self.request.user, slug=self.kwargs["env_id"])
        return environment.cameras.filter(is_active=True).select_related("environment")

    @extend_schema(
        operation_id="environments_cameras",
        tags=["environments"],
        summary="Cameras with calibration and the ground they see",
        parameters=[ENV_ID],
        examples=[examples.CAMERA],
    )
    def get(self, request: Request, env_id: str) -> Response:
        return super().get(request, env_id)


class ZoneListView(ListAPIView):
    queryset = Zone.objects.none()
    serializer_class = ZoneSerializer
    pagination_class = pages_ordered_by("slug")

    def get_queryset(self) -> QuerySet[Zone]:
        environment = selectors.environment_get(user=self.request.user, slug=self.kwargs["env_id"])
        return selectors.zones_of(environment)

    @extend_schema(
        operation_id="environments_zones",
        tags=["environments"],
        summary="Zones as polygons in map metres",
        parameters=[ENV_ID],
        examples=[examples.ZONE],
    )
    def get(self, request: Request, env_id: str) -> Response:
        return super().get(request, env_id)


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
        parameters=[ENV_ID],
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
