"""Who is who, over REST: merging, splitting, feedback and history of persons."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from environments.selectors import cameras_of, environment_get
from tracking import selectors
from tracking.changes import change_undo, person_merge, person_split
from tracking.feedback import feedback_give
from tracking.models import PersonChange, PersonFeedback
from tracking.person_serializers import (
    FeedbackGiveSerializer,
    FeedbackQuerySerializer,
    FeedbackSerializer,
    PersonChangeSerializer,
    PersonMergeSerializer,
    PersonSplitSerializer,
)

_PERSON, _OTHER = "1f0e9a52-6f8b-5d0c-9a55-0a4f5a3f6d21", "8f2c1f0e-3f64-5a0b-8f0b-4d5a5b1d7c33"
EXAMPLE_MERGE = OpenApiExample(
    "The same person", value={"with": _OTHER, "reason": "same jacket"}, request_only=True
)
EXAMPLE_SPLIT = OpenApiExample(
    "Somebody else from a time on", value={"from": "2026-01-05T09:00:12.400Z"}, request_only=True
)
EXAMPLE_FEEDBACK = OpenApiExample(
    "Not the same", value={"person_id": _PERSON, "candidate_id": _OTHER, "verdict": "down"}, request_only=True
)


EXAMPLE_CHANGE = OpenApiExample(
    "A merge",
    value={
        "change_id": "5b0c2f0e-6f0d-4a58-9d39-4f0b6a4c1c7e",
        "kind": "merge",
        "source": "operator",
        "person_id": _PERSON,
        "other_id": _OTHER,
        "reason": "same jacket",
        "details": {},
        "created_at": "2026-01-05T10:12:00.000Z",
        "created_by": "oona",
        "undone_at": None,
        "undone_by": None,
    },
    response_only=True,
)
EXAMPLE_SAID = OpenApiExample(
    "What was said",
    value={
        "feedback_id": "e4c6a1d2-6f2f-4d8f-9d57-3a0d9c8b7a61",
        "verdict": "down",
        "person_id": _PERSON,
        "candidate_id": _OTHER,
        "task_id": None,
        "camera_id": None,
        "at": None,
        "notes": "",
        "confidence": None,
        "source": "",
        "change_id": None,
        "created_at": "2026-01-05T10:12:00.000Z",
        "created_by": "oona",
    },
    response_only=True,
)


class _NewestFirst(api_settings.DEFAULT_PAGINATION_CLASS):
    ordering = "-created_at"


class PersonMergeView(APIView):
    @extend_schema(
        operation_id="persons_merge",
        request=PersonMergeSerializer,
        responses={201: PersonChangeSerializer},
        examples=[EXAMPLE_MERGE, EXAMPLE_CHANGE],
        description="Errors: `persons_overlap`, `same_person` (409).",
    )
    def post(self, request: Request, person_id: UUID) -> Response:
        """Say that another person is this one; undone with the change's id."""
        fields = _valid(PersonMergeSerializer, request)
        change = person_merge(
            person=selectors.person_get(user=request.user, person_id=person_id),
            other=selectors.person_get(user=request.user, person_id=fields["with"]),
            user=request.user,
            reason=fields.get("reason", ""),
        )
        return Response(PersonChangeSerializer(change).data, status=status.HTTP_201_CREATED)


class PersonSplitView(APIView):
    @extend_schema(
        operation_id="persons_split",
        request=PersonSplitSerializer,
        responses={201: PersonChangeSerializer},
        examples=[EXAMPLE_SPLIT],
        description="The new person is the change's `other_id`. Errors: `nothing_to_split` (422), `conflict` (409) "
        "when a part of a running task is asked for.",
    )
    def post(self, request: Request, person_id: UUID) -> Response:
        """Say that from a time on this person is somebody else."""
        fields = _valid(PersonSplitSerializer, request)
        person = selectors.person_get(user=request.user, person_id=person_id)
        task = tracks = None
        if "task_id" in fields:
            task = selectors.task_get(user=request.user, task_id=fields["task_id"])
        if "tracks" in fields:
            slugs = {track["camera_id"] for track in fields["tracks"]}
            ids = {camera.slug: camera.pk for camera in cameras_of(person.environment, list(slugs))}
            tracks = [(ids[track["camera_id"]], track["track_id"]) for track in fields["tracks"]]
        change = person_split(
            person=person,
            since=fields["from"],
            task=task,
            tracks=tracks,
            user=request.user,
            reason=fields.get("reason", ""),
        )
        return Response(PersonChangeSerializer(change).data, status=status.HTTP_201_CREATED)


class PersonHistoryView(ListAPIView):
    queryset = PersonChange.objects.none()
    serializer_class = PersonChangeSerializer
    pagination_class = _NewestFirst

    def get_queryset(self) -> QuerySet[PersonChange]:
        user, person_id = self.request.user, self.kwargs["person_id"]
        return selectors.person_history([person_id, selectors.person_get(user=user, person_id=person_id).pk])

    @extend_schema(operation_id="persons_history", examples=[EXAMPLE_CHANGE])
    def get(self, request: Request, person_id: UUID) -> Response:
        """Merges and splits of a person, undone ones too, newest first."""
        return super().get(request, person_id)


class PersonChangeUndoView(APIView):
    @extend_schema(
        operation_id="person_changes_undo",
        request=None,
        responses=PersonChangeSerializer,
        examples=[EXAMPLE_CHANGE],
        description="Errors: `person_change_undone`, `person_change_blocked` (409; `change_ids` of later changes "
        "of the same rows, the first to undo in front).",
    )
    def post(self, request: Request, change_id: UUID) -> Response:
        """Take a merge or split back: every row is again as it was."""
        change = selectors.person_change_get(user=request.user, change_id=change_id)
        return Response(PersonChangeSerializer(change_undo(change=change, user=request.user)).data)


class PersonFeedbackView(ListAPIView):
    queryset = PersonFeedback.objects.none()
    serializer_class = FeedbackSerializer
    pagination_class = _NewestFirst

    def get_queryset(self) -> QuerySet[PersonFeedback]:
        query = FeedbackQuerySerializer(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        environment = environment_get(user=self.request.user, slug=query.validated_data["environment_id"])
        return selectors.feedback_of(environment, person_id=query.validated_data.get("person_id"))

    @extend_schema(
        operation_id="persons_feedback_list", parameters=[FeedbackQuerySerializer], examples=[EXAMPLE_SAID]
    )
    def get(self, request: Request) -> Response:
        """What was said about re-identification in an environment, newest first."""
        return super().get(request)

    @extend_schema(
        operation_id="persons_feedback_give",
        request=FeedbackGiveSerializer,
        responses={201: FeedbackSerializer},
        examples=[EXAMPLE_FEEDBACK, EXAMPLE_SAID],
        description="`up` on a pair merges the two, `down` undoes the merge that made them one. `down` on a camera "
        "and time makes the track there somebody else. Denied pairs are never matched automatically again.",
    )
    def post(self, request: Request) -> Response:
        """Say whether two persons are the same, or whether a camera really shows a person."""
        fields = _valid(FeedbackGiveSerializer, request)
        user = request.user
        person = selectors.person_known(user=user, person_id=fields.pop("person_id"))
        if "candidate_id" in fields:
            fields["candidate"] = selectors.person_known(user=user, person_id=fields.pop("candidate_id"))
        if "task_id" in fields:
            fields["task"] = selectors.task_get(user=user, task_id=fields.pop("task_id"))
        if "camera_id" in fields:
            (fields["camera"],) = cameras_of(person.environment, [fields.pop("camera_id")])
        feedback = feedback_give(user=user, person=person, **fields)
        return Response(FeedbackSerializer(feedback).data, status=status.HTTP_201_CREATED)


def _valid(serializer_class: type, request: Request) -> dict[str, Any]:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
