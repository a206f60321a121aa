"""Connected foreground: what is left to go by when nothing is known of the size of persons."""

from __future__ import annotations

import cv2
import numpy as np

# Half of certain foreground: below it, a pixel may well be shadow.
_FOREGROUND = 128
# Persons are at least this much taller than wide when they walk, and at most this much when they stand.
_MIN_ASPECT, _MAX_ASPECT = 1.6, 4.2
# Usual height over width; a blob much wider than its height allows is several persons.
_USUAL_ASPECT = 2.6


def find_blobs(likelihood: np.ndarray, min_height_px: float) -> np.ndarray:
    """(n, 5) float xyxy and filled share (0..1) of connected foreground at least `min_height_px` tall.

    Args:
        likelihood: (h, w) uint8 foreground likelihood.
        min_height_px: lower ones are noise.
    """
    mask = (likelihood >= _FOREGROUND).astype(np.uint8)
    # a belt or a pole cuts persons in two; gaps are closed upwards, where they do not join neighbours
    gap = max(3, round(min_height_px / 4)) | 1
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((gap, 3), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    x, y, w, h, area = stats[1:].T.astype(float)
    tall = h >= min_height_px
    return np.column_stack([x, y, x + w, y + h, area / (w * h)])[tall]


def looks_like_one_person(blobs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(n,) bool: alone, upright and wholly inside an image of `size` (width, height)."""
    x1, y1, x2, y2, filled = blobs.T
    aspect = (y2 - y1) / (x2 - x1)
    inside = (x1 > 1) & (y1 > 1) & (x2 < size[0] - 1) & (y2 < size[1] - 1)
    return inside & (aspect > _MIN_ASPECT) & (aspect < _MAX_ASPECT) & (filled > 0.4) & (filled < 0.9)


def boxes_of_blobs(blobs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(m, 4) boxes and (m,) scores: each blob is a person, or several side by side when it is wide.

    Lying and shapeless blobs, and thin stripes, are left out. Scores are low: nothing confirms the size.
    """
    boxes, scores = [], []
    for x1, y1, x2, y2, filled in blobs:
        width, height = x2 - x1, y2 - y1
        aspect = height / width
        if aspect > _MAX_ASPECT * 1.3 or aspect < 0.5 or filled < 0.3:
            continue
        count = 1 if aspect > _MIN_ASPECT else max(1, round(_USUAL_ASPECT / aspect))
        step = width / count
        for i in range(count):
            boxes.append([x1 + i * step, y1, x1 + (i + 1) * step, y2])
            scores.append(0.6 * filled if count == 1 else 0.4 * filled)
    return np.array(boxes, float).reshape(-1, 4), np.array(scores, float)
