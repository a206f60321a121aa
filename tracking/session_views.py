"""Analysis sessions over REST: validate, call, answer. Here because a range may hold nothing but results."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from environments import sessions
from environments.models import AnalysisSession
from environments.pages import pages_ordered_by
from environments.personal_serializers import (
    SessionCreateSerializer,
    SessionItemSerializer,
    SessionSerializer,
    SessionUpdateSerializer,
)
from environments.selectors import environment_get
from environments.views import ENV_ID
from tracking.processed import ranges_of

_ASKED = {
    "name": "Rush hour",
    "start": "2026-01-05T09:00:00Z",
    "end": "2026-01-05T09:01:00Z",
    "cameras": ["c01", "c02"],
    "state": {"zoom": 2, "selected": None, "notes": ["queue at the door"]},
}
_ITEM = {
    "session_id": "0f3f3f0e-53c5-4a0e-9b0e-0a4a4f6f7a11",
    "environment_id": "campus",
    "owner": "ada",
    "name": "Rush hour",
    "start": "2026-01-05T09:00:00.000Z",
    "end": "2026-01-05T09:01:00.000Z",
    "cameras": ["c01", "c02"],
    "version": 1,
    "created_at": "2026-01-06T08:00:00.000Z",
    "updated_at": "2026-01-06T08:00:00.000Z",
    "expires_at": "2026-02-05T08:00:00.000Z",
}
_SESSION = {**_ITEM, "state": {"zoom": 2, "notes": ["queue at the door"]}}
_ANSWER = OpenApiExample("A session", value=_SESSION, response_only=True)


class SessionsView(ListAPIView):
    queryset = AnalysisSession.objects.none()
    serializer_class = SessionItemSerializer
    pagination_class = pages_ordered_by("-created_at", "pk")

    def get_queryset(self) -> QuerySet[AnalysisSession]:
        environment = environment_get(user=self.request.user, slug=self.kwargs["env_id"])
        found = sessions.sessions_of(user=self.request.user, environment=environment)
        return found.select_related("environment").defer("state")

    @extend_schema(
        operation_id="sessions_list",
        tags=["sessions"],
        summary="The caller's sessions, without their state; Admins see everybody's",
        parameters=[ENV_ID],
        examples=[OpenApiExample("A session", value=_ITEM, response_only=True)],
    )
    def get(self, request: Request, env_id: str) -> Response:
        return super().get(request, env_id)

    @extend_schema(
        operation_id="sessions_create",
        tags=["sessions"],
        summary="Begin a session (Operator)",
        description="Without `start` or `end` the range reaches as far as there is data, without `cameras` it is "
        "all of them. Errors: `environment_not_found`, `camera_not_found` (404), `permission_denied` (403), "
        "`range_not_available`, `validation_error` (422), `session_limit_reached` (409).",
        parameters=[ENV_ID],
        request=SessionCreateSerializer,
        responses={201: SessionSerializer},
        examples=[OpenApiExample("A minute", value=_ASKED, request_only=True), _ANSWER],
    )
    def post(self, request: Request, env_id: str) -> Response:
        environment = environment_get(user=request.user, slug=env_id)
        query = SessionCreateSerializer(data=request.data)
        query.is_valid(raise_exception=True)
        session = sessions.session_create(
            user=request.user, environment=environment, ranges=ranges_of(environment), **query.validated_data
        )
        return Response(SessionSerializer(session).data, status=status.HTTP_201_CREATED)


class SessionView(APIView):
    @extend_schema(
        operation_id="sessions_retrieve",
        tags=["sessions"],
        summary="A session with its state",
        description="Errors: `session_not_found` (404), also when it is somebody else's.",
        parameters=[ENV_ID],
        responses=SessionSerializer,
        examples=[_ANSWER],
    )
    def get(self, request: Request, env_id: str, session_id: UUID) -> Response:
        environment = environment_get(user=request.user, slug=env_id)
        session = sessions.session_use(user=request.user, environment=environment, session_id=session_id)
        return Response(SessionSerializer(session).data)

    @extend_schema(
        operation_id="sessions_update",
        tags=["sessions"],
        summary="Change a session (its owner, as Operator; Admins)",
        description="What is left out stays. Top-level keys of `state` replace those that are kept, null removes "
        "one. With `version`, a session that was changed since is not touched: `conflict` (409) with the present "
        "`version` in the details. Further errors: as for a new session, and `session_not_found` (404).",
        parameters=[ENV_ID],
        request=SessionUpdateSerializer,
        responses=SessionSerializer,
        examples=[
            OpenApiExample("Zoom", value={"version": 1, "state": {"zoom": 3}}, request_only=True),
            _ANSWER,
        ],
    )
    def patch(self, request: Request, env_id: str, session_id: UUID) -> Response:
        environment = environment_get(user=request.user, slug=env_id)
        query = SessionUpdateSerializer(data=request.data)
        query.is_valid(raise_exception=True)
        session = sessions.session_update(
            user=request.user,
            environment=environment,
            session_id=session_id,
            ranges=partial(ranges_of, environment),
            **query.validated_data,
        )
        return Response(SessionSerializer(session).data)

    @extend_schema(
        operation_id="sessions_delete",
        tags=["sessions"],
        summary="Forget a session (its owner, as Operator; Admins)",
        description="Errors: `session_not_found` (404), `permission_denied` (403).",
        parameters=[ENV_ID],
        responses={204: OpenApiResponse(description="Forgotten.")},
    )
    def delete(self, request: Request, env_id: str, session_id: UUID) -> Response:
        environment = environment_get(user=request.user, slug=env_id)
        sessions.session_delete(user=request.user, environment=environment, session_id=session_id)
        return Response(status=status.HTTP_204_NO_CONTENT)
