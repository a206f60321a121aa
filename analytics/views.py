"""Analytics over REST."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.live import NOTHING, alerts_of
from analytics.occupancy import live_metrics
from analytics.serializers import LiveMetricsQuerySerializer, LiveMetricsSerializer
from environments.selectors import environment_get


class RealTimeMetricsView(APIView):
    @extend_schema(
        operation_id="analytics_real_time_metrics",
        parameters=[LiveMetricsQuerySerializer],
        responses=LiveMetricsSerializer,
    )
    def get(self, request: Request) -> Response:
        """Counts per camera and zone at the newest processed instant of an environment."""
        query = LiveMetricsQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        environment = environment_get(user=request.user, slug=query.validated_data["environment_id"])
        metrics = live_metrics(environment) or {"task_id": None, "task_status": None, **NOTHING}
        alerts = alerts_of(metrics["zone_occupancy"])
        return Response({"environment_id": environment.slug, **metrics, "alerts": alerts})
