"""What clients send about persons, and the shapes they get, for the OpenAPI document."""

from __future__ import annotations

from rest_framework import serializers

from environments.fields import NumberField
from environments.known_fields import KnownFieldsSerializer
from environments.serializers import MomentField
from tracking.models import PersonChange, PersonFeedback


class PersonMergeSerializer(KnownFieldsSerializer):
    reason = serializers.CharField(required=False, max_length=2000, allow_blank=True)

    def get_fields(self) -> dict[str, serializers.Field]:
        # a word of Python's own, which cannot be an attribute
        other = serializers.UUIDField(help_text="Who is the same person; this id stays usable.")
        return {"with": other, **super().get_fields()}


class TrackRefSerializer(serializers.Serializer):
    camera_id = serializers.SlugField()
    track_id = serializers.IntegerField(min_value=0)


class PersonSplitSerializer(KnownFieldsSerializer):
    task_id = serializers.UUIDField(required=False, help_text="Only what this task saw; it must have ended.")
    tracks = serializers.ListField(
        child=TrackRefSerializer(),
        required=False,
        min_length=1,
        max_length=200,
        help_text="Of the task only these.",
    )
    reason = serializers.CharField(required=False, max_length=2000, allow_blank=True)

    def get_fields(self) -> dict[str, serializers.Field]:
        since = serializers.DateTimeField(help_text="From when on it is somebody else (capture time).")
        return {"from": since, **super().get_fields()}


class PersonChangeSerializer(serializers.ModelSerializer):
    change_id = serializers.UUIDField(source="id")
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    undone_by = serializers.CharField(source="undone_by.username", default=None, allow_null=True)
    created_at = MomentField()
    undone_at = MomentField(allow_null=True)

    class Meta:
        model = PersonChange
        fields = [
            "change_id",
            "kind",
            "source",
            "person_id",
            "other_id",
            "reason",
            "details",
            "created_at",
            "created_by",
            "undone_at",
            "undone_by",
        ]
        read_only_fields = fields


class FeedbackGiveSerializer(KnownFieldsSerializer):
    person_id = serializers.UUIDField()
    verdict = serializers.ChoiceField(PersonFeedback.Verdict.choices)
    candidate_id = serializers.UUIDField(required=False, help_text="Whether this is the same person.")
    task_id = serializers.UUIDField(
        required=False, help_text="Or whether it is the person whom this task's ..."
    )
    camera_id = serializers.SlugField(required=False, help_text="... camera shows ...")
    at = serializers.DateTimeField(required=False, help_text="... at this capture time.")
    notes = serializers.CharField(required=False, max_length=2000, allow_blank=True)
    confidence = NumberField(required=False, min_value=0, max_value=1)
    source = serializers.CharField(required=False, max_length=64, help_text="Where it was said.")


class FeedbackSerializer(serializers.ModelSerializer):
    feedback_id = serializers.UUIDField(source="id")
    camera_id = serializers.SlugField(source="camera.slug", default=None, allow_null=True)
    task_id = serializers.UUIDField(allow_null=True)
    change_id = serializers.UUIDField(allow_null=True, help_text="The merge or split it made or undid.")
    at = MomentField(allow_null=True)
    created_at = MomentField()
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)

    class Meta:
        model = PersonFeedback
        fields = [
            "feedback_id",
            "verdict",
            "person_id",
            "candidate_id",
            "task_id",
            "camera_id",
            "at",
            "notes",
            "confidence",
            "source",
            "change_id",
            "created_at",
            "created_by",
        ]
        read_only_fields = fields


class FeedbackQuerySerializer(serializers.Serializer):
    environment_id = serializers.SlugField()
    person_id = serializers.UUIDField(required=False)
