"""Where persons could stand in an image, and which pixels they would cover: the detector's hypotheses.

A body is three upright rectangles (head, trunk, legs) along the line from foot to head, so that sums over it
cost a few look-ups in an integral image. A rim around it should show background when
a person stands just there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Bodies:
    """Every hypothesis of one image size, and its pixels as index quadruples of the integral image.

    Attributes:
        foot_px: (k, 2) float32.
        up_px: (k, 2) float32, foot to head.
        width_px: (k,) float32.
        boxes: (k, 4) int32 indices (bottom right, top right, bottom left, top left) of the whole body's box
            in the flattened (h + 1, w + 1) integral image.
        parts: (k, 3, 4) int32, likewise for `PARTS`; rim: (k, 4, 4) for `RIM`.
        box_area, part_area: (k,) float32 pixels within the image, at least 1.
    """

    foot_px: np.ndarray
    up_px: np.ndarray
    width_px: np.ndarray
    boxes: np.ndarray
    parts: np.ndarray
    rim: np.ndarray
    box_area: np.ndarray
    part_area: np.ndarray

    def __len__(self) -> int:
        return len(self.foot_px)


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
    boxes = body_boxes(foot, up, width)
    parts = part_rectangles(foot, up, width, PARTS)
    rim = np.stack([_part(foot, up, width, *edges) for edges in RIM], axis=1)
    index, area = _integral_indices(boxes[:, None], size)
    part_index, part_area = _integral_indices(parts, size)
    rim_index, _ = _integral_indices(rim, size)
    whole = ((parts[..., 2] - parts[..., 0]) * (parts[..., 3] - parts[..., 1])).sum(1)
    inside = part_area.sum(1) / np.maximum(whole, 1.0)
    keep = inside >= min_inside
    return Bodies(
        foot_px=foot[keep].astype(np.float32),
        up_px=up[keep].astype(np.float32),
        width_px=width[keep].astype(np.float32),
        boxes=index[keep, 0],
        parts=part_index[keep],
        rim=rim_index[keep],
        box_area=np.maximum(area[keep, 0], 1).astype(np.float32),
        part_area=np.maximum(part_area[keep].sum(1), 1).astype(np.float32),
    )


def body_boxes(foot_px: np.ndarray, up_px: np.ndarray, width_px: np.ndarray) -> np.ndarray:
    """(k, 4) float xyxy boxes around bodies."""
    head = foot_px + up_px
    low, high = np.minimum(foot_px, head), np.maximum(foot_px, head)
    half = width_px / 2
    return np.column_stack([low[:, 0] - half, low[:, 1], high[:, 0] + half, high[:, 1]])


def part_rectangles(
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


def _integral_indices(rectangles: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(k, r, 4) float xyxy to (k, r, 4) int32 indices of the flat integral image and (k, r) pixel counts."""
    width, height = size
    limits = np.array([width, height, width, height])
    x1, y1, x2, y2 = np.moveaxis(np.clip(np.rint(rectangles), 0, limits).astype(np.int32), -1, 0)
    stride = width + 1
    index = np.stack([y2 * stride + x2, y1 * stride + x2, y2 * stride + x1, y1 * stride + x1], axis=-1)
    return index.astype(np.int32), (x2 - x1) * (y2 - y1)
