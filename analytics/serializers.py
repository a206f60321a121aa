"""Shapes of the analytics answers, for the OpenAPI document."""

from rest_framework import serializers


class LiveMetricsQuerySerializer(serializers.Serializer):
    environment_id = serializers.SlugField()


class ZoneOccupancySerializer(serializers.Serializer):
    zone_id = serializers.UUIDField()
    slug = serializers.SlugField()
    name = serializers.CharField()
    kind = serializers.CharField()
    persons = serializers.IntegerField()
    max_persons = serializers.IntegerField(allow_null=True, help_text="More persons than this are an alert.")
    density_per_m2 = serializers.FloatField()
    avg_dwell_time = serializers.FloatField(allow_null=True, help_text="As below, of those in the zone.")


class AlertSerializer(serializers.Serializer):
    type = serializers.ChoiceField(choices=["high_occupancy"])
    zone = serializers.SlugField()
    count = serializers.IntegerField()
    threshold = serializers.IntegerField()


class LiveMetricsSerializer(serializers.Serializer):
    environment_id = serializers.SlugField()
    task_id = serializers.UUIDField(allow_null=True)
    task_status = serializers.CharField(allow_null=True)
    timestamp = serializers.DateTimeField(allow_null=True)
    total_persons = serializers.IntegerField()
    persons_per_camera = serializers.DictField(child=serializers.IntegerField())
    zone_occupancy = ZoneOccupancySerializer(many=True)
    avg_dwell_time = serializers.FloatField(
        allow_null=True, help_text="Seconds since those present came; a break of 30 s is a new stay."
    )
    crowd_density = serializers.FloatField(help_text="Persons on the map per square metre of the map.")
    alerts = AlertSerializer(many=True)
