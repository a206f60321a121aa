"""An environment as a drawing: floor plan, zones, cameras and what they see, in the drawing's own pixels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from environments.camera_view import camera_view
from environments.geometry import FloorPlanFrame, polygon_label_m
from environments.models import Camera, Environment, Zone

BLANK_PIXELS_PER_METRE = 20.0  # for environments without a floor plan: fine enough to draw zones on
_ROUND_LENGTHS_M = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def plan_drawing(
    environment: Environment,
    *,
    image_url: str | None,
    highlighted_camera: Camera | None = None,
    highlighted_zone: Zone | None = None,
) -> dict[str, Any]:
    """Everything to draw, JSON-serialisable.

    Returns:
        `width`, `height` in pixels, `image_url`, `image_to_map` and `map_to_image` (2x3), `zones` and
        `cameras` with points in pixels, `scale_bar`, `text_px`. The highlighted camera comes last, on top.
    """
    frame, size = _frame_and_size(environment)
    to_map = np.array(frame.matrix())
    to_image = np.linalg.inv(to_map[:, :2])
    zones = [
        _zone(zone, frame, zone.pk == getattr(highlighted_zone, "pk", None))
        for zone in environment.zones.all()
    ]
    cameras = [
        _camera(camera, environment, frame, size[0], camera.pk == getattr(highlighted_camera, "pk", None))
        for camera in environment.cameras.all()
    ]
    return {
        "width": size[0],
        "height": size[1],
        "image_url": image_url if environment.floor_plan else None,
        "image_to_map": frame.matrix(),
        "map_to_image": np.column_stack([to_image, -to_image @ to_map[:, 2]]).tolist(),
        "zones": zones,
        "cameras": sorted(cameras, key=lambda camera: camera["highlighted"]),
        "scale_bar": _scale_bar(frame, size[0]),
        "text_px": round(size[0] / 75, 1),
    }


def _frame_and_size(environment: Environment) -> tuple[FloorPlanFrame, tuple[int, int]]:
    if environment.floor_plan and environment.floor_plan_width_px and environment.floor_plan_height_px:
        size = environment.floor_plan_width_px, environment.floor_plan_height_px
        return environment.floor_plan_frame, size
    width_m = environment.max_x_m - environment.min_x_m
    height_m = environment.max_y_m - environment.min_y_m
    frame = FloorPlanFrame((environment.min_x_m, environment.max_y_m), BLANK_PIXELS_PER_METRE)
    size = math.ceil(width_m * BLANK_PIXELS_PER_METRE), math.ceil(height_m * BLANK_PIXELS_PER_METRE)
    return frame, size


def _zone(zone: Zone, frame: FloorPlanFrame, highlighted: bool) -> dict[str, Any]:
    return {
        "id": str(zone.pk),
        "name": zone.name,
        "kind": zone.kind,
        "kind_label": zone.get_kind_display(),
        "is_active": zone.is_active,
        "highlighted": highlighted,
        "points": _rounded(frame.to_image(zone.polygon)),
        "label": _rounded(frame.to_image(polygon_label_m(zone.polygon)))[0],
    }


def _camera(
    camera: Camera, environment: Environment, frame: FloorPlanFrame, width: int, highlighted: bool
) -> dict[str, Any]:
    view = camera_view(camera, environment)
    drawn: dict[str, Any] = {
        "slug": camera.slug,
        "name": camera.name,
        "is_active": camera.is_active,
        "highlighted": highlighted,
        "footprint": _rounded(frame.to_image(view.footprint_m)) if len(view.footprint_m) else [],
        "position": None,
        "heading": None,
        "marker": round(width / 110, 1),
    }
    if view.position_m is not None and view.heading_deg is not None:
        heading = math.radians(view.heading_deg)
        ahead = (view.position_m[0] + math.cos(heading), view.position_m[1] + math.sin(heading))
        (x, y), (ahead_x, ahead_y) = frame.to_image([view.position_m, ahead])
        drawn["position"] = _rounded([[x, y]])[0]
        # SVG turns clockwise, from its x axis
        drawn["heading"] = round(math.degrees(math.atan2(ahead_y - y, ahead_x - x)), 1)
    return drawn


def _scale_bar(frame: FloorPlanFrame, width: int) -> dict[str, float]:
    """The longest round length that fits into a sixth of the drawing."""
    metres = max(
        (m for m in _ROUND_LENGTHS_M if m * frame.pixels_per_metre <= width / 6), default=_ROUND_LENGTHS_M[0]
    )
    return {"metres": metres, "pixels": round(metres * frame.pixels_per_metre, 1)}


def _rounded(points: Any) -> list[list[float]]:
    return [[round(float(x), 1), round(float(y), 1)] for x, y in points]
