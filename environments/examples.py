"""Examples shown in the API's pages."""

from drf_spectacular.utils import OpenApiExample

_ITEM = {
    "environment_id": "campus",
    "name": "Lindenhof Campus",
    "description": "Central square of a small university.",
    "timezone": "Europe/Zurich",
    "camera_count": 4,
    "zone_count": 10,
    "has_data": True,
    "last_data_at": "2026-01-05T09:02:00.000Z",
}
_CAMERA = {
    "camera_id": "c01",
    "name": "Library west",
    "image_width_px": 640,
    "image_height_px": 360,
    "fps": 10.0,
    "has_live": False,
    "clock_offset_s": 0.0,
    "calibration_quality": "good",
    "calibration_error_m": 0.04,
    "position_m": [22.5, 26.85],
    "height_m": 5.0,
    "heading_deg": -140.0,
    "tilt_deg": 23.0,
    "footprint_m": [[20.9, 21.7], [8.1, 24.0], [0.0, 11.2], [14.2, 5.6], [22.4, 20.5]],
}
_ZONE = {
    "zone_id": "6f1f3f0e-53c5-4a0e-9b0e-0a4a4f6f7a11",
    "slug": "library-entrance",
    "name": "Library entrance",
    "kind": "entrance",
    "polygon_m": [[23.5, 24.2], [28.5, 24.2], [28.5, 27.0], [23.5, 27.0]],
    "area_m2": 14.0,
    "max_persons": 12,
}
_SPAN = {"start": "2026-01-05T09:00:00.000Z", "end": "2026-01-05T09:02:00.000Z", "duration_s": 120.0}
_PROCESSED = {"start": "2026-01-05T09:00:00.000Z", "end": "2026-01-05T09:01:00.000Z", "duration_s": 60.0}
_LOCAL_PROCESSED = {
    **_PROCESSED,
    "start_local": "2026-01-05T10:00:00.000+01:00",
    "end_local": "2026-01-05T10:01:00.000+01:00",
}
_LOCAL_SPAN = {
    **_SPAN,
    "start_local": "2026-01-05T10:00:00.000+01:00",
    "end_local": "2026-01-05T10:02:00.000+01:00",
}

ENVIRONMENT_ITEM = OpenApiExample("Campus", value=_ITEM, response_only=True)
CAMERA = OpenApiExample("A camera", value=_CAMERA, response_only=True)
ZONE = OpenApiExample("A zone", value=_ZONE, response_only=True)
ENVIRONMENT = OpenApiExample(
    "Campus",
    response_only=True,
    value={
        **_ITEM,
        "role": "operator",
        "map": {
            "image_url": "/api/v1/environments/campus/floor-plan",
            "image_width_px": 1632,
            "image_height_px": 1156,
            "origin_m": [0.0, 34.0],
            "pixels_per_metre": 34.0,
            "rotation_deg": 0.0,
            "image_to_map": [[0.0294, 0.0, 0.0], [0.0, -0.0294, 34.0]],
            "bounds_m": {"min_x": 0.0, "min_y": 0.0, "max_x": 48.0, "max_y": 34.0},
        },
        "cameras": [_CAMERA],
        "zones": [_ZONE],
        "available_date_ranges": [_SPAN],
        "calibration_data": {
            "c01": {
                "calibration_quality": "good",
                "calibration_error_m": 0.04,
                "homography_image_to_map": [[0.01, 0.2, 3.1], [0.0, 0.1, 8.2], [0.0, 0.01, 1.0]],
            }
        },
    },
)
DATE_RANGES = OpenApiExample(
    "Two minutes",
    response_only=True,
    value={
        "environment_id": "campus",
        "timezone": "Europe/Zurich",
        "start": _SPAN["start"],
        "end": _SPAN["end"],
        "cameras": [{"camera_id": "c01", "ranges": [_SPAN], "processed": [_PROCESSED]}],
        "common": [_SPAN],
        "processed": [_PROCESSED],
        "days": {
            "utc": [
                {
                    "date": "2026-01-05",
                    "cameras": {"c01": [_SPAN]},
                    "common": [_SPAN],
                    "processed": [_PROCESSED],
                }
            ],
            "local": [
                {
                    "date": "2026-01-05",
                    "cameras": {"c01": [_LOCAL_SPAN]},
                    "common": [_LOCAL_SPAN],
                    "processed": [_LOCAL_PROCESSED],
                }
            ],
        },
    },
)
