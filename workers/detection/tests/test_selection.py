from __future__ import annotations

import numpy as np
import pytest

from workers.detection.base import pairwise_iou
from workers.detection.selection import MAX_CANDIDATES, select_persons

SIZE = (640, 480)


def plain(boxes: np.ndarray, scores: np.ndarray, score_threshold: float, nms_iou: float) -> np.ndarray:
    """(k, 5) clipped boxes and scores, written for reading."""
    candidates = [i for i in np.argsort(-scores, kind="stable") if scores[i] >= score_threshold]
    kept: list[np.ndarray] = []
    for i in [i for i in candidates if np.isfinite(boxes[i]).all()][:MAX_CANDIDATES]:
        box = np.clip(boxes[i], 0, np.array([*SIZE, *SIZE], np.float32))
        apart = all(pairwise_iou(box[None], other[None, :4])[0, 0] <= np.float32(nms_iou) for other in kept)
        if (box[2:] - box[:2] >= 1).all() and apart:
            kept.append(np.append(box, scores[i]))
    return np.array(kept, np.float32).reshape(-1, 5)


@pytest.mark.parametrize("seed", range(30))
def test_as_a_plain_reading_of_the_rules(seed):
    """Boxes in heaps, many equal scores, some boxes and scores that are no numbers."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 120))
    centres = 60 * rng.integers(-1, 12, (n, 2)) + rng.normal(0, 8, (n, 2))
    halves = rng.uniform(0, 60, (n, 2))
    boxes = np.hstack([centres - halves, centres + halves]).astype(np.float32)
    broken = rng.random(boxes.shape) < 0.01
    boxes[broken] = rng.choice([np.nan, np.inf, -np.inf, 3e38], broken.sum())
    scores = (rng.integers(0, 10, n) / 10).astype(np.float32)
    scores[rng.random(n) < 0.02] = np.nan
    found = select_persons(boxes, scores, SIZE, score_threshold=0.3, nms_iou=0.5)
    assert np.array_equal(np.column_stack([found.boxes_px, found.scores]), plain(boxes, scores, 0.3, 0.5))


def test_suppression_keeps_the_best_of_each_group():
    def kept(boxes: list[list[float]], iou: float) -> list[float]:
        scores = np.linspace(0.9, 0.5, len(boxes))
        found = select_persons(np.array(boxes), scores, SIZE, score_threshold=0.4, nms_iou=iou)
        return found.boxes_px[:, 0].tolist()

    boxes = [[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [2, 0, 12, 10], [20, 1, 30, 11]]
    assert kept(boxes, 0.5) == [0, 20]
    # a box is only suppressed by one that is kept: the third overlaps the second, which is gone
    assert kept([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], 0.4) == [0, 8]


def test_selection_orders_clips_and_drops_what_cannot_be_a_person():
    boxes = np.array(
        [[0, 0, 5, 9], [30, 0, 60, 20], [np.nan, 0, 5, 5], [60, 60, 70, 70], [10, 0, 15, 9], [20, 0, 20.5, 9]]
    )
    scores = np.array([0.5, 0.9, 0.99, 0.9, 0.3, 0.9])
    found = select_persons(boxes, scores, (40, 50), score_threshold=0.4, nms_iou=0.5)
    assert found.boxes_px.tolist() == [[30, 0, 40, 20], [0, 0, 5, 9]]
    assert found.scores == pytest.approx([0.9, 0.5])


def test_equal_scores_keep_their_order():
    boxes = np.array([[x, 0, x + 5, 9] for x in range(0, 100, 10)], float)
    found = select_persons(boxes, np.full(10, 0.5), (200, 50), score_threshold=0.5, nms_iou=0.5)
    assert found.boxes_px[:, 0].tolist() == list(range(0, 100, 10))


def test_the_worst_of_very_many_candidates_are_left_out():
    boxes = np.zeros((MAX_CANDIDATES + 1, 4))
    boxes[:, 2:] = 10
    boxes[-1] += 100  # apart from all others, and the last
    assert len(select_persons(boxes, np.ones(len(boxes)), SIZE, score_threshold=0.5, nms_iou=0.5)) == 1
    assert (
        len(select_persons(boxes[1:], np.ones(len(boxes) - 1), SIZE, score_threshold=0.5, nms_iou=0.5)) == 2
    )


def test_none():
    assert len(select_persons(np.empty((0, 4)), np.empty(0), SIZE, score_threshold=0.5, nms_iou=0.5)) == 0
