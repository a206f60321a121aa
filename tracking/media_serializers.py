"""What clients ask of pictures, for validation and the OpenAPI document."""

from __future__ import annotations

import math
from typing import Any

from rest_framework import serializers

from environments.fields import NumberField
from tracking.composition import LEAST_WIDTH, WIDTH
from tracking.overlay_style import BLURS, MOST_TRAIL_S, THICKNESS
from tracking.person_serializers import KnownFieldsSerializer
from tracking.rendering import Look

MOST_SIGNED = 100


class PictureQuerySerializer(serializers.Serializer):
    """Time, size and format, for all pictures."""

    t = serializers.DateTimeField(
        required=False, help_text="Capture time; without it the last one processed."
    )
    quality = serializers.IntegerField(required=False, min_value=10, max_value=95)
    width = serializers.IntegerField(required=False, min_value=32, max_value=3840)
    height = serializers.IntegerField(required=False, min_value=32, max_value=2160)
    format = serializers.ChoiceField([("jpeg", "jpeg"), ("webp", "webp")], default="jpeg")

    def look(self, style: Any = None) -> Look:
        """What was asked for, as a look."""
        options = self.validated_data
        return Look(
            style=style,
            width=options.get("width"),
            height=options.get("height"),
            quality=options.get("quality"),
            format=options["format"],
        )


class FrameQuerySerializer(PictureQuerySerializer):
    focus = serializers.UUIDField(required=False, help_text="Person to highlight.")


class CropQuerySerializer(PictureQuerySerializer):
    camera = serializers.SlugField(required=False)


class CameraListField(serializers.CharField):
    """Slugs, separated by commas, each once."""

    def to_internal_value(self, data: Any) -> list[str]:
        names = [name.strip() for name in super().to_internal_value(data).split(",") if name.strip()]
        return list(dict.fromkeys(names))

    def to_representation(self, value: list[str]) -> str:
        return ",".join(value)


class CompositionQuerySerializer(FrameQuerySerializer):
    width = serializers.IntegerField(
        required=False, min_value=LEAST_WIDTH, max_value=3840, help_text=f"Of the whole; {WIDTH} without it."
    )
    layout = serializers.ChoiceField([("grid", "grid"), ("focus", "focus")], default="grid")
    cameras = CameraListField(required=False, help_text="Separated by commas; without it all of the task.")
    main = serializers.SlugField(
        required=False,
        help_text="The large one of the focus layout; without it where the focused person, else anybody, is largest.",
    )


class StreamQuerySerializer(serializers.Serializer):
    max_rate = NumberField(default=10.0, min_value=0.1, max_value=30, help_text="Pictures per second.")
    width = serializers.IntegerField(required=False, min_value=32, max_value=3840)
    quality = serializers.IntegerField(required=False, min_value=10, max_value=95)
    overlay = serializers.BooleanField(default=True, help_text="false: as captured.")
    focus = serializers.UUIDField(required=False, help_text="Person to highlight.")

    def validate_max_rate(self, value: float) -> float:
        if not math.isfinite(value):
            raise serializers.ValidationError("Must be a finite number.")
        return value


class OverlayStyleSerializer(serializers.Serializer):
    boxes = serializers.BooleanField(required=False)
    labels = serializers.BooleanField(required=False)
    trails_seconds = NumberField(required=False, min_value=0, max_value=MOST_TRAIL_S)
    zones = serializers.BooleanField(required=False)
    colour = serializers.CharField(required=False, help_text="`person`, or one `#rrggbb` for everybody.")
    thickness = NumberField(required=False, min_value=THICKNESS[0], max_value=THICKNESS[1])
    highlight_colour = serializers.CharField(required=False, help_text="`#rrggbb` of the focused person.")
    highlight_strength = NumberField(required=False, min_value=0, max_value=1)
    blur = serializers.ChoiceField(
        BLURS, required=False, help_text="`others`: everybody but the focused person."
    )


class OverlayConfigSerializer(OverlayStyleSerializer, KnownFieldsSerializer):
    task_id = serializers.UUIDField()


class OverlayConfigQuerySerializer(serializers.Serializer):
    task_id = serializers.UUIDField()


class SignSerializer(KnownFieldsSerializer):
    paths = serializers.ListField(
        child=serializers.CharField(max_length=1000), min_length=1, max_length=MOST_SIGNED
    )


class SignedUrlSerializer(serializers.Serializer):
    path = serializers.CharField()
    url = serializers.CharField()
    expires_at = serializers.DateTimeField()


class SignedUrlsSerializer(serializers.Serializer):
    urls = SignedUrlSerializer(many=True)
