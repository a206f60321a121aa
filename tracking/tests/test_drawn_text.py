"""Names on pictures."""

from __future__ import annotations

import numpy as np
import pytest

from tracking.drawn_text import draw_tag, place_tag, tag_size, text_mask


@pytest.mark.parametrize("height", [6, 8, 11, 20, 40])
def test_letters_are_as_high_as_asked_for_and_smooth(height):
    mask = text_mask("P-A9F1", height)
    assert mask.shape[0] == pytest.approx(height * 1.15, abs=2)
    assert mask.max() > 180
    assert len(np.unique(mask)) > 8, "smooth edges have many shades"


def test_accents_are_left_out_and_nothing_is_ever_empty():
    assert (text_mask("Süd", 12) == text_mask("Sud", 12)).all()
    assert text_mask("中", 12).any()


@pytest.mark.parametrize("at", [(-40, -40), (630, 350), (100, 100), (0, 400)])
def test_a_tag_lies_within_the_picture(at):
    image = np.zeros((360, 640, 3), np.uint8)
    draw_tag(image, "P-A9F1", at, 11, (90, 200, 90))
    width, height = tag_size("P-A9F1", 11)
    assert np.count_nonzero(image.any(2)) == width * height


def test_a_picture_smaller_than_its_tag_is_filled():
    image = np.zeros((8, 10, 3), np.uint8)
    draw_tag(image, "P-A9F1", (0, 0), 11, (90, 200, 90))
    assert image.any()


PICTURE = (640, 360)


@pytest.mark.parametrize(
    ("box", "taken", "corner"),
    [
        ((100, 100, 200, 300), [], (100, 80)),
        ((100, 100, 200, 300), [(90, 75, 170, 98)], (100, 300)),
        ((100, 5, 200, 300), [], (100, 300)),
        ((100, 5, 200, 360), [], (100, 5)),
        ((600, 100, 700, 300), [], (580, 80)),
    ],
)
def test_tags_go_above_or_where_there_is_room(box, taken, corner):
    x1, y1, x2, y2 = place_tag((60, 20), box, taken, PICTURE)
    assert (x1, y1) == corner
    assert (x2 - x1, y2 - y1) == (60, 20)


def test_where_nothing_is_free_the_least_is_covered():
    taken = [(0, 0, 640, 250), (0, 250, 640, 360)]
    assert place_tag((60, 20), (100, 100, 200, 300), taken, PICTURE)[0] in range(640)
