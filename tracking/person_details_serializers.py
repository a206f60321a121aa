"""Shapes of a person's details, for validation and the OpenAPI document."""

from __future__ import annotations

from rest_framework import serializers

from tracking.models import ProcessingTask
from tracking.playback_serializers import AvailableSerializer


class PersonDetailsQuerySerializer(serializers.Serializer):
    start = serializers.DateTimeField(required=False, help_text="Capture time; all figures are of the range.")
    end = serializers.DateTimeField(required=False, help_text="Exclusive.")
    points = serializers.IntegerField(
        default=200, min_value=1, max_value=5000, help_text="At most so many entries of `position_history`."
    )


class PlaceSerializer(serializers.Serializer):
    timestamp = serializers.DateTimeField(help_text="Capture time.")
    camera = serializers.SlugField()
    track_id = serializers.IntegerField()
    bbox = serializers.ListField(
        child=serializers.FloatField(), min_length=4, max_length=4, help_text="xyxy, pixels."
    )
    map_coords = serializers.ListField(
        child=serializers.FloatField(), min_length=2, max_length=2, allow_null=True, help_text="Metres."
    )


class MovementSerializer(serializers.Serializer):
    """Null where no camera that saw the person is calibrated."""

    average_speed = serializers.FloatField(allow_null=True, help_text="m/s, of the time on the map.")
    max_speed = serializers.FloatField(allow_null=True, help_text="m/s, mean over a second.")
    total_distance = serializers.FloatField(allow_null=True, help_text="m; trembling is left out.")
    dwell_time = serializers.FloatField(help_text="s; breaks of more than 30 s do not count.")


class SeenSerializer(serializers.Serializer):
    first = serializers.DateTimeField()
    last = serializers.DateTimeField()
    seconds = serializers.FloatField(help_text="In which the person was seen.")


class SeenByCameraSerializer(SeenSerializer):
    camera = serializers.SlugField()


class SeenByTaskSerializer(SeenSerializer):
    task_id = serializers.UUIDField()
    mode = serializers.ChoiceField(ProcessingTask.Mode.choices)
    status = serializers.ChoiceField(ProcessingTask.Status.choices)


class ZoneVisitsSerializer(serializers.Serializer):
    zone_id = serializers.UUIDField()
    zone = serializers.SlugField()
    name = serializers.CharField()
    kind = serializers.CharField()
    entries = serializers.IntegerField(help_text="Visits; less than 2 s outside does not end one.")
    dwell_time = serializers.FloatField(help_text="s, all visits.")
    first = serializers.DateTimeField(help_text="Begin of the first visit.")
    last = serializers.DateTimeField(help_text="End of the last one.")


class PersonDetailsSerializer(serializers.Serializer):
    global_person_id = serializers.UUIDField(help_text="Who the given person is by now.")
    merged = serializers.BooleanField(help_text="Whether the given id was merged into that person.")
    environment_id = serializers.SlugField()
    available = AvailableSerializer(help_text="When the person was seen first and last, whatever the range.")
    first_detected_time = serializers.DateTimeField(help_text="In the range.")
    last_seen_time = serializers.DateTimeField()
    tracking_duration = serializers.FloatField(help_text="s from the first to the last of them.")
    detection_confidence = serializers.FloatField(help_text="Mean, 0 to 1.")
    current_camera = serializers.SlugField(
        allow_null=True, help_text="Now, in a task that runs; whatever the range."
    )
    movement_metrics = MovementSerializer()
    cameras = SeenByCameraSerializer(many=True)
    zones = ZoneVisitsSerializer(many=True, help_text="As zones are drawn now.")
    tasks = SeenByTaskSerializer(many=True)
    cropped_images = serializers.ListField(
        child=serializers.CharField(), help_text="Addresses of the best picture of each camera."
    )
    position_history = PlaceSerializer(many=True, help_text="Evenly over the time they were there.")
