"""What an environment's definition (a mapping as read from JSON) says, as fields of our models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from environments.errors import ValidationFailedError
from environments.models import Zone


def required(mapping: Mapping[str, Any], key: str, subject: str) -> Any:
    if not isinstance(mapping, Mapping):
        raise ValidationFailedError(f"{subject} must be a JSON object with `{key}`, it is {mapping!r:.60}.")
    if key not in mapping:
        raise ValidationFailedError(f"{subject} has no `{key}`.")
    return mapping[key]


def environment_fields(definition: Mapping[str, Any], subject: str) -> dict[str, Any]:
    bounds = required(definition, "bounds_m", subject)
    fields = {
        "name": required(definition, "name", subject),
        "description": definition.get("description", ""),
        "timezone": definition.get("timezone", "UTC"),
        **dict(zip(("min_x_m", "min_y_m", "max_x_m", "max_y_m"), map(float, bounds), strict=True)),
    }
    plan = definition.get("floor_plan")
    if plan:
        fields["floor_plan_pixels_per_metre"] = float(required(plan, "pixels_per_metre", subject))
        # an unturned plan of exactly the bounds has its top-left corner in the north-west
        origin = plan.get("origin_m", (bounds[0], bounds[3]))
        fields["floor_plan_origin_x_m"], fields["floor_plan_origin_y_m"] = map(float, origin)
        fields["floor_plan_rotation_deg"] = float(plan.get("rotation_deg", 0.0))
    return fields


def camera_fields(camera: Mapping[str, Any], subject: str, order: int) -> dict[str, Any]:
    width, height = required(camera, "image_size", subject)
    fields: dict[str, Any] = {
        "name": required(camera, "name", subject),
        "image_width": int(width),
        "image_height": int(height),
        "order": order,
    }
    optional = ("fps", "calibration", "calibration_error_m", "live_uri", "clock_offset_s")
    return fields | {name: camera[name] for name in optional if name in camera}


def zone_fields(zone: Mapping[str, Any], subject: str) -> dict[str, Any]:
    return {
        "name": required(zone, "name", subject),
        "kind": zone.get("kind", Zone.Kind.OTHER),
        "polygon": [[float(x), float(y)] for x, y in required(zone, "polygon_m", subject)],
        **({"max_persons": zone["max_persons"]} if "max_persons" in zone else {}),
    }
