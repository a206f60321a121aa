from __future__ import annotations

import numpy as np
import pytest

from workers.reid.crops import crop_persons, unit_rows, whole_pixel_boxes


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([2.2, 3.9, 7.1, 8.0], [2, 3, 8, 8]),
        ([-5, -9, 4, 6], [0, 0, 4, 6]),
        ([15, 5, 99, 99], [15, 5, 20, 10]),
        ([30, 30, 40, 40], [19, 9, 20, 10]),  # below and to the right of the image
        ([-30, -30, -20, -20], [0, 0, 1, 1]),
        ([5, 5, 5, 5], [5, 5, 6, 6]),
        ([8, 8, 3, 3], [8, 8, 9, 9]),  # corners swapped
        ([np.nan, 0, np.nan, 9], [0, 0, 1, 9]),
        ([-np.inf, -np.inf, np.inf, np.inf], [0, 0, 20, 10]),
    ],
)
def test_every_box_becomes_at_least_a_pixel_of_the_image(box, expected):
    assert whole_pixel_boxes(np.array([box]), width=20, height=10).tolist() == [expected]


def test_crops_show_what_the_boxes_hold():
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:30, 20:30] = (10, 20, 200)
    crops = crop_persons(image, np.array([[20, 10, 30, 30], [0, 0, 10, 10]]), (8, 16))
    assert crops.shape == (2, 16, 8, 3)
    assert (crops[0] == (10, 20, 200)).all()
    assert (crops[1] == 0).all()


def test_no_boxes_no_crops():
    assert crop_persons(np.zeros((4, 4, 3), np.uint8), np.empty((0, 4)), (8, 16)).shape == (0, 16, 8, 3)


def test_unit_rows_never_divide_by_nothing():
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]]))
    assert rows.dtype == np.float32
    assert rows == pytest.approx(np.array([[0.6, 0.8], [1, 0], [1, 0], [1, 0]]))
