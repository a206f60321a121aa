"""The running system over REST: for operators its state, for administrators its figures."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from environments.models import Role
from environments.selectors import environments_with_role
from spoton.system import selectors
from spoton.system.maintenance import maintain
from spoton.system.serializers import (
    CameraStateSerializer,
    MaintenanceResultSerializer,
    MaintenanceSerializer,
    PerformanceSerializer,
    SystemStatusSerializer,
)

_CAMERA = {
    "environment_id": "campus",
    "camera_id": "c01",
    "task_id": "0b0c8b1e-7c1b-4a53-9b3d-0f2f6a1f4c11",
    "fps": 9.97,
    "lag_s": 0.084,
    "dropped": 0,
    "problems": [],
    "last_frame_at": "2026-01-05T09:00:05.400Z",
}
EXAMPLE_STATUS = OpenApiExample(
    "A whole system",
    value={
        "status": "healthy",
        "components": {
            "database": {"status": "healthy"},
            "redis": {"status": "healthy"},
            "workers": {"status": "healthy", "count": 6, "devices": ["cpu.0", "cpu.1"]},
        },
        "versions": {"python": "3.12.3", "postgresql": "18.1", "redis": "6.2.14"},
        "tasks": {"QUEUED": 0, "INITIALIZING": 0, "PROCESSING": 1, "PAUSED": 0},
    },
    response_only=True,
)
EXAMPLE_PERFORMANCE = OpenApiExample(
    "One live task on two cores",
    value={
        "stages": {
            "detect": {"median_ms": 8.1, "p95_ms": 12.4},
            "deliver": {"median_ms": 3.2, "p95_ms": 6.0},
        },
        "frames_per_second": 39.9,
        "tasks": {"QUEUED": 0, "INITIALIZING": 0, "PROCESSING": 1, "PAUSED": 0},
        "queues": {"cpu.0": 0, "cpu.1": 1, "associate": 0},
        "workers": {"cpu.0": 1, "cpu.1": 1, "associate": 1},
        "devices": [],
        "cameras": [_CAMERA],
    },
    response_only=True,
)
EXAMPLE_CAMERA = OpenApiExample(
    "A camera", value={**_CAMERA, "name": "North gate", "state": "processing"}, response_only=True
)


EXAMPLE_MAINTENANCE = OpenApiExample(
    "After weights were replaced", value={"actions": ["reload_models", "clear_caches"]}, request_only=True
)
EXAMPLE_MAINTAINED = OpenApiExample(
    "What became of it",
    value={
        "actions": [
            {"action": "reload_models", "state": "queued", "details": {}},
            {
                "action": "clear_caches",
                "state": "done",
                "details": {"cleared": {"frames": 212, "pictures": 40, "backgrounds": 4, "moments": 9}},
            },
        ]
    },
    response_only=True,
    status_codes=["202"],
)


class SystemStatusView(APIView):
    @extend_schema(operation_id="system_status", responses=SystemStatusSerializer, examples=[EXAMPLE_STATUS])
    def get(self, request: Request) -> Response:
        """Components, versions and tasks. For operators of some environment."""
        environments_with_role(user=request.user, role=Role.OPERATOR)
        return Response(selectors.system_status())


class PerformanceView(APIView):
    @extend_schema(
        operation_id="system_performance", responses=PerformanceSerializer, examples=[EXAMPLE_PERFORMANCE]
    )
    def get(self, request: Request) -> Response:
        """Stage times, throughput, queues and devices of now. For administrators; cameras of their environments."""
        environments = environments_with_role(user=request.user, role=Role.ADMIN)
        return Response(selectors.system_performance(environments))


class CamerasStatusView(APIView):
    @extend_schema(
        operation_id="system_cameras_status",
        responses=CameraStateSerializer(many=True),
        examples=[EXAMPLE_CAMERA],
    )
    def get(self, request: Request) -> Response:
        """Rate, lag, drops and last frame of every camera of the environments that the caller administers."""
        environments = environments_with_role(user=request.user, role=Role.ADMIN)
        return Response(selectors.cameras_status(environments))


class MaintenanceView(APIView):
    @extend_schema(
        operation_id="system_maintenance",
        request=MaintenanceSerializer,
        responses={202: MaintenanceResultSerializer},
        examples=[EXAMPLE_MAINTENANCE, EXAMPLE_MAINTAINED],
    )
    def post(self, request: Request) -> Response:
        """Clear caches, forget what is old, have models read again. For administrators of all environments."""
        serializer = MaintenanceSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        done = maintain(user=request.user, actions=serializer.validated_data["actions"])
        return Response({"actions": done}, status=status.HTTP_202_ACCEPTED)
