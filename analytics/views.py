"""Analytics over REST."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.live import NOTHING, alerts_of
from analytics.occupancy import live_metrics
from analytics.serializers import LiveMetricsQuerySerializer, LiveMetricsSerializer
from environments.selectors import environment_get

EXAMPLE_METRICS = OpenApiExample(
    "Two persons",
    value={
        "environment_id": "campus",
        "task_id": "0b0c8b1e-7c1b-4a53-9b3d-0f2f6a1f4c11",
        "task_status": "PROCESSING",
        "timestamp": "2026-01-05T09:00:14.900Z",
        "total_persons": 2,
        "persons_per_camera": {"c01": 2, "c02": 1},
        "zone_occupancy": [
            {
                "zone_id": "1f0e9a52-6f8b-5d0c-9a55-0a4f5a3f6d21",
                "slug": "square",
                "name": "Square",
                "kind": "walkway",
                "persons": 2,
                "max_persons": 1,
                "density_per_m2": 0.02,
                "avg_dwell_time": 9.4,
            }
        ],
        "avg_dwell_time": 9.4,
        "crowd_density": 0.001,
        "alerts": [{"type": "high_occupancy", "zone": "square", "count": 2, "threshold": 1}],
    },
    response_only=True,
)


class RealTimeMetricsView(APIView):
    @extend_schema(
        operation_id="analytics_real_time_metrics",
        parameters=[LiveMetricsQuerySerializer],
        responses=LiveMetricsSerializer,
        examples=[EXAMPLE_METRICS],
    )
    def get(self, request: Request) -> Response:
        """Counts per camera and zone at the newest processed instant of an environment."""
        query = LiveMetricsQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        environment = environment_get(user=request.user, slug=query.validated_data["environment_id"])
        metrics = live_metrics(environment) or {"task_id": None, "task_status": None, **NOTHING}
        alerts = alerts_of(metrics["zone_occupancy"])
        return Response({"environment_id": environment.slug, **metrics, "alerts": alerts})
