"""What clients send to find persons, and what they get, for validation and the OpenAPI document."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from environments.fields import NumberField
from tracking.person_serializers import KnownFieldsSerializer
from tracking.uploaded_picture import MOST_BYTES

_DATA_URI = re.compile(r"data:image/(?:jpeg|png|webp);base64,")
# of base64, with room for the address and the other fields
MOST_BODY_BYTES = MOST_BYTES * 4 // 3 + 2**16


@extend_schema_field(OpenApiTypes.STR)
class DataUriField(serializers.Field):
    """`data:image/jpeg;base64,...` as bytes."""

    def to_internal_value(self, data: Any) -> bytes:
        begin = _DATA_URI.match(data) if isinstance(data, str) else None
        if begin is None:
            raise serializers.ValidationError("Must be data:image/jpeg;base64,... (or png, webp).")
        try:
            return base64.b64decode(data[begin.end() :], validate=True)
        except (binascii.Error, ValueError):
            raise serializers.ValidationError("This is not base64.") from None


@extend_schema_field(OpenApiTypes.BINARY)
class UploadedPictureField(serializers.FileField):
    """An uploaded file as bytes."""

    def to_internal_value(self, data: Any) -> bytes:
        # one byte more than is allowed tells that it is too large
        return super().to_internal_value(data).read(MOST_BYTES + 1)


class BoxField(serializers.ListField):
    """Four numbers; in forms also as one text with commas."""

    child = NumberField()

    def __init__(self, **options: Any) -> None:
        super().__init__(min_length=4, max_length=4, **options)

    def to_internal_value(self, data: Any) -> tuple[float, ...]:
        if isinstance(data, list) and len(data) == 1 and isinstance(data[0], str):
            data = data[0].split(",")
        return tuple(super().to_internal_value(data))


class PersonSearchSerializer(KnownFieldsSerializer):
    """Either a person, or a picture with the environment to search in."""

    person_id = serializers.UUIDField(required=False, help_text="Who the others are compared with ...")
    image = DataUriField(
        required=False, help_text="... or a picture of somebody: data:image/jpeg;base64,... up to 8 MB."
    )
    environment_id = serializers.SlugField(required=False, help_text="Of a picture: where to look.")
    bbox_xyxy = BoxField(
        required=False, help_text="Of a picture: where the person is (pixels); without it all of the picture."
    )
    start = serializers.DateTimeField(required=False, help_text="Only persons seen from here on ...")
    end = serializers.DateTimeField(required=False, help_text="... and before this.")
    limit = serializers.IntegerField(required=False, min_value=1, max_value=100, default=20)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        if ("person_id" in data) == ("image" in data):
            raise serializers.ValidationError({"person_id": "Give either `person_id` or `image`."})
        if "image" in data and "environment_id" not in data:
            raise serializers.ValidationError({"environment_id": "A picture is searched in an environment."})
        extra = {"environment_id", "bbox_xyxy"} & set(data) if "person_id" in data else set()
        if extra:
            raise serializers.ValidationError(dict.fromkeys(sorted(extra), "Only together with `image`."))
        return data


class PersonSearchFormSerializer(PersonSearchSerializer):
    """The same as a form, with the picture as a file."""

    image = UploadedPictureField(required=False, help_text="JPEG, PNG or WebP, up to 8 MB.")


class AlikePersonSerializer(serializers.Serializer):
    global_person_id = serializers.UUIDField()
    similarity = serializers.FloatField(help_text="Cosine of the appearances, at most 1.")
    embedder = serializers.CharField(help_text="Which embedder made both appearances.")
    first_detected_time = serializers.DateTimeField()
    last_seen_time = serializers.DateTimeField()


class PersonSearchResultSerializer(serializers.Serializer):
    global_person_id = serializers.UUIDField(
        allow_null=True, help_text="Whose look it was: who the given person is by now. Null for a picture."
    )
    merged = serializers.BooleanField(help_text="Whether the given id was merged into that person.")
    embedder = serializers.CharField(
        allow_null=True,
        help_text="Which embedder looked at the picture. Null where nobody's appearance is kept, and for a person, "
        "whose appearances may come from several.",
    )
    persons = AlikePersonSerializer(many=True)
