"""What there is to draw on a camera's picture: boxes, the ways people came, zones of the map."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np

from calibration import CameraModel, InvalidCalibrationError
from environments.geometry import clip_to_half_plane, clip_to_rectangle
from environments.selectors import zones_of
from tracking.models import Batch, Detection, ProcessingTask
from tracking.overlay import DrawnZone, LabelledBox, Scene
from tracking.overlay_style import OverlayStyle
from tracking.publish import last_instant

# someone not seen for this long came by a way that is not known (s)
_GAP_S = 1.0
# feet jump from box to box: ways are shown as means over this long (s)
_SMOOTHED_S = 0.8
# outlines are clipped this far outside the picture, so that the clipped side does not show
_OUTSIDE_PX = 60


def camera_entry(task: ProcessingTask, camera: str) -> dict[str, Any]:
    """What the task's plan says of the camera."""
    return next(c for c in task.plan["cameras"] if c["camera"] == camera)


def boxes_at(*, task: ProcessingTask, camera: str, instant: int) -> list[LabelledBox]:
    """Recorded boxes of one instant, in pixels of the camera's image."""
    rows = Detection.objects.filter(
        task=task, camera_id=camera_entry(task, camera)["camera_id"], instant=instant
    ).order_by("track_id")
    return [LabelledBox(p, box) for p, *box in rows.values_list("person_id", "x1", "y1", "x2", "y2")]


def boxes_of_update(update: Mapping[str, Any], camera: str) -> list[LabelledBox]:
    """The same from a `tracking_update`, without asking the database."""
    tracks = update["cameras"].get(camera, {}).get("tracks", ())
    return [LabelledBox(UUID(track["global_id"]), tuple(track["bbox_xyxy"])) for track in tracks]


def was_processed(task: ProcessingTask, instant: int) -> bool:
    """Whether it is known who was there; until then a picture without boxes means nothing."""
    if task.mode == ProcessingTask.Mode.LIVE:
        return instant <= last_instant(task.pk)
    return Batch.objects.filter(task=task, number=instant // task.plan["batch_instants"]).exists()


def scene_of(
    *,
    task: ProcessingTask,
    camera: str,
    instant: int,
    boxes: Sequence[LabelledBox],
    size: tuple[int, int],
    style: OverlayStyle,
    focus: UUID | None,
) -> Scene:
    """Everything that `style` asks for, in pixels of a picture of `size` (width, height).

    Args:
        boxes: in pixels of the camera's image.
    """
    entry = camera_entry(task, camera)
    scale = np.array(size) / entry["image_size"]
    drawn = [LabelledBox(b.person, tuple(np.multiply(b.box_px, [*scale, *scale]))) for b in boxes]
    # a trail says of somebody hidden where they went, but not who they are: it may stay
    trails = _trails(task, entry, instant, [b.person for b in boxes], scale, style.trails_seconds)
    return Scene(drawn, trails, _zones(task, entry, size) if style.zones else (), focus)


def _trails(
    task: ProcessingTask,
    entry: dict[str, Any],
    instant: int,
    persons: list[UUID],
    scale: np.ndarray,
    length_s: float,
) -> dict[UUID, list[np.ndarray]]:
    """Per person the foot points of the last seconds, cut where they were away."""
    if not length_s or not persons:
        return {}
    rows = Detection.objects.filter(
        task=task,
        camera_id=entry["camera_id"],
        instant__gt=instant - length_s * task.fps,
        instant__lte=instant,
        person__in=persons,
    ).order_by("instant")
    points: dict[UUID, list[tuple[int, float, float]]] = defaultdict(list)
    for person, at, x1, x2, y2 in rows.values_list("person_id", "instant", "x1", "x2", "y2"):
        points[person].append((at, (x1 + x2) / 2, y2))
    return {person: _pieces(np.array(found), task.fps, scale) for person, found in points.items()}


def _pieces(points: np.ndarray, fps: float, scale: np.ndarray) -> list[np.ndarray]:
    """(n, 3) instants and pixels, cut at gaps."""
    half = round(_SMOOTHED_S * fps / 2)
    gaps = np.flatnonzero(np.diff(points[:, 0]) > max(1.0, _GAP_S * fps)) + 1
    return [_smoothed(piece[:, 1:] * scale, half) for piece in np.split(points, gaps) if len(piece) > 1]


def _smoothed(points: np.ndarray, half: int) -> np.ndarray:
    """Means of up to `half` neighbours on both sides; both ends stay where they are."""
    i = np.arange(len(points))
    reach = np.minimum(half, np.minimum(i, i[::-1]))
    sums = np.vstack([np.zeros((1, 2)), np.cumsum(points, axis=0)])
    return (sums[i + reach + 1] - sums[i - reach]) / (2 * reach + 1)[:, None]


def _zones(task: ProcessingTask, entry: dict[str, Any], size: tuple[int, int]) -> list[DrawnZone]:
    """The zones that the camera sees; none without a calibration."""
    if not entry["calibration"]:
        return []
    try:
        model = CameraModel.from_mapping(entry["calibration"]).scaled_to(size)
    except InvalidCalibrationError:
        return []
    found = [(zone, outline_in(model, zone.polygon)) for zone in zones_of(task.environment)]
    return [DrawnZone(zone.name, zone.kind, outline) for zone, outline in found if len(outline) >= 3]


def outline_in(model: CameraModel, polygon_m: Sequence[Sequence[float]]) -> np.ndarray:
    """(n, 2) pixels of a polygon on the ground, cut where it leaves the picture; empty when it is not in view."""
    # depth along the line of sight is linear on the map: what is not in front has no picture
    depth = model.depth_sign() * model.map_to_image[2]
    nearest = 1e-3 * float(np.abs(depth[:2] @ np.ptp(np.array(polygon_m, float), axis=0))) + 1e-9
    in_front = clip_to_half_plane(polygon_m, (depth[0], depth[1], depth[2] - nearest))
    if len(in_front) < 3:
        return np.empty((0, 2))
    width, height = model.image_size
    inside = clip_to_rectangle(model.to_image(in_front), (0, 0), (width, height))
    if len(inside) < 3:
        return inside
    low, high = (-_OUTSIDE_PX, -_OUTSIDE_PX), (width + _OUTSIDE_PX, height + _OUTSIDE_PX)
    return clip_to_rectangle(model.to_image(in_front), low, high)
