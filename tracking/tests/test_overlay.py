"""What is drawn onto pictures."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest

from tracking.overlay import DrawnZone, LabelledBox, Scene, blur, draw
from tracking.overlay_style import OverlayStyle, bgr
from tracking.person_colours import colour_of

ADA = UUID("a9f1c0de-0000-4000-8000-000000000001")
BOB = UUID("0b0b0b0b-0000-4000-8000-000000000002")
HERE, THERE = (100, 100, 200, 300), (400, 100, 500, 300)
BARE = OverlayStyle(boxes=False, labels=False)


def black(height=360, width=640):
    return np.zeros((height, width, 3), np.uint8)


def noise():
    return np.random.default_rng(5).integers(0, 256, (360, 640, 3), np.uint8)


def drawn(scene, style=None, image=None) -> np.ndarray:
    image = black() if image is None else image
    draw(image, scene, style or OverlayStyle())
    return image


def boxed(*boxes, **fields) -> Scene:
    return Scene([LabelledBox(person, box) for person, box in boxes], **fields)


def colour_at(image, x, y) -> tuple[int, ...]:
    """The strongest colour within a pixel: lines are smoothed."""
    around = image[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].reshape(-1, 3).astype(int)
    return tuple(around[around.sum(1).argmax()])


def looks_like(colour, expected) -> bool:
    return np.abs(np.subtract(colour, expected)).max() < 30


# -- boxes and names -----------------------------------------------------------------------------------------


def test_a_box_is_drawn_where_the_person_is():
    image = drawn(boxed((ADA, HERE)))
    for x, y in ((100, 200), (200, 200), (150, 100), (150, 300)):
        assert looks_like(colour_at(image, x, y), colour_of(ADA)), (x, y)
    assert not image[150:290, 110:190].any(), "the person stays visible"
    assert not image[:, 260:].any()


def test_the_name_stands_above_the_box():
    image = drawn(boxed((ADA, HERE)), OverlayStyle(boxes=False))
    tag = image[88:100, 100:130]
    assert looks_like(tag[-1, 1], colour_of(ADA))
    assert (tag.max(2) < 60).any(), "dark letters"
    assert not image[100:].any()


@pytest.mark.parametrize(
    "box", [(-30, -20, 30, 200), (610, -5, 700, 90), (580, 200, 639, 380), (-5, 330, 8, 420)]
)
def test_names_are_not_cut_off_at_the_edges(box):
    inside = drawn(boxed((ADA, HERE)), OverlayStyle(boxes=False))
    at_the_edge = drawn(boxed((ADA, box)), OverlayStyle(boxes=False))
    assert np.count_nonzero(at_the_edge) == np.count_nonzero(inside)


def test_names_of_people_side_by_side_do_not_cover_each_other():
    near = boxed((ADA, HERE), (BOB, (110, 100, 210, 295)))
    image = drawn(near, OverlayStyle(boxes=False))
    one = np.count_nonzero(drawn(boxed((ADA, HERE)), OverlayStyle(boxes=False)).any(2))
    assert np.count_nonzero(image.any(2)) == pytest.approx(2 * one, rel=0.05)


@pytest.mark.parametrize(("style", "any_box", "any_name"), [
    (OverlayStyle(labels=False), True, False), (OverlayStyle(boxes=False), False, True), (BARE, False, False),
])  # fmt: skip
def test_only_what_the_style_asks_for_is_drawn(style, any_box, any_name):
    image = drawn(boxed((ADA, HERE)), style)
    assert (image[150:250, 99:101].any(), image[85:96, 105:150].any()) == (any_box, any_name)


def test_nothing_to_draw_changes_nothing():
    assert not drawn(Scene()).any()


def test_nearer_people_are_drawn_on_top():
    """Whose feet are lower in the picture is nearer."""
    far, near = (BOB, (100, 100, 200, 250)), HERE
    for order in ([far, (ADA, near)], [(ADA, near), far]):
        assert looks_like(colour_at(drawn(boxed(*order)), 100, 200), colour_of(ADA))


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
@pytest.mark.parametrize("style", [OverlayStyle(), OverlayStyle(blur="everyone")])
def test_boxes_may_reach_outside_the_picture(box, style):
    assert drawn(boxed((ADA, box), focus=ADA), style).shape == (360, 640, 3)


def test_lines_follow_the_size_of_the_picture_and_the_thickness():
    def line_px(height, style):
        image = black(height, height * 16 // 9)
        draw(image, boxed((ADA, (0.2 * height, 0.2 * height, 0.6 * height, 0.9 * height))), style)
        return np.count_nonzero(image[height // 2, : 2 * height // 5].any(1))

    assert line_px(1080, OverlayStyle()) > line_px(90, OverlayStyle()) >= 1
    assert line_px(720, OverlayStyle(thickness=3)) > line_px(720, OverlayStyle())


def test_one_colour_for_all():
    image = drawn(boxed((ADA, HERE), (BOB, THERE)), OverlayStyle(colour="#10c0f0"))
    assert colour_at(image, 100, 200) == colour_at(image, 400, 200) == bgr("#10c0f0")


# -- the focused person --------------------------------------------------------------------------------------


def test_the_focused_person_stands_out():
    white = np.full((360, 640, 3), 200, np.uint8)
    image = drawn(boxed((ADA, HERE), (BOB, THERE), focus=ADA), OverlayStyle(highlight_strength=1), white)
    assert looks_like(colour_at(image, 100, 200), bgr(OverlayStyle().highlight_colour))
    assert (image[200, 150] == 200).all(), "the person is as bright as before"
    assert image[200, 450].max() == image[350, 20].max() == 50, "a quarter of the light is left elsewhere"


def test_without_strength_nothing_is_darkened():
    white = np.full((360, 640, 3), 200, np.uint8)
    image = drawn(boxed((ADA, HERE), focus=ADA), OverlayStyle(highlight_strength=0), white)
    assert (image[350, 20] == 200).all()


def test_where_the_focused_person_is_not_seen_the_picture_stays_bright():
    white = np.full((360, 640, 3), 200, np.uint8)
    assert (drawn(boxed((BOB, THERE), focus=ADA), OverlayStyle(), white)[350, 20] == 200).all()


# -- privacy -------------------------------------------------------------------------------------------------


def detail(part: np.ndarray) -> float:
    """How much neighbouring pixels differ: what a face is recognised by."""
    return float(np.abs(np.diff(part.astype(int), axis=1)).mean())


def inner(image, box):
    x1, y1, x2, y2 = box
    return image[y1:y2, x1:x2]


@pytest.mark.parametrize(
    ("blurred", "focus", "hidden"),
    [
        ("nobody", ADA, {HERE: False, THERE: False}),
        ("others", ADA, {HERE: False, THERE: True}),
        ("others", None, {HERE: True, THERE: True}),
        ("everyone", ADA, {HERE: True, THERE: True}),
    ],
)
def test_blurring_hides_whom_it_should(blurred, focus, hidden):
    style = OverlayStyle(boxes=False, labels=False, blur=blurred, highlight_strength=0)
    before = noise()
    after = drawn(boxed((ADA, HERE), (BOB, THERE), focus=focus), style, before.copy())
    for box, is_hidden in hidden.items():
        assert (detail(inner(after, box)) < 0.03 * detail(inner(before, box))) == is_hidden, box
    assert (after[:, 250:350] == before[:, 250:350]).all(), "what is beside people stays"


def test_what_is_blurred_cannot_be_told_apart():
    """Two different people on the same background leave almost the same patches."""
    pictures = []
    for seed in (1, 2):
        image = np.full((360, 640, 3), 128, np.uint8)
        image[100:300, 100:200] = np.random.default_rng(seed).integers(0, 256, (200, 100, 3), np.uint8)
        blur(image, [LabelledBox(ADA, HERE)])
        pictures.append(image.astype(int))
    assert np.abs(pictures[0] - pictures[1]).max() < 20


def test_somebody_behind_the_focused_person_stays_hidden():
    style = OverlayStyle(boxes=False, labels=False, blur="others", highlight_strength=0)
    image = drawn(boxed((ADA, HERE), (BOB, (150, 80, 260, 250)), focus=ADA), style, noise())
    assert detail(image[90:240, 150:200]) < 3
    assert detail(image[260:300, 100:200]) > 50


# -- ways and zones ------------------------------------------------------------------------------------------


def test_ways_end_brighter_than_they_begin():
    way = np.column_stack([np.linspace(20, 620, 80), np.full(80, 180.0)])
    image = drawn(Scene(trails_px={ADA: [way]}), BARE)
    begin, end = image[170:190, 30:60].max(), image[170:190, 580:610].max()
    assert 0 < begin < end
    assert not image[:150].any()


def test_a_zone_is_tinted_outlined_and_named():
    zone = DrawnZone("Door", "restricted", np.array([[300.0, 100], [600, 100], [600, 300], [300, 300]]))
    grey = np.full((360, 640, 3), 100, np.uint8)
    image = drawn(Scene(zones=[zone]), OverlayStyle(zones=True), grey)
    b, _, r = image[150, 350].astype(int)
    assert r > 110 > b, "a little red"
    assert looks_like(colour_at(image, 300, 250), bgr("#ff7b72"))
    assert image[190:210, 420:480].min() < 40, "a dark tag with the name in the middle"
    assert (image[50, 50] == 100).all()
    assert (drawn(Scene(zones=[zone]), OverlayStyle(), np.full((360, 640, 3), 100, np.uint8)) == 100).all()
