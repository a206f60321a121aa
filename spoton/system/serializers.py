"""Shapes of the system's answers, for the OpenAPI document."""

from rest_framework import serializers

from spoton.system.maintenance import ACTIONS
from tracking.person_serializers import KnownFieldsSerializer
from tracking.serializers import StageSerializer

HEALTH = ("healthy", "degraded", "unhealthy")
ACTION_NAMES = sorted(ACTIONS)


class ComponentSerializer(serializers.Serializer):
    status = serializers.ChoiceField(HEALTH)
    message = serializers.CharField(required=False)
    count = serializers.IntegerField(required=False)
    devices = serializers.ListField(child=serializers.CharField(), required=False)


class SystemStatusSerializer(serializers.Serializer):
    status = serializers.ChoiceField(HEALTH)
    components = serializers.DictField(child=ComponentSerializer())
    versions = serializers.DictField(child=serializers.CharField())
    tasks = serializers.DictField(child=serializers.IntegerField())


class CameraFiguresSerializer(serializers.Serializer):
    environment_id = serializers.SlugField()
    camera_id = serializers.SlugField()
    task_id = serializers.UUIDField(allow_null=True)
    fps = serializers.FloatField(allow_null=True)
    lag_s = serializers.FloatField(allow_null=True, help_text="Capture to publication; live cameras only.")
    dropped = serializers.IntegerField()
    problems = serializers.ListField(child=serializers.DictField())
    last_frame_at = serializers.DateTimeField(allow_null=True)


class CameraStateSerializer(CameraFiguresSerializer):
    name = serializers.CharField()
    state = serializers.ChoiceField(["processing", "idle"])


class DeviceSerializer(serializers.Serializer):
    queue = serializers.CharField()
    host = serializers.CharField()
    name = serializers.CharField()
    memory_used_bytes = serializers.IntegerField()
    memory_total_bytes = serializers.IntegerField()
    utilisation = serializers.FloatField(allow_null=True)


class PerformanceSerializer(serializers.Serializer):
    stages = serializers.DictField(
        child=StageSerializer(),
        help_text="Per frame (decode, detect, embed), per instant (associate, record) or per batch (queue, publish, "
        "deliver), of the newest batches of active tasks.",
    )
    frames_per_second = serializers.FloatField()
    tasks = serializers.DictField(child=serializers.IntegerField())
    queues = serializers.DictField(child=serializers.IntegerField(), help_text="Messages waiting.")
    workers = serializers.DictField(child=serializers.IntegerField(), help_text="Live workers by queue.")
    devices = DeviceSerializer(many=True, help_text="GPUs.")
    cameras = CameraFiguresSerializer(many=True)


class MaintenanceSerializer(KnownFieldsSerializer):
    actions = serializers.ListField(
        child=serializers.ChoiceField(
            ACTION_NAMES,
            error_messages={
                "invalid_choice": f"There is no action {{input}}. Choose from: {', '.join(ACTION_NAMES)}."
            },
        ),
        min_length=1,
        max_length=10,
    )


class ActionStateSerializer(serializers.Serializer):
    action = serializers.ChoiceField(ACTION_NAMES)
    state = serializers.ChoiceField(["done", "queued"])
    details = serializers.DictField(help_text="`cleared`: how many of what; `tasks`: what was queued.")


class MaintenanceResultSerializer(serializers.Serializer):
    actions = ActionStateSerializer(many=True)
