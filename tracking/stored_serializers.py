"""What clients send about stored pictures, and the shapes they get, for the OpenAPI document."""

from __future__ import annotations

from rest_framework import serializers

from environments.known_fields import KnownFieldsSerializer
from environments.serializers import MomentField
from tracking.models import Snapshot


class SnapshotTakeSerializer(KnownFieldsSerializer):
    t = serializers.DateTimeField(
        required=False, help_text="Capture time; without it the last processed frame."
    )
    note = serializers.CharField(required=False, max_length=2000, allow_blank=True, default="")


class SnapshotSerializer(serializers.ModelSerializer):
    snapshot_id = serializers.UUIDField(source="id")
    url = serializers.CharField(source="get_absolute_url", help_text="Where its picture is answered.")
    environment_id = serializers.SlugField(source="environment.slug")
    task_id = serializers.UUIDField()
    camera_id = serializers.SlugField(source="camera.slug")
    captured_at = MomentField()
    created_at = MomentField()
    taken_by = serializers.CharField(source="taken_by.username", default=None, allow_null=True)

    class Meta:
        model = Snapshot
        fields = [
            "snapshot_id",
            "url",
            "environment_id",
            "task_id",
            "camera_id",
            "captured_at",
            "width",
            "height",
            "note",
            "taken_by",
            "created_at",
        ]
        read_only_fields = fields


class SnapshotsQuerySerializer(serializers.Serializer):
    environment_id = serializers.SlugField()
