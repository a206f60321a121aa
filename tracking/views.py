"""Processing tasks over REST: validate, call, answer."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from environments.models import Role
from environments.selectors import environment_get, require_role
from tracking import selectors, services, steering
from tracking.models import ProcessingTask
from tracking.serializers import ActivePersonsSerializer, SeekSerializer, TaskSerializer, TaskStartSerializer

EXAMPLE_START = OpenApiExample(
    "A recorded span in real time",
    value={
        "environment_id": "campus",
        "mode": "recorded",
        "start": "2026-01-05T09:00:00Z",
        "end": "2026-01-05T09:01:00Z",
        "pacing": "realtime",
    },
    request_only=True,
)


_TASK = {
    "task_id": "0b0c8b1e-7c1b-4a53-9b3d-0f2f6a1f4c11",
    "environment_id": "campus",
    "status": "PROCESSING",
    "mode": "recorded",
    "pacing": "realtime",
    "start": "2026-01-05T09:00:00.000Z",
    "end": "2026-01-05T09:01:00.000Z",
    "fps": 10.0,
    "cameras": ["c01", "c02"],
    "detector": {"requested": "auto", "chosen": "motion", "reason": "no weights are installed"},
    "embedder": {"requested": "auto", "chosen": "descriptor", "reason": "no weights are installed"},
    "progress": 0.25,
    "batches": {"done": 15, "total": 60},
    "created_at": "2026-01-06T08:00:00.000Z",
    "started_at": "2026-01-06T08:00:01.250Z",
    "finished_at": None,
    "error": None,
    "camera_status": {"c01": {"frames": 150, "fps": 10.0, "dropped": 0, "problems": []}},
    "stages": {"detect": {"median_ms": 8.1, "p95_ms": 12.4}},
    "frames_per_second": 20.0,
    "lag_s": 0.4,
    "degradation": 0,
}
EXAMPLE_TASK = OpenApiExample("A task", value=_TASK, response_only=True)
EXAMPLE_SEEK = OpenApiExample(
    "Half a minute in", value={"timestamp": "2026-01-05T09:00:30Z"}, request_only=True
)
EXAMPLE_PERSONS = OpenApiExample(
    "One person",
    value={
        "persons": [
            {
                "global_person_id": "1f0e9a52-6f8b-5d0c-9a55-0a4f5a3f6d21",
                "cameras": ["c01", "c02"],
                "map_coords": [12.4, 7.9],
                "first_detected_time": "2026-01-05T09:00:02.300Z",
                "last_seen_time": "2026-01-05T09:00:14.900Z",
                "tracking_duration": 12.6,
            }
        ]
    },
    response_only=True,
)


class TaskStartView(APIView):
    @extend_schema(
        operation_id="processing_tasks_start",
        request=TaskStartSerializer,
        responses={202: TaskSerializer},
        examples=[EXAMPLE_START, EXAMPLE_TASK],
    )
    def post(self, request: Request) -> Response:
        """Start processing a recorded span or live cameras."""
        serializer = TaskStartSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = dict(serializer.validated_data)
        environment = environment_get(user=request.user, slug=fields.pop("environment_id"))
        task = services.task_start(user=request.user, environment=environment, **fields)
        return Response(selectors.task_details(task), status=status.HTTP_202_ACCEPTED)


class TaskStatusView(APIView):
    @extend_schema(operation_id="processing_tasks_status", responses=TaskSerializer, examples=[EXAMPLE_TASK])
    def get(self, request: Request, task_id: UUID) -> Response:
        """State, progress, timings and troubles of a task."""
        return Response(selectors.task_details(selectors.task_get(user=request.user, task_id=task_id)))


class TaskStopView(APIView):
    @extend_schema(
        operation_id="processing_tasks_stop", request=None, responses=TaskSerializer, examples=[EXAMPLE_TASK]
    )
    def post(self, request: Request, task_id: UUID) -> Response:
        """Stop a task; what was recorded stays."""
        task = selectors.task_get(user=request.user, task_id=task_id)
        return Response(selectors.task_details(services.task_stop(user=request.user, task=task)))


class TaskPauseView(APIView):
    @extend_schema(
        operation_id="processing_tasks_pause", request=None, responses=TaskSerializer, examples=[EXAMPLE_TASK]
    )
    def post(self, request: Request, task_id: UUID) -> Response:
        """Pause; within one batch nothing more is processed."""
        task = selectors.task_get(user=request.user, task_id=task_id)
        return Response(selectors.task_details(steering.task_pause(user=request.user, task=task)))


class TaskResumeView(APIView):
    @extend_schema(
        operation_id="processing_tasks_resume",
        request=None,
        responses=TaskSerializer,
        examples=[EXAMPLE_TASK],
    )
    def post(self, request: Request, task_id: UUID) -> Response:
        """Go on after a pause."""
        task = selectors.task_get(user=request.user, task_id=task_id)
        return Response(selectors.task_details(steering.task_resume(user=request.user, task=task)))


class TaskSeekView(APIView):
    @extend_schema(
        operation_id="processing_tasks_seek",
        request=SeekSerializer,
        responses=TaskSerializer,
        examples=[EXAMPLE_SEEK, EXAMPLE_TASK],
    )
    def post(self, request: Request, task_id: UUID) -> Response:
        """Go on with a later time of the recordings; what lies between is left out."""
        task = selectors.task_get(user=request.user, task_id=task_id)
        require_role(user=request.user, environment=task.environment, role=Role.OPERATOR)
        query = SeekSerializer(data=request.data)
        query.is_valid(raise_exception=True)
        at = query.validated_data["timestamp"]
        return Response(selectors.task_details(steering.task_seek(user=request.user, task=task, at=at)))


class ActiveTasksView(APIView):
    @extend_schema(
        operation_id="processing_tasks_active", responses=TaskSerializer(many=True), examples=[EXAMPLE_TASK]
    )
    def get(self, request: Request) -> Response:
        """Tasks that have not ended, newest first."""
        tasks = selectors.tasks_visible_to(request.user).filter(status__in=ProcessingTask.ACTIVE)
        return Response([selectors.task_details(task) for task in tasks])


class ActivePersonsView(APIView):
    @extend_schema(
        operation_id="processing_tasks_active_persons",
        responses=ActivePersonsSerializer,
        examples=[EXAMPLE_PERSONS],
    )
    def get(self, request: Request, task_id: UUID) -> Response:
        """Persons in view at the end of what is processed so far."""
        task = selectors.task_get(user=request.user, task_id=task_id)
        return Response({"persons": selectors.active_persons(task)})
