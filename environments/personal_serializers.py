"""Shapes of preferences and analysis sessions."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from environments.json_bounds import json_problem, scalars_problem
from environments.known_fields import KnownFieldsSerializer
from environments.models import AnalysisSession
from environments.serializers import MomentField
from environments.sessions import MOST_STATE_BYTES

MOST_LAYOUT_BYTES = 16 * 1024
MOST_OVERLAY_BYTES = 4 * 1024
MOST_OVERLAY_KEYS = 20
# a colour, a name: nothing that an overlay draws with is longer
MOST_OVERLAY_CHARACTERS = 64


@extend_schema_field({"type": "object", "additionalProperties": True})
class JsonObjectField(serializers.Field):
    """A JSON object, kept as it is, within bounds."""

    default_error_messages = {"not_an_object": "Must be a JSON object."}

    def __init__(self, *, most_bytes: int, **options: Any) -> None:
        super().__init__(**options)
        self.most_bytes = most_bytes

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_an_object")
        problem = self.problem(data)
        if problem:
            raise serializers.ValidationError(problem)
        return data

    def problem(self, data: dict[str, Any]) -> str | None:
        return json_problem(data, most_bytes=self.most_bytes)

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        return value


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MOST_OVERLAY_KEYS,
        "additionalProperties": {
            "oneOf": [
                {"type": "boolean"},
                {"type": "number"},
                {"type": "string", "maxLength": MOST_OVERLAY_CHARACTERS},
            ]
        },
    }
)
class OverlayField(JsonObjectField):
    """How pictures are drawn on: a few booleans, numbers and short strings by name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(most_bytes=MOST_OVERLAY_BYTES, **options)

    def problem(self, data: dict[str, Any]) -> str | None:
        return super().problem(data) or scalars_problem(
            data, most_keys=MOST_OVERLAY_KEYS, most_characters=MOST_OVERLAY_CHARACTERS
        )


class PreferencesChangeSerializer(KnownFieldsSerializer):
    default_environment = serializers.SlugField(
        required=False, allow_null=True, help_text="One that the caller may see."
    )
    overlay = OverlayField(required=False, help_text="For example boxes, labels, trails_seconds, blur.")
    layout = JsonObjectField(most_bytes=MOST_LAYOUT_BYTES, required=False, help_text="At most 16 kB.")


class PreferencesSerializer(serializers.Serializer):
    default_environment = serializers.SlugField(
        source="default_environment.slug", allow_null=True, default=None
    )
    overlay = OverlayField()
    layout = JsonObjectField(most_bytes=MOST_LAYOUT_BYTES)
    updated_at = MomentField(allow_null=True, help_text="null: never set.")


class SessionCreateSerializer(KnownFieldsSerializer):
    name = serializers.CharField(required=False, allow_blank=True, max_length=120)
    start = serializers.DateTimeField(required=False)
    end = serializers.DateTimeField(required=False, help_text="Exclusive.")
    cameras = serializers.ListField(child=serializers.SlugField(), required=False, min_length=1)
    state = JsonObjectField(
        most_bytes=MOST_STATE_BYTES, required=False, help_text="The client's own, at most 64 kB."
    )


class SessionUpdateSerializer(SessionCreateSerializer):
    version = serializers.IntegerField(
        required=False, min_value=1, help_text="The version read last; another one now is a conflict."
    )


class SessionItemSerializer(serializers.ModelSerializer):
    session_id = serializers.UUIDField(source="pk")
    environment_id = serializers.SlugField(source="environment.slug")
    owner = serializers.CharField(source="owner.username")
    cameras = serializers.ListField(child=serializers.SlugField())
    start, end = MomentField(), MomentField()
    created_at, updated_at = MomentField(), MomentField()
    expires_at = MomentField(help_text="Put off whenever the session is used.")

    class Meta:
        model = AnalysisSession
        fields = [
            "session_id", "environment_id", "owner", "name", "start", "end", "cameras", "version",
            "created_at", "updated_at", "expires_at",
        ]  # fmt: skip


class SessionSerializer(SessionItemSerializer):
    state = JsonObjectField(most_bytes=MOST_STATE_BYTES)

    class Meta(SessionItemSerializer.Meta):
        fields = [*SessionItemSerializer.Meta.fields, "state"]
