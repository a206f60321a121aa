"""From a network's candidates to persons: which of them count, and each person once."""

from __future__ import annotations

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.types import Detections

MAX_CANDIDATES = 2000  # before duplicates are dropped; bounds the comparisons
NOTHING, PIXEL = np.float32(0), np.float32(1)


def select_persons(
    boxes_px: np.ndarray,
    scores: np.ndarray,
    image_size: tuple[int, int],
    *,
    score_threshold: float,
    nms_iou: float,
) -> Detections:
    """Candidates of one image to detections: scored enough, inside the image, each person once, best first.

    Args:
        boxes_px: (n, 4) xyxy pixels of the image; clipped to it, left out where not finite.
        scores: (n,); of equal ones the first is the better.
        image_size: (width, height).
        nms_iou: a box that overlaps a better one by more is left out (non-maximum suppression).
    """
    boxes_px, scores = np.ascontiguousarray(boxes_px, np.float32), np.ascontiguousarray(scores, np.float32)
    width, height = image_size
    return Detections(*_select(boxes_px, scores, width, height, score_threshold, nms_iou))


@compiled
def _select(boxes_px, scores, width, height, score_threshold, iou):
    """(k, 4) float32 clipped boxes and (k,) float32 scores of `select_persons`."""
    width, height = np.float32(width), np.float32(height)
    score_threshold, iou = np.float32(score_threshold), np.float32(iou)
    boxes, kept_scores = np.empty_like(boxes_px), np.empty_like(scores)
    candidates = kept = 0
    for i in np.argsort(-scores, kind="mergesort"):  # which is stable
        if candidates == MAX_CANDIDATES:
            break
        if scores[i] >= score_threshold and np.isfinite(boxes_px[i]).all():
            candidates += 1
            for k in range(4):
                boxes[kept, k] = min(max(boxes_px[i, k], NOTHING), height if k % 2 else width)
            if _is_real(boxes[kept]) and not _is_repeated(boxes, kept, iou):
                kept_scores[kept] = scores[i]
                kept += 1
    return boxes[:kept], kept_scores[:kept]


@compiled_lean
def _is_real(box_px) -> bool:
    """Whether at least a pixel of it is inside the image."""
    return box_px[2] - box_px[0] >= PIXEL and box_px[3] - box_px[1] >= PIXEL


@compiled_lean
def _is_repeated(boxes_px, i, iou) -> bool:
    """Whether one of the boxes before overlaps this one by more; all have an area."""
    for o in range(i):
        width = min(boxes_px[i, 2], boxes_px[o, 2]) - max(boxes_px[i, 0], boxes_px[o, 0])
        height = min(boxes_px[i, 3], boxes_px[o, 3]) - max(boxes_px[i, 1], boxes_px[o, 1])
        shared = max(width, NOTHING) * max(height, NOTHING)
        if shared / (_area(boxes_px, i) + _area(boxes_px, o) - shared) > iou:
            return True
    return False


@compiled_lean
def _area(boxes_px, i) -> float:
    return (boxes_px[i, 2] - boxes_px[i, 0]) * (boxes_px[i, 3] - boxes_px[i, 1])
