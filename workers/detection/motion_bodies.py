"""Where persons could stand in an image, and which pixels they would cover: the detector's hypotheses.

A body is three upright rectangles (head, trunk, legs) along the line from foot to head, so that sums over it
cost a few look-ups in an integral image. A rim around it should show background when
a person stands just there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from calibration import CameraModel

# The body that the size prior describes; others are it, scaled.
REFERENCE_HEIGHT_M = 1.72
REFERENCE_WIDTH_M = 0.55
# Width over height of such a body where the camera says nothing of widths.
REFERENCE_ASPECT = 0.36
# Heights looked for, as shares of the reference: 1.58 m, 1.72 m, 1.86 m.
HEIGHT_SHARES = (0.92, 1.0, 1.08)
# (bottom, top, width) of head, trunk and legs as shares of height and width; feet move, so that the lowest
# part is not asked for.
PARTS = ((0.86, 1.0, 0.36), (0.45, 0.86, 0.74), (0.03, 0.45, 0.52))
# What counts as explained around head, trunk and legs: more than that, so that swinging arms and feet do not become
# persons, but not the corners beside the head, where others show.
COVERS = ((0.84, 1.04, 0.62), (0.42, 0.86, 1.05), (-0.04, 0.45, 1.05))
# (bottom, top, left, right) of the rim: left and right of the trunk, above the head, below the feet.
RIM = (
    (0.25, 0.95, -0.80, -0.52),
    (0.25, 0.95, 0.52, 0.80),
    (1.03, 1.12, -0.35, 0.35),
    (-0.12, -0.03, -0.35, 0.35),
)
# Grid of feet, as shares of the width and height expected there: fine enough that some hypothesis overlaps
# every person well.
STEP_ACROSS, STEP_ALONG = 1 / 7, 1 / 18

# (n, 2) foot pixels to (n, 2) vector foot to head and (n,) width, pixels, of the reference body; NaN: nobody
# can stand there.
SizePrior = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def prior_from_camera(camera: CameraModel) -> SizePrior:
    """Expected size from the camera's geometry (for images of `camera.image_size`)."""

    def size(foot_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        positions_m = camera.to_map(foot_px)
        boxes = camera.person_boxes(positions_m, REFERENCE_HEIGHT_M, REFERENCE_WIDTH_M)
        thin = camera.person_boxes(positions_m, REFERENCE_HEIGHT_M, 0.0)
        width = (boxes[:, 2] - boxes[:, 0]) - (thin[:, 2] - thin[:, 0])
        # without width, the box spans exactly foot and head
        lean = np.where(np.abs(thin[:, 0] - foot_px[:, 0]) > np.abs(thin[:, 2] - foot_px[:, 0]), 0, 2)
        head_x = np.take_along_axis(thin, lean[:, None], axis=1)[:, 0]
        return np.column_stack([head_x - foot_px[:, 0], thin[:, 1] - foot_px[:, 1]]), width

    return size


def prior_from_scale(scale: tuple[float, float]) -> SizePrior:
    """Expected size from `BackgroundModel.scale`, for a camera without calibration."""
    slope, intercept = scale

    def size(foot_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height = slope * foot_px[:, 1] + intercept
        height = np.where(height > 0, height, np.nan)
        return np.column_stack([np.zeros(len(height)), -height]), REFERENCE_ASPECT * height

    return size


class Bodies(NamedTuple):
    """Every hypothesis of one image size. Rectangles are int32 xyxy, whole pixels within the image.

    Attributes:
        foot_px: (k, 2) float32.
        up_px: (k, 2) float32, foot to head.
        width_px: (k,) float32.
        boxes: (k, 4) around the whole body.
        parts: (k, 3, 4) `PARTS`; covers: (k, 3, 4) `COVERS`; rims: (k, 4, 4) `RIM`.
        box_area: (k,) int32 pixels of the box; part_area: (k,) int64 of all parts; at least 1.
    """

    foot_px: np.ndarray
    up_px: np.ndarray
    width_px: np.ndarray
    boxes: np.ndarray
    parts: np.ndarray
    covers: np.ndarray
    rims: np.ndarray
    box_area: np.ndarray
    part_area: np.ndarray


def make_bodies(prior: SizePrior, size: tuple[int, int], min_height_px: float, min_inside: float) -> Bodies:
    """All hypotheses for images of `size` (width, height).

    Args:
        prior: expected size of a person by foot pixel.
        min_height_px: smaller persons are not looked for.
        min_inside: share of the body that must lie within the image.
    """
    spots, ups, widths = _grid(prior, size, min_height_px)
    foot = np.concatenate([spots] * len(HEIGHT_SHARES))
    up = np.concatenate([ups * share for share in HEIGHT_SHARES])
    # a tall person is hardly wider than a small one
    width = np.concatenate([widths * share**0.5 for share in HEIGHT_SHARES])
    parts = _part_rectangles(foot, up, width, PARTS)
    within = _within(parts, size)
    whole = np.maximum(_areas(parts).sum(1), 1.0)
    keep = _areas(within).sum(1) >= min_inside * whole
    foot, up, width, parts = foot[keep], up[keep], width[keep], within[keep]
    boxes = _within(body_boxes(foot, up, width), size)
    rims = np.stack([_part(foot, up, width, *edges) for edges in RIM], axis=1)
    return Bodies(
        foot_px=foot.astype(np.float32),
        up_px=up.astype(np.float32),
        width_px=width.astype(np.float32),
        boxes=boxes,
        parts=parts,
        covers=_within(_part_rectangles(foot, up, width, COVERS), size),
        rims=_within(rims, size),
        box_area=np.maximum(_areas(boxes), 1),
        part_area=np.maximum(_areas(parts).sum(1), 1),
    )


def body_boxes(foot_px: np.ndarray, up_px: np.ndarray, width_px: np.ndarray) -> np.ndarray:
    """(k, 4) float xyxy boxes around bodies."""
    head = foot_px + up_px
    low, high = np.minimum(foot_px, head), np.maximum(foot_px, head)
    half = width_px / 2
    return np.column_stack([low[:, 0] - half, low[:, 1], high[:, 0] + half, high[:, 1]])


def _part_rectangles(
    foot_px: np.ndarray, up_px: np.ndarray, width_px: np.ndarray, parts: Sequence[tuple[float, float, float]]
) -> np.ndarray:
    """(k, r, 4) float xyxy of r parts of k bodies; `parts` as `PARTS`."""
    return np.stack([_part(foot_px, up_px, width_px, b, t, -w / 2, w / 2) for b, t, w in parts], axis=1)


def _grid(prior: SizePrior, size: tuple[int, int], min_height_px: float) -> tuple[np.ndarray, ...]:
    """Feet, up vectors and widths on rows whose spacing follows the size expected there."""
    width, height = size
    columns = np.linspace(0, width, 9)
    feet, y = [], float(height) * 2
    while y > 0:
        up, across = prior(np.column_stack([columns, np.full(9, y)]))
        tall = -up[:, 1]
        valid = np.isfinite(tall) & np.isfinite(across) & (tall >= min_height_px) & (across > 1)
        if not valid.any():
            y -= max(1.0, height / 100)
            continue
        step_x = max(2.0, across[valid].min() * STEP_ACROSS)
        x = np.arange(step_x / 2, width, step_x)
        feet.append(np.column_stack([x, np.full(len(x), y)]))
        y -= max(1.5, tall[valid].min() * STEP_ALONG)
    foot = np.concatenate(feet) if feet else np.empty((0, 2))
    up, across = prior(foot)
    tall = -up[:, 1]
    with np.errstate(invalid="ignore"):
        keep = np.isfinite(up).all(1) & (tall >= min_height_px) & (across > 1)
    return foot[keep], up[keep], across[keep]


def _part(
    foot: np.ndarray, up: np.ndarray, width: np.ndarray, bottom: float, top: float, left: float, right: float
) -> np.ndarray:
    """(k, 4) xyxy of the rectangle between two heights, its sides offset from the body's axis in widths."""
    middle = foot[:, 0] + up[:, 0] * (bottom + top) / 2
    return np.column_stack(
        [
            middle + left * width,
            foot[:, 1] + up[:, 1] * top,
            middle + right * width,
            foot[:, 1] + up[:, 1] * bottom,
        ]
    )


def _within(rectangles: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Float xyxy rectangles rounded and cut to an image of `size` (width, height), int32."""
    return np.clip(np.rint(rectangles), 0, np.array([*size, *size])).astype(np.int32)


def _areas(rectangles: np.ndarray) -> np.ndarray:
    """(...,) of (..., 4) xyxy."""
    return (rectangles[..., 2] - rectangles[..., 0]) * (rectangles[..., 3] - rectangles[..., 1])
