"""Shapes of playback and focus."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from environments.fields import NumberField
from tracking.playback import FASTEST, SLOWEST

HIGHLIGHT_KEYS = 20


class PlaySerializer(serializers.Serializer):
    speed = NumberField(
        required=False,
        min_value=SLOWEST,
        max_value=FASTEST,
        help_text="Seconds per second; left out: as before.",
    )


class PlaybackSeekSerializer(serializers.Serializer):
    timestamp = serializers.DateTimeField(required=False, help_text="Capture time.")
    position = NumberField(required=False, min_value=0, max_value=1, help_text="Share of what can be played.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Give either `timestamp` or `position`.")
        return attrs


class AvailableSerializer(serializers.Serializer):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()


class PlaybackSerializer(serializers.Serializer):
    task_id = serializers.UUIDField()
    state = serializers.ChoiceField(
        choices=["following", "playing", "paused", "ended"],
        help_text="following: there is no clock, viewers see what is processed.",
    )
    speed = serializers.FloatField()
    position = serializers.FloatField(help_text="0 to 1 of what can be played.")
    position_s = serializers.FloatField(help_text="Seconds of what can be played, gaps left out.")
    duration = serializers.FloatField(help_text="Seconds that can be played.")
    timestamp = serializers.DateTimeField(allow_null=True, help_text="Capture time that is shown.")
    can_seek = serializers.BooleanField()
    available = AvailableSerializer(allow_null=True)
    revision = serializers.IntegerField(help_text="Grows with every change of the clock.")


class FocusSetSerializer(serializers.Serializer):
    person_id = serializers.UUIDField()
    highlight_settings = serializers.DictField(
        child=serializers.JSONField(), required=False, help_text="For clients that draw; kept as it is."
    )

    def validate_highlight_settings(self, value: dict[str, Any]) -> dict[str, Any]:
        flat = all(isinstance(v, str | int | float | bool) and len(str(v)) <= 100 for v in value.values())
        if len(value) > HIGHLIGHT_KEYS or not flat or any(len(key) > 40 for key in value):
            raise serializers.ValidationError(
                f"At most {HIGHLIGHT_KEYS} short names with a short text, a number, true or false each."
            )
        return value


class FocusSerializer(serializers.Serializer):
    task_id = serializers.UUIDField()
    is_active = serializers.BooleanField()
    focused_person_id = serializers.UUIDField(allow_null=True)
    focus_start_time = serializers.DateTimeField(allow_null=True)
    highlight_settings = serializers.DictField()
    cross_camera_sync = serializers.BooleanField(help_text="The focus holds in every camera.")
    person_details = serializers.DictField(
        allow_null=True, help_text="As `person_details` of the focus socket: by what is processed or played."
    )
