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
    density_per_m2 = serializers.FloatField()


class LiveMetricsSerializer(serializers.Serializer):
    environment_id = serializers.SlugField()
    task_id = serializers.UUIDField(allow_null=True)
    task_status = serializers.CharField(allow_null=True)
    timestamp = serializers.DateTimeField(allow_null=True)
    total_persons = serializers.IntegerField()
    persons_per_camera = serializers.DictField(child=serializers.IntegerField())
    zone_occupancy = ZoneOccupancySerializer(many=True)
