"""The caller's preferences over REST."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from environments.personal_serializers import PreferencesChangeSerializer, PreferencesSerializer
from environments.preferences import preferences_of, preferences_set

_VALUE = {
    "default_environment": "campus",
    "overlay": {"boxes": True, "labels": True, "trails_seconds": 5, "blur": "nobody"},
    "layout": {"panes": ["map", "cameras"], "theme": "dark"},
}
_EXAMPLES = [
    OpenApiExample("To set", value=_VALUE, request_only=True),
    OpenApiExample(
        "As they are", value={**_VALUE, "updated_at": "2026-01-05T09:00:00.000Z"}, response_only=True
    ),
]


class PreferencesView(APIView):
    @extend_schema(
        operation_id="preferences_retrieve",
        tags=["preferences"],
        summary="The caller's preferences",
        description="A default environment that the caller may not see any more is null.",
        responses=PreferencesSerializer,
        examples=_EXAMPLES,
    )
    def get(self, request: Request) -> Response:
        return Response(PreferencesSerializer(preferences_of(request.user)).data)

    @extend_schema(
        operation_id="preferences_replace",
        tags=["preferences"],
        summary="Set all preferences; those left out are emptied",
        description="Errors: `validation_error` (422).",
        request=PreferencesChangeSerializer,
        responses=PreferencesSerializer,
        examples=_EXAMPLES,
    )
    def put(self, request: Request) -> Response:
        return self._set(request, replace=True)

    @extend_schema(
        operation_id="preferences_update",
        tags=["preferences"],
        summary="Set some preferences; each of them replaces what there was",
        description="Errors: `validation_error` (422).",
        request=PreferencesChangeSerializer,
        responses=PreferencesSerializer,
        examples=_EXAMPLES,
    )
    def patch(self, request: Request) -> Response:
        return self._set(request, replace=False)

    def _set(self, request: Request, *, replace: bool) -> Response:
        query = PreferencesChangeSerializer(data=request.data)
        query.is_valid(raise_exception=True)
        row = preferences_set(user=request.user, fields=query.validated_data, replace=replace)
        return Response(PreferencesSerializer(row).data)
