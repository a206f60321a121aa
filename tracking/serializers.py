"""What clients send, and the shapes they get, for the OpenAPI document."""

from __future__ import annotations

from rest_framework import serializers

from environments.fields import NumberField
from environments.known_fields import KnownFieldsSerializer
from tracking.models import ProcessingTask


class TaskStartSerializer(KnownFieldsSerializer):
    environment_id = serializers.SlugField()
    mode = serializers.ChoiceField(ProcessingTask.Mode.choices, default=ProcessingTask.Mode.RECORDED)
    cameras = serializers.ListField(child=serializers.SlugField(), required=False, min_length=1)
    start = serializers.DateTimeField(required=False)
    end = serializers.DateTimeField(required=False)
    pacing = serializers.ChoiceField(ProcessingTask.Pacing.choices, default=ProcessingTask.Pacing.REALTIME)
    detector = serializers.CharField(required=False, max_length=300)
    embedder = serializers.CharField(required=False, max_length=300)
    fps = NumberField(required=False, min_value=0.1, max_value=60)
    score_threshold = NumberField(required=False, min_value=0, max_value=1)


class ChoiceSerializer(serializers.Serializer):
    requested = serializers.CharField()
    chosen = serializers.CharField(allow_null=True)
    reason = serializers.CharField()


class BatchesSerializer(serializers.Serializer):
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)


class StageSerializer(serializers.Serializer):
    median_ms = serializers.FloatField()
    p95_ms = serializers.FloatField()


class CameraStatusSerializer(serializers.Serializer):
    frames = serializers.IntegerField()
    fps = serializers.FloatField(allow_null=True)
    dropped = serializers.IntegerField()
    problems = serializers.ListField(child=serializers.DictField())


class TaskErrorSerializer(serializers.Serializer):
    code = serializers.CharField()
    message = serializers.CharField()


class TaskSerializer(serializers.Serializer):
    task_id = serializers.UUIDField()
    environment_id = serializers.SlugField()
    status = serializers.ChoiceField(ProcessingTask.Status.choices)
    mode = serializers.ChoiceField(ProcessingTask.Mode.choices)
    pacing = serializers.ChoiceField(ProcessingTask.Pacing.choices)
    start = serializers.DateTimeField(allow_null=True)
    end = serializers.DateTimeField(allow_null=True)
    fps = serializers.FloatField()
    cameras = serializers.ListField(child=serializers.SlugField())
    detector = ChoiceSerializer()
    embedder = ChoiceSerializer()
    progress = serializers.FloatField(allow_null=True)
    batches = BatchesSerializer()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    error = TaskErrorSerializer(allow_null=True)
    camera_status = serializers.DictField(child=CameraStatusSerializer())
    stages = serializers.DictField(child=StageSerializer())
    frames_per_second = serializers.FloatField(allow_null=True)
    lag_s = serializers.FloatField(allow_null=True)
    degradation = serializers.IntegerField(
        help_text="Live: 0 at full quality and rate; 1 to 3 while pictures are smaller or instants are left out."
    )


class SeekSerializer(serializers.Serializer):
    timestamp = serializers.DateTimeField(help_text="Processing goes on from the batch that holds this time.")


class ActivePersonSerializer(serializers.Serializer):
    global_person_id = serializers.UUIDField()
    cameras = serializers.ListField(child=serializers.SlugField())
    map_coords = serializers.ListField(child=serializers.FloatField(), allow_null=True)
    first_detected_time = serializers.DateTimeField()
    last_seen_time = serializers.DateTimeField()
    tracking_duration = serializers.FloatField()


class ActivePersonsSerializer(serializers.Serializer):
    persons = ActivePersonSerializer(many=True)
