"""Environments over REST, as far as they tell of results: list, details, and what there is when."""

from __future__ import annotations

from types import SimpleNamespace

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from environments import examples, selectors
from environments.models import Environment
from environments.pages import pages_ordered_by
from environments.range_serializers import (
    DateRangesQuerySerializer,
    DateRangesSerializer,
    date_ranges_data,
)
from environments.serializers import (
    EnvironmentItemSerializer,
    EnvironmentSerializer,
    calibration_data,
    map_data,
)
from environments.views import ENV_ID
from tracking.processed import environments_with_data, ranges_of


class EnvironmentListView(ListAPIView):
    queryset = Environment.objects.none()
    serializer_class = EnvironmentItemSerializer
    pagination_class = pages_ordered_by("slug")

    def get_queryset(self) -> QuerySet[Environment]:
        return environments_with_data(self.request.user)

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
        parameters=[ENV_ID],
        responses=EnvironmentSerializer,
        examples=[examples.ENVIRONMENT],
    )
    def get(self, request: Request, env_id: str) -> Response:
        environment = selectors.environment_get(user=request.user, slug=env_id)
        cameras = selectors.cameras_of(environment)
        ranges = ranges_of(environment)
        plan_url = reverse("environments:floor-plan", args=[environment.slug])
        details = SimpleNamespace(
            slug=environment.slug,
            name=environment.name,
            description=environment.description,
            timezone=environment.timezone,
            last_data_at=ranges.end,
            role=selectors.role_of(user=request.user, environment=environment),
            map=map_data(environment, plan_url if environment.floor_plan else None),
            cameras=cameras,
            zones=list(selectors.zones_of(environment)),
            available_date_ranges=ranges.worth_a_look,
            calibration_data=calibration_data(cameras),
        )
        return Response(EnvironmentSerializer(details).data)


class DateRangesView(APIView):
    @extend_schema(
        operation_id="environments_date_ranges",
        tags=["environments"],
        summary="What was recorded and processed when",
        description="Recorded and processed spans per camera, what all cameras recorded at once, and all of it by "
        "calendar day in UTC and in local time (of the environment, or of `tz`). Days on which clocks change "
        "have 23 or 25 hours. With `start` or `end`, only what lies between, cut there. Errors: "
        "`environment_not_found` (404), `validation_error`, `range_not_available` (422).",
        parameters=[ENV_ID, DateRangesQuerySerializer],
        responses=DateRangesSerializer,
        examples=[examples.DATE_RANGES],
    )
    def get(self, request: Request, env_id: str) -> Response:
        environment = selectors.environment_get(user=request.user, slug=env_id)
        query = DateRangesQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        start, end = query.validated_data.get("start"), query.validated_data.get("end")
        ranges = ranges_of(environment, timezone=query.validated_data.get("tz"))
        if start or end:
            ranges = ranges.within(ranges.chosen(start, end))
        return Response(DateRangesSerializer(date_ranges_data(environment, ranges)).data)
