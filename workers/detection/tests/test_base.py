from __future__ import annotations

import numpy as np
import pytest

from workers.detection.base import pairwise_iou


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
