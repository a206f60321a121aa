"""Playback and focus over REST: validate, call, answer."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from environments.models import Role
from environments.selectors import require_role
from tracking import focus, playback, selectors
from tracking.models import ProcessingTask
from tracking.playback_serializers import (
    FocusSerializer,
    FocusSetSerializer,
    PlaybackSeekSerializer,
    PlaybackSerializer,
    PlaySerializer,
)

_STATE = {
    "task_id": "0b0c8b1e-7c1b-4a53-9b3d-0f2f6a1f4c11",
    "state": "playing",
    "speed": 2.0,
    "position": 0.25,
    "position_s": 15.0,
    "duration": 60.0,
    "timestamp": "2026-01-05T09:00:15.000Z",
    "can_seek": True,
    "available": {"start": "2026-01-05T09:00:00.000Z", "end": "2026-01-05T09:00:59.900Z"},
    "revision": 3,
}
EXAMPLE_STATE = OpenApiExample("Twice as fast", value=_STATE, response_only=True)
EXAMPLE_FOCUS = OpenApiExample(
    "Look at this person", value={"person_id": "1f0e9a52-6f8b-5d0c-9a55-0a4f5a3f6d21"}, request_only=True
)
EXAMPLE_FOCUSED = OpenApiExample(
    "Somebody is focused",
    value={
        "task_id": _STATE["task_id"],
        "is_active": True,
        "focused_person_id": "1f0e9a52-6f8b-5d0c-9a55-0a4f5a3f6d21",
        "focus_start_time": "2026-01-06T08:00:21.000Z",
        "highlight_settings": {},
        "cross_camera_sync": True,
        "person_details": None,
    },
    response_only=True,
)
NOTHING = "Errors: `nothing_to_play` (409) while nothing is processed yet."


def _task(request: Request, task_id: UUID, role: Role | None = None) -> ProcessingTask:
    task = selectors.task_get(user=request.user, task_id=task_id)
    if role is not None:
        # before what was sent is looked at: whoever may not is not told what would be right
        require_role(user=request.user, environment=task.environment, role=role)
    return task


class PlaybackView(APIView):
    @extend_schema(
        operation_id="playback_state",
        tags=["playback"],
        responses=PlaybackSerializer,
        examples=[EXAMPLE_STATE],
    )
    def get(self, request: Request, task_id: UUID) -> Response:
        """Where the task's shared clock stands; `following` while there is none."""
        return Response(playback.playback_state(_task(request, task_id)))

    @extend_schema(
        operation_id="playback_follow",
        tags=["playback"],
        responses={200: PlaybackSerializer},
        examples=[EXAMPLE_STATE],
    )
    def delete(self, request: Request, task_id: UUID) -> Response:
        """Follow the processing again: forget the clock, for all who watch."""
        return Response(playback.playback_follow(user=request.user, task=_task(request, task_id)))


class PlaybackPlayView(APIView):
    @extend_schema(
        operation_id="playback_play",
        tags=["playback"],
        request=PlaySerializer,
        responses=PlaybackSerializer,
        examples=[OpenApiExample("Twice as fast", value={"speed": 2}, request_only=True)],
        description=NOTHING,
    )
    def post(self, request: Request, task_id: UUID) -> Response:
        """Let the clock run, for all who watch."""
        task = _task(request, task_id, Role.OPERATOR)
        fields = PlaySerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        return Response(playback.playback_play(user=request.user, task=task, **fields.validated_data))


class PlaybackPauseView(APIView):
    @extend_schema(
        operation_id="playback_pause",
        tags=["playback"],
        request=None,
        responses=PlaybackSerializer,
        examples=[EXAMPLE_STATE],
        description=NOTHING,
    )
    def post(self, request: Request, task_id: UUID) -> Response:
        """Let the clock stand, for all who watch; the processing goes on."""
        return Response(playback.playback_pause(user=request.user, task=_task(request, task_id)))


class PlaybackSeekView(APIView):
    @extend_schema(
        operation_id="playback_seek",
        tags=["playback"],
        request=PlaybackSeekSerializer,
        responses=PlaybackSerializer,
        examples=[
            OpenApiExample("A time", value={"timestamp": "2026-01-05T09:00:30Z"}, request_only=True),
            OpenApiExample("The middle", value={"position": 0.5}, request_only=True),
        ],
        description=f"Give `timestamp` or `position`. {NOTHING}",
    )
    def post(self, request: Request, task_id: UUID) -> Response:
        """Put the clock elsewhere, for all who watch."""
        task = _task(request, task_id, Role.OPERATOR)
        fields = PlaybackSeekSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        return Response(playback.playback_seek(user=request.user, task=task, **fields.validated_data))


class FocusView(APIView):
    @extend_schema(
        operation_id="focus_get", tags=["focus"], responses=FocusSerializer, examples=[EXAMPLE_FOCUSED]
    )
    def get(self, request: Request, task_id: UUID) -> Response:
        """Whom all who watch the task look at, and where that person is."""
        task = _task(request, task_id)
        return Response(focus.focus_entity(task, focus.focus_get(task)))

    @extend_schema(
        operation_id="focus_set",
        tags=["focus"],
        request=FocusSetSerializer,
        responses=FocusSerializer,
        examples=[EXAMPLE_FOCUS, EXAMPLE_FOCUSED],
    )
    def post(self, request: Request, task_id: UUID) -> Response:
        """Let all who watch the task look at a person."""
        task = _task(request, task_id, Role.OPERATOR)
        fields = FocusSetSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        chosen = focus.focus_set(
            user=request.user,
            task=task,
            person_id=fields.validated_data["person_id"],
            highlight=fields.validated_data.get("highlight_settings"),
        )
        return Response(focus.focus_entity(task, chosen))

    @extend_schema(
        operation_id="focus_clear",
        tags=["focus"],
        responses={204: OpenApiResponse(description="Nobody is focused.")},
    )
    def delete(self, request: Request, task_id: UUID) -> Response:
        """Look at everybody again."""
        focus.focus_clear(user=request.user, task=_task(request, task_id))
        return Response(status=status.HTTP_204_NO_CONTENT)
