from __future__ import annotations

import numpy as np
import pytest

from workers.detection.base import letterbox, non_maximum_suppression, pairwise_iou, select_persons


@pytest.mark.parametrize(
    ("size", "fitted", "scale"),
    [
        ((100, 50), (64, 32), 0.64),
        ((50, 100), (32, 64), 0.64),
        ((16, 16), (64, 64), 4.0),
        ((1, 500), (1, 64), 0.128),
    ],
)
def test_letterbox_keeps_proportions_and_pads_right_and_below(size, fitted, scale):
    image = np.full((size[1], size[0], 3), 255, np.uint8)
    planes = np.full((3, 64, 64), np.nan, np.float32)
    assert letterbox(image, planes) == pytest.approx(scale)
    canvas = planes.transpose(1, 2, 0)
    white = np.zeros((64, 64), bool)
    white[: fitted[1], : fitted[0]] = True
    assert (canvas[white] == 255).all()
    assert (canvas[~white] == 114).all()


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1.0),
        ([0, 0, 10, 10], [5, 0, 15, 10], 1 / 3),
        ([0, 0, 10, 10], [10, 0, 20, 10], 0.0),
        ([0, 0, 0, 0], [0, 0, 0, 0], 0.0),
        ([0, 0, 10, 10], [2, 2, 7, 7], 0.25),
    ],
)
def test_iou(a, b, expected):
    assert pairwise_iou(np.array([a], float), np.array([b], float))[0, 0] == pytest.approx(expected)


def test_iou_of_none():
    assert pairwise_iou(np.empty((0, 4)), np.zeros((3, 4))).shape == (0, 3)


def test_suppression_keeps_the_best_of_each_group():
    boxes = np.array(
        [[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [2, 0, 12, 10], [20, 1, 30, 11]], float
    )
    assert non_maximum_suppression(boxes, 0.5).tolist() == [0, 2]
    # a box is only suppressed by one that is kept: the third overlaps the second, which is gone
    chain = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], float)
    assert non_maximum_suppression(chain, 0.4).tolist() == [0, 2]


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
