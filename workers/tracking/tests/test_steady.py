"""Boxes that are written down are boxes, whatever detector and tracker say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.tracking.steady import STEADY_S, Shown, SteadyBoxes, is_of_two, take_apart
from workers.tracking.tests.people import MODELS, World, follow, standing

W, H = 640, 360


@st.composite
def boxes(draw) -> tuple[float, ...]:
    """xyxy within the image, a pixel wide and high at least."""
    x1, y1 = draw(st.floats(0, W - 1)), draw(st.floats(0, H - 1))
    return x1, y1, draw(st.floats(x1 + 1, W)), draw(st.floats(y1 + 1, H))


def settled(
    steady: SteadyBoxes, number: int, time_s: float, box_px, figure_px, scale_px: float
) -> tuple[float, ...]:
    """The (4,) box of a track that is alone in the picture of the only camera."""
    boxes = np.array([box_px], float)
    shown = Shown(np.array([[figure_px]], float), np.array([[scale_px]], float), np.ones((1, 1), bool))
    one = np.array([0])
    steady.settle(time_s, np.array([0, 1]), one, boxes, one, np.array([number]), shown)
    return tuple(boxes[0].tolist())


@given(st.lists(st.tuples(boxes(), boxes(), st.floats(1, 2000), st.floats(-0.1, 1)), min_size=1, max_size=8))
def test_always_a_box_within_the_image(sightings):
    """Figures cut at the border or seen from above, clocks that go back."""
    steady, time_s = SteadyBoxes({"c": (W, H)}), 0.0
    for box, figure, scale_px, passed_s in sightings:
        time_s += passed_s
        x1, y1, x2, y2 = settled(steady, 7, time_s, box, figure, scale_px)
        assert 0 <= x1 < x2 <= W
        assert 0 <= y1 < y2 <= H


def test_the_first_box_of_a_track_is_the_detectors():
    steady = SteadyBoxes({"c": (W, H)})
    first = settled(steady, 1, 0.0, (10, 20, 50, 140), (14, 22, 52, 150), 128)
    assert first == pytest.approx((10, 20, 50, 140))


def test_a_jump_of_one_frame_hardly_shows_and_a_lasting_one_does():
    steady, figure = SteadyBoxes({"c": (W, H)}), (100.0, 100.0, 140.0, 220.0)
    beside = tuple(np.add(figure, (20, 0, 20, 0)))
    for k in range(10):
        settled(steady, 1, k / 10, figure, figure, 120)
    (left, *_) = settled(steady, 1, 1.0, beside, figure, 120)
    assert 100 < left < 110
    for k in range(11, 21):
        (left, *_) = settled(steady, 1, k / 10, beside, figure, 120)
    assert left == pytest.approx(120, abs=0.5)


def test_after_a_pause_the_detector_is_believed():
    steady, figure = SteadyBoxes({"c": (W, H)}), (100.0, 100.0, 140.0, 220.0)
    settled(steady, 1, 0.0, figure, figure, 120)
    beside = tuple(np.add(figure, (20, 0, 20, 0)))
    assert settled(steady, 1, 8 * STEADY_S, beside, figure, 120) == pytest.approx(beside, abs=0.1)


def test_who_stands_behind_something_is_drawn_down_to_the_feet():
    """A counter, a hedge, somebody in front: the rest of the person is there as well."""
    steady, figure = SteadyBoxes({"c": (W, H)}), (100.0, 100.0, 140.0, 220.0)
    for k in range(5):
        shown = settled(steady, 1, k / 10, (100.0, 100.0, 140.0, 170.0), figure, 120)
        assert shown == pytest.approx(figure)


def test_who_bends_is_drawn_as_high_as_they_are():
    steady, figure = SteadyBoxes({"c": (W, H)}), (100.0, 100.0, 140.0, 220.0)
    bent = (100.0, 150.0, 140.0, 220.0)
    assert settled(steady, 1, 0.0, bent, figure, 120) == pytest.approx(bent)


def test_what_reaches_beyond_the_person_is_theirs():
    """A hat, a coat, a bag: only what is missing is filled in."""
    steady, figure = SteadyBoxes({"c": (W, H)}), (100.0, 100.0, 140.0, 220.0)
    with_hat = (90.0, 80.0, 150.0, 240.0)
    assert settled(steady, 1, 0.0, with_hat, figure, 120) == pytest.approx(with_hat)


def test_it_goes_on_from_its_state_and_forgets_who_is_gone():
    steady, other = SteadyBoxes({"c": (W, H)}), SteadyBoxes({"c": (W, H)})
    figure = (100.0, 100.0, 140.0, 220.0)
    settled(steady, 1, 0.0, (110, 100, 150, 220), figure, 120)
    other.restore(steady.to_state())
    assert settled(other, 1, 0.1, figure, figure, 120) == settled(steady, 1, 0.1, figure, figure, 120)
    steady.forget(10.0)
    assert len(steady.to_state()["keys"]) == len(steady.to_state()["lies"]) == 0


def test_tracks_and_cameras_have_boxes_of_their_own():
    """Whatever the order in which they come, and with others in between."""
    figure = np.array([100.0, 100.0, 140.0, 220.0])
    together = SteadyBoxes({"a": (W, H), "b": (W, H)})
    alone = {key: SteadyBoxes({"a": (W, H), "b": (W, H)}) for key in ((0, 5), (0, 3), (1, 3), (1, 9))}
    rng = np.random.default_rng(4)
    for time_s in np.arange(6) / 10:
        boxes_px = figure + rng.uniform(-20, 20, (4, 4))
        tracks = np.array([3, 5, 9])
        shown = Shown(np.tile(figure, (2, 3, 1)), np.full((2, 3), 120.0), np.ones((2, 3), bool))
        rows, cameras, starts = np.array([1, 0, 0, 2]), np.array([0, 1]), np.array([0, 2, 4])
        lying = boxes_px.copy()
        together.settle(time_s, starts, cameras, lying, rows, tracks, shown)
        for box, mine, ((camera, number), one) in zip(boxes_px, lying, alone.items(), strict=True):
            only = box[None].copy()
            row = np.array([tracks.tolist().index(number)])
            shown_there = Shown(*(values[camera : camera + 1] for values in shown))
            one.settle(time_s, np.array([0, 1]), np.array([camera]), only, row, tracks, shown_there)
            np.testing.assert_array_equal(only[0], mine)
    assert len(together.keys) == 4


LONE = (100.0, 100.0, 140.0, 220.0)
BESIDE = (130.0, 100.0, 170.0, 220.0)


@pytest.mark.parametrize(
    ("box", "without", "of_two"),
    [
        ((100, 100, 170, 220), [BESIDE], True),
        ((100, 100, 140, 300), [(105.0, 180.0, 145.0, 300.0)], True),
        # somebody carries something
        ((100, 100, 170, 220), [], False),
        # nobody else is in the box
        ((100, 100, 170, 220), [(160.0, 100.0, 200.0, 220.0)], False),
        # not larger than its person is
        ((98, 100, 150, 220), [BESIDE], False),
    ],
)
def test_a_box_is_of_two_when_it_is_too_large_and_somebody_has_none(box, without, of_two):
    figures = np.array([LONE, *without])
    alone = np.arange(len(figures)) > 0
    assert is_of_two(np.array(box, float), figures, 0, alone) is of_two


def test_a_box_of_two_becomes_the_figure_and_teaches_nothing():
    boxes_px = np.array([(100.0, 100.0, 170.0, 220.0)])
    shown = Shown(np.array([[LONE, BESIDE]]), np.full((1, 2), 120.0), np.ones((1, 2), bool))
    rows = np.array([0])
    take_apart(np.array([0, 1]), boxes_px, rows, np.array([True, False]), shown)
    assert rows[0] == 0, "the other one is nobody yet"
    take_apart(np.array([0, 1]), boxes_px, rows, np.array([True, True]), shown)
    assert (boxes_px[0].tolist(), rows[0]) == ([*LONE], -1)


class TakenForOne(World):
    """The southern camera's detector takes two people who stand side by side for one, from the third second on."""

    def at(self, camera, instant):
        found = super().at(camera, instant)
        if camera == "south" and instant >= 30:
            (name, one, look), (_, other, _) = found
            found = [(name, np.r_[np.minimum(one, other)[:2], np.maximum(one, other)[2:]], look)]
        return found


def test_where_two_are_taken_for_one_each_is_drawn_as_wide_as_they_are():
    places = {"a": (-0.5, 12.0), "b": (0.5, 12.0)}
    rows = follow(TakenForOne({name: standing(place) for name, place in places.items()}), 6)
    figures = MODELS["south"].person_boxes(np.array([*places.values()]), 1.72)
    usual, both = np.diff(figures[:, ::2]).mean(), figures[:, 2].max() - figures[:, 0].min()
    for instant in range(32, 48):
        drawn = [row[6] for row in rows.detections + rows.bridged if (row[0], row[3]) == (instant, "south")]
        widths = np.diff(np.array(drawn)[:, ::2])
        assert len(drawn) == 2
        assert (widths < 1.3 * usual).all(), instant
    assert both > 2 * usual
