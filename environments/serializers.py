"""Shapes of the environment endpoints. Live addresses stay inside: they may hold a camera's password."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from environments.camera_view import camera_view
from environments.geometry import polygon_area_m2
from environments.models import Camera, Environment, Role, Zone
from environments.spans import isoformat

_POINT = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_POINTS = {"type": "array", "items": _POINT}
_QUALITIES = ("uncalibrated", "unknown", "good", "fair", "poor")


class MomentField(serializers.DateTimeField):
    """ISO 8601 UTC with milliseconds."""

    def to_representation(self, value: datetime | None) -> str | None:
        return None if value is None else isoformat(value)


@extend_schema_field(_POINT)
class PointField(serializers.Field):
    """[x, y] in metres."""

    def to_representation(self, value: Any) -> list[float]:
        return [round(float(v), 3) for v in value]


@extend_schema_field(_POINTS)
class PointsField(serializers.Field):
    """[[x, y], ...] in metres."""

    def to_representation(self, value: Any) -> list[list[float]]:
        return [[round(float(x), 3), round(float(y), 3)] for x, y in value]


# -- environments --------------------------------------------------------------------------------------------


class EnvironmentItemSerializer(serializers.Serializer):
    environment_id = serializers.SlugField(source="slug")
    name = serializers.CharField()
    description = serializers.CharField()
    timezone = serializers.CharField()
    camera_count = serializers.SerializerMethodField()
    zone_count = serializers.SerializerMethodField()
    has_data = serializers.SerializerMethodField()
    last_data_at = MomentField(allow_null=True, help_text="End of the latest recording or result.")

    def get_camera_count(self, environment: Any) -> int:
        return environment.camera_count or 0

    def get_zone_count(self, environment: Any) -> int:
        return environment.zone_count or 0

    def get_has_data(self, environment: Any) -> bool:
        return environment.last_data_at is not None


class BoundsSerializer(serializers.Serializer):
    min_x = serializers.FloatField()
    min_y = serializers.FloatField()
    max_x = serializers.FloatField()
    max_y = serializers.FloatField()


class MapSerializer(serializers.Serializer):
    image_url = serializers.CharField(
        allow_null=True, help_text="Needs the same authorization; null: no plan."
    )
    image_width_px = serializers.IntegerField(allow_null=True)
    image_height_px = serializers.IntegerField(allow_null=True)
    origin_m = PointField(help_text="Map position of the image's top-left corner.")
    pixels_per_metre = serializers.FloatField()
    rotation_deg = serializers.FloatField(help_text="Counter-clockwise turn of the image on the map.")
    image_to_map = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()),
        help_text="Two rows of three: metres = rows times (x_px, y_px, 1).",
    )
    bounds_m = BoundsSerializer(help_text="x points east, y north.")


class CameraSerializer(serializers.Serializer):
    camera_id = serializers.SlugField()
    name = serializers.CharField()
    image_width_px = serializers.IntegerField()
    image_height_px = serializers.IntegerField()
    fps = serializers.FloatField()
    has_live = serializers.BooleanField(help_text="A live stream is configured.")
    clock_offset_s = serializers.FloatField()
    calibration_quality = serializers.ChoiceField(choices=_QUALITIES)
    calibration_error_m = serializers.FloatField(allow_null=True)
    position_m = PointField(allow_null=True)
    height_m = serializers.FloatField(allow_null=True)
    heading_deg = serializers.FloatField(allow_null=True, help_text="Counter-clockwise from east.")
    tilt_deg = serializers.FloatField(allow_null=True, help_text="Down from the horizon.")
    footprint_m = PointsField(help_text="The ground it sees, cut at the map's bounds.")

    def to_representation(self, camera: Camera) -> dict[str, Any]:
        view = camera_view(camera, camera.environment)
        return super().to_representation(
            {
                "camera_id": camera.slug,
                "name": camera.name,
                "image_width_px": camera.image_width,
                "image_height_px": camera.image_height,
                "fps": camera.fps,
                "has_live": bool(camera.live_uri),
                "clock_offset_s": camera.clock_offset_s,
                "calibration_quality": view.quality,
                "calibration_error_m": view.error_m,
                "position_m": view.position_m,
                "height_m": _rounded(view.height_m),
                "heading_deg": _rounded(view.heading_deg),
                "tilt_deg": _rounded(view.tilt_deg),
                "footprint_m": view.footprint_m,
            }
        )


class ZoneSerializer(serializers.Serializer):
    zone_id = serializers.UUIDField(source="pk")
    slug = serializers.SlugField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=Zone.Kind.choices)
    polygon_m = PointsField(source="polygon")
    area_m2 = serializers.SerializerMethodField()
    max_persons = serializers.IntegerField(allow_null=True, help_text="More persons than this are an alert.")

    def get_area_m2(self, zone: Zone) -> float:
        return round(polygon_area_m2(zone.polygon), 2)


class CalibrationSerializer(serializers.Serializer):
    calibration_quality = serializers.ChoiceField(choices=_QUALITIES)
    calibration_error_m = serializers.FloatField(allow_null=True)
    homography_image_to_map = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()),
        allow_null=True,
        help_text="Three rows of three: homogeneous pixels of this camera to homogeneous metres.",
    )


class SpanSerializer(serializers.Serializer):
    start = MomentField()
    end = MomentField()
    duration_s = serializers.FloatField()


class EnvironmentSerializer(EnvironmentItemSerializer):
    role = serializers.ChoiceField(choices=Role.choices, help_text="The caller's role here.")
    map = MapSerializer()
    cameras = CameraSerializer(many=True)
    zones = ZoneSerializer(many=True)
    available_date_ranges = SpanSerializer(
        many=True,
        help_text="When all cameras that have recordings were recording, or results are stored; date-ranges has more.",
    )
    calibration_data = serializers.DictField(child=CalibrationSerializer(), help_text="By camera.")

    def get_camera_count(self, environment: Any) -> int:
        return len(environment.cameras)

    def get_zone_count(self, environment: Any) -> int:
        return len(environment.zones)


def map_data(environment: Environment, image_url: str | None) -> dict[str, Any]:
    frame = environment.floor_plan_frame
    return {
        "image_url": image_url,
        "image_width_px": environment.floor_plan_width_px,
        "image_height_px": environment.floor_plan_height_px,
        "origin_m": frame.origin_m,
        "pixels_per_metre": frame.pixels_per_metre,
        "rotation_deg": frame.rotation_deg,
        "image_to_map": frame.matrix(),
        "bounds_m": {
            "min_x": environment.min_x_m,
            "min_y": environment.min_y_m,
            "max_x": environment.max_x_m,
            "max_y": environment.max_y_m,
        },
    }


def calibration_data(cameras: list[Camera]) -> dict[str, Any]:
    return {
        camera.slug: {
            "calibration_quality": camera_view(camera, camera.environment).quality,
            "calibration_error_m": camera.calibration_error_m,
            "homography_image_to_map": None if camera.model is None else camera.model.image_to_map.tolist(),
        }
        for camera in cameras
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
