"""Zone polygons that people draw, and the floor plan's place on the map."""

import math

import numpy as np
import pytest

from environments.geometry import (
    FloorPlanFrame,
    clip_to_rectangle,
    inside,
    polygon_area_m2,
    polygon_label_m,
    polygon_problem,
)

SQUARE = [[0, 0], [4, 0], [4, 3], [0, 3]]


@pytest.mark.parametrize(
    "polygon",
    [
        SQUARE,
        SQUARE[::-1],
        [[0, 0], [4, 0], [0, 3]],
        [[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]],  # a notch
        [[0, 0], [2, 0], [4, 0], [4, 3]],  # a corner in the middle of a straight side
    ],
)
def test_simple_polygons_are_fine(polygon):
    assert polygon_problem(polygon) is None


@pytest.mark.parametrize(
    ("polygon", "says"),
    [
        (None, "three or more corners"),
        ([[0, 0], [1, 1]], "three or more corners"),
        ([[0, 0], [4, 3], [4, 0], [0, 3]], "crosses itself"),
        ([[0, 0], [4, 0], [4, 3], [2, 0], [0, 3]], "crosses itself"),  # touches its own side
        ([[0, 0], [4, 0], [2, 0], [2, 3]], "crosses itself"),  # folds back on itself
        ([[0, 0], [1, 0], [2, 0]], "crosses itself"),  # flat: the way back lies on the way there
        ([[0, 0], [4, 0], [4, 0], [0, 3]], "same point"),
        ([[0, 0], [4, 0], [0, 0.001]], "too thin"),
        ([[0, 0], [4, 0], [4, math.inf]], "Corner 3"),
        ([[0, 0], [4, 0], ["4", 3]], "Corner 3"),
        ([[0, 0], [4, 0], [4, 3, 1]], "Corner 3"),
        ([[0, 0], [4, 0], [True, 3]], "Corner 3"),
        ([[i, i * i] for i in range(201)], "at most 200"),
    ],
)
def test_what_is_wrong_is_said(polygon, says):
    assert says in polygon_problem(polygon)


def test_area_and_label_do_not_depend_on_direction():
    assert polygon_area_m2(SQUARE) == polygon_area_m2(SQUARE[::-1]) == 12
    assert polygon_label_m(SQUARE) == polygon_label_m(SQUARE[::-1]) == (2, 1.5)


def test_floor_plan_pixels_go_down_while_the_map_goes_up():
    frame = FloorPlanFrame(origin_m=(0, 16), pixels_per_metre=10)
    np.testing.assert_allclose(frame.to_map([[0, 0], [200, 160]]), [[0, 16], [20, 0]], atol=1e-12)


def test_a_turned_floor_plan_turns_counter_clockwise():
    frame = FloorPlanFrame(origin_m=(5, 5), pixels_per_metre=2, rotation_deg=90)
    # the image's right is the map's north, its bottom the map's east
    np.testing.assert_allclose(frame.to_map([[2, 0], [0, 2]]), [[5, 6], [6, 5]], atol=1e-12)


def test_floor_plan_there_and_back():
    frame = FloorPlanFrame(origin_m=(-3, 7), pixels_per_metre=37, rotation_deg=23.5)
    points = np.random.default_rng(1).uniform(-50, 50, (20, 2))
    np.testing.assert_allclose(frame.to_map(frame.to_image(points)), points, atol=1e-9)


def test_clipping_keeps_the_part_inside():
    clipped = clip_to_rectangle([[-1, -1], [3, -1], [3, 3], [-1, 3]], (0, 0), (2, 2))
    assert polygon_area_m2(clipped.tolist()) == pytest.approx(4)
    assert len(clip_to_rectangle([[5, 5], [6, 5], [6, 6]], (0, 0), (2, 2))) == 0
    assert len(clip_to_rectangle([], (0, 0), (2, 2))) == 0


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ((1, 1), True),
        ((3, 3), False),
        ((0, 0), True),
        ((2, 2), True),
        ((0, 2), True),
        ((4, 1), True),
        ((4.001, 1), False),
        ((-0.001, 1), False),
        ((2.5, 2.5), False),
        ((np.nan, 1), False),
        ((1e9, 1e9), False),
    ],
)
def test_inside_an_l_shaped_zone(position, expected):
    corners = [[0, 0], [4, 0], [4, 2], [2, 2], [2, 4], [0, 4]]
    for polygon in (corners, corners[::-1]):
        assert inside(polygon, np.array([position])).tolist() == [expected]


def test_many_positions_at_once():
    square = [[0, 0], [1, 0], [1, 1], [0, 1]]
    assert inside(square, np.array([[0.5, 0.5], [2, 2], [1, 1]])).tolist() == [True, False, True]
    assert inside(square, np.empty((0, 2))).tolist() == []


def test_large_coordinates_keep_their_centimetres():
    """National grids count in hundreds of kilometres."""
    x, y = 2_683_000.0, 1_247_000.0
    square = [[x, y], [x + 4, y], [x + 4, y + 4], [x, y + 4]]
    positions = np.array([[x + 3.9, y + 1], [x + 4.1, y + 1]])
    assert inside(square, positions).tolist() == [True, False]


def test_positions_on_a_slanted_side_of_a_large_map_are_inside():
    x, y = 2_683_000.0, 1_247_000.0
    triangle = [[x, y], [x + 3, y + 1], [x, y + 2]]
    on_sides = [[x + 3 * share, y + share] for share in np.linspace(0, 1, 7)]
    assert inside(triangle, on_sides).all()
    assert not inside(triangle, np.array(on_sides) + [1e-3, 0]).any()
