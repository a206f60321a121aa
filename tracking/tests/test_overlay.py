"""Boxes drawn onto pictures."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.overlay import LabelledBox, colour_of, draw_boxes, short_name

ADA = UUID("a9f1c0de-0000-4000-8000-000000000001")
BOB = UUID("0b0b0b0b-0000-4000-8000-000000000002")


def black(height=360, width=640):
    return np.zeros((height, width, 3), np.uint8)


def drawn_in(image, x, y) -> tuple[int, ...]:
    """The strongest colour within a pixel: lines are smoothed."""
    around = image[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].reshape(-1, 3).astype(int)
    return tuple(around[around.sum(1).argmax()])


def looks_like(colour, person) -> bool:
    return np.abs(np.subtract(colour, colour_of(person))).max() < 30


def test_a_person_has_one_colour_and_one_name():
    assert colour_of(ADA) == colour_of(UUID(str(ADA)))
    assert colour_of(ADA) != colour_of(BOB)
    assert short_name(ADA) == "P-A9F1"


@given(st.uuids())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_colours_are_bright_enough_for_dark_names(person):
    b, g, r = colour_of(person)
    assert all(0 <= value <= 255 for value in (b, g, r))
    assert 0.114 * b + 0.587 * g + 0.299 * r > 60


def test_a_box_is_drawn_where_the_person_is():
    image = black()
    draw_boxes(image, [LabelledBox(ADA, (100, 100, 200, 300))])
    for x, y in ((100, 200), (200, 200), (150, 100), (150, 300)):
        assert looks_like(drawn_in(image, x, y), ADA), (x, y)
    assert not image[150:290, 110:190].any(), "the person stays visible"
    assert not image[:, 260:].any()


def test_nothing_to_draw_changes_nothing():
    image = black()
    draw_boxes(image, [])
    assert not image.any()


def test_nearer_people_are_drawn_on_top():
    """Whose feet are lower in the picture is nearer."""
    far, near = LabelledBox(BOB, (100, 100, 200, 250)), LabelledBox(ADA, (100, 100, 200, 300))
    for order in ([far, near], [near, far]):
        image = black()
        draw_boxes(image, order)
        assert looks_like(drawn_in(image, 100, 200), ADA)


@pytest.mark.parametrize(
    "box",
    [
        (-50, -80, 30, 40),
        (600, 300, 900, 500),
        (-10, -10, 700, 400),
        (10, 10, 10, 10),
        (5, 0, 40, 8),
        (-99, -99, -9, -9),
    ],
)
def test_boxes_may_reach_outside_the_picture(box):
    image = black()
    draw_boxes(image, [LabelledBox(ADA, box)])
    assert image.shape == (360, 640, 3)


def test_small_pictures_get_finer_lines():
    large, small = black(1080, 1920), black(90, 160)
    draw_boxes(large, [LabelledBox(ADA, (300, 300, 600, 900))])
    draw_boxes(small, [LabelledBox(ADA, (25, 25, 50, 75))])
    assert np.count_nonzero(large[600, 250:350].any(1)) > np.count_nonzero(small[50, 20:30].any(1)) >= 1
