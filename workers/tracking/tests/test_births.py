"""Where nobody is tracked yet: boxes of several cameras that agree on a place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from calibration import CameraModel
from calibration.tests.cameras import SIZE, looking_at_ground
from workers.mapping.projection import PersonProjection
from workers.tracking.births import newcomers
from workers.tracking.cameras import CameraBank
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import SimilarityScale
from workers.tracking.tests.people import NORTH, SOUTH, looks
from workers.tracking.views import Boxes, Seen

quick = settings(max_examples=60, deadline=None, derandomize=True)
USUAL = TrackerSettings()
PROJECTION = PersonProjection.of_map([NORTH, SOUTH], USUAL.height_m, USUAL.height_sigma_m)
BANK = CameraBank(PROJECTION, USUAL)
CAMERA_NORTH, CAMERA_SOUTH = 0, 1
NOTHING = np.empty((0, 4))


def at(*places: tuple[float, float]) -> np.ndarray:
    return np.array([(x, y, 1.70) for x, y in places]).reshape(-1, 3)


def boxes_of(camera: int, *places: tuple[float, float]) -> np.ndarray:
    return PROJECTION.figures(np.full(len(places), camera), at(*places)).boxes_px


def view(camera: int, boxes_px: np.ndarray, score: float = 0.9, embeddings: np.ndarray | None = None) -> Seen:
    embeddings = np.empty((len(boxes_px), 0)) if embeddings is None else embeddings
    scores = np.full(len(boxes_px), score)
    return Seen(("north", "south")[camera], camera, boxes_px, scores, embeddings)


@dataclass
class Newborn:
    """One of the newcomers; `boxes` are (view, box) that show them."""

    person: np.ndarray
    covariance: np.ndarray
    evidence: float
    boxes: list[tuple[int, int]]


def alike(views: list[Seen]) -> np.ndarray:
    """What the usual scale says of how similar boxes look (nats)."""
    count = sum(len(view) for view in views)
    embeddings = [view.embeddings for view in views if view.embeddings.shape[1]]
    if not embeddings:
        return np.zeros((count, count))
    rows = np.concatenate(embeddings)
    return SimilarityScale().log_ratio(rows @ rows.T)


def born(
    *views: Seen, known: np.ndarray | None = None, assigned=None, bank: CameraBank = BANK
) -> list[Newborn]:
    known = at() if known is None else known
    views = list(views)
    boxes = Boxes.of(bank, views, bank.settings)
    assigned = np.concatenate([np.empty(0, int), *(assigned or [np.full(len(view), -1) for view in views])])
    cameras = np.array([view.index for view in views], int)
    # each proposal by itself: several may be one and the same person
    proposed = bank.sights(cameras, boxes.persons, np.arange(len(assigned) + 1))
    found = newcomers(
        boxes, proposed, bank.sights(cameras, known), np.arange(len(known)), known, assigned, alike(views),
        bank.rates()[cameras], 1.0, bank.settings,
    )  # fmt: skip
    assert len(found) == len(found.persons) == len(found.covariances) == len(found.boxes)
    return [
        Newborn(*rest, [(v, int(box - boxes.starts[v])) for v, box in enumerate(row) if box >= 0])
        for *rest, row in zip(*found, strict=True)
    ]


# -- agreement -----------------------------------------------------------------------------------------------


def test_two_cameras_that_agree_see_one_newcomer():
    (ann,) = born(
        view(CAMERA_NORTH, boxes_of(CAMERA_NORTH, (1, 12))),
        view(CAMERA_SOUTH, boxes_of(CAMERA_SOUTH, (1, 12))),
    )
    assert sorted(ann.boxes) == [(0, 0), (1, 0)]
    assert ann.person == pytest.approx([1, 12, 1.7], abs=0.05)
    assert (np.linalg.eigvalsh(ann.covariance) > 0).all()


def test_two_know_more_than_one():
    north, south = (view(c, boxes_of(c, (1, 12))) for c in (CAMERA_NORTH, CAMERA_SOUTH))
    (by_both,), (by_one,) = born(north, south), born(south)
    assert by_both.evidence > by_one.evidence > 0
    assert np.trace(by_both.covariance) < np.trace(by_one.covariance)


def test_three_newcomers_at_once():
    places = (-2, 11), (0, 13), (2, 12)
    found = born(
        view(CAMERA_NORTH, boxes_of(CAMERA_NORTH, *places)),
        view(CAMERA_SOUTH, boxes_of(CAMERA_SOUTH, *places[::-1])),
    )
    assert sorted(sorted(b.boxes) for b in found) == [[(0, 0), (1, 2)], [(0, 1), (1, 1)], [(0, 2), (1, 0)]]


def test_boxes_in_two_places_are_not_one_person():
    found = born(
        view(CAMERA_NORTH, boxes_of(CAMERA_NORTH, (-2, 11))),
        view(CAMERA_SOUTH, boxes_of(CAMERA_SOUTH, (2, 13))),
    )
    assert all(len(b.boxes) == 1 for b in found)


def test_who_looks_different_is_not_the_same():
    """The place agrees roughly; the clothes do not at all."""
    ann, bob = looks(2)[:1], -looks(2)[1:]
    seen = [(CAMERA_NORTH, (1.0, 12.0)), (CAMERA_SOUTH, (1.6, 12.0))]
    same = born(*(view(c, boxes_of(c, place), embeddings=ann) for c, place in seen))
    different = born(
        *(
            view(c, boxes_of(c, place), embeddings=look)
            for (c, place), look in zip(seen, (ann, bob), strict=True)
        )
    )
    assert max(len(b.boxes) for b in same) == 2
    assert max((len(b.boxes) for b in different), default=1) == 1


# -- silence -------------------------------------------------------------------------------------------------


def test_a_silent_camera_that_should_see_speaks_against():
    south = view(CAMERA_SOUTH, boxes_of(CAMERA_SOUTH, (1, 12)))
    (without,) = born(south)
    with_silence = born(view(CAMERA_NORTH, NOTHING), south)
    assert not with_silence or with_silence[0].evidence < without.evidence - 1


def test_a_silent_camera_that_cannot_see_says_nothing():
    """Behind the northern camera."""
    place = (0.0, 26.0)
    south = view(CAMERA_SOUTH, boxes_of(CAMERA_SOUTH, place))
    assert not BANK.sights(np.array([CAMERA_NORTH]), Boxes.of(BANK, [south], USUAL).persons).inside.any()
    (without,), (with_silence,) = born(south), born(view(CAMERA_NORTH, NOTHING), south)
    assert with_silence.evidence == without.evidence


def test_silence_about_somebody_hidden_says_less():
    """A known person stands in front of the newcomer, as the silent northern camera sees them."""
    south = view(CAMERA_SOUTH, boxes_of(CAMERA_SOUTH, (0, 10.0)))
    silent = view(CAMERA_NORTH, NOTHING)
    in_front = at((0, 11.5))
    hidden, in_view = born(silent, south, known=in_front), born(silent, south)
    assert len(hidden) == 1
    assert not in_view or in_view[0].evidence < hidden[0].evidence - 0.5


# -- who is not born -----------------------------------------------------------------------------------------


def both(place: tuple[float, float], score: float = 0.9) -> list[Seen]:
    return [view(c, boxes_of(c, place), score) for c in (CAMERA_NORTH, CAMERA_SOUTH)]


def test_nobody_is_born_within_somebody_confirmed():
    assert born(*both((1, 12)), known=at((1.0, 12.0))) == []
    assert born(*both((1, 12)), known=at((1.1, 12.1))) == []
    assert len(born(*both((1, 12)), known=at((2.0, 12.0)))) == 1


def test_boxes_that_are_somebodys_make_nobody():
    views = both((1, 12))
    assert born(*views, assigned=[np.array([0]), np.array([0])], known=at((3, 14))) == []
    found = born(*views, assigned=[np.array([0]), np.array([-1])], known=at((3, 14)))
    assert all(b.boxes == [(1, 0)] for b in found)


def test_doubtful_boxes_start_nobody_but_support():
    """Below `start_score` a box proposes nobody; beside a good box of another camera it counts."""
    assert born(*both((1, 12), score=USUAL.start_score - 0.01)) == []
    good, doubtful = both((1, 12))[0], both((1, 12), score=USUAL.start_score - 0.01)[1]
    (ann,) = born(good, doubtful)
    assert sorted(ann.boxes) == [(0, 0), (1, 0)]


def test_at_the_upper_border_most_of_somebody_must_be_inside():
    """What ends at a hedge there looks like legs of somebody further away."""
    steep = CameraModel.from_projection(looking_at_ground(tilt_deg=40.0), SIZE)
    projection = PersonProjection.of_map([steep], USUAL.height_m, USUAL.height_sigma_m)

    def found(distance_m: float, settings: TrackerSettings = USUAL) -> list[Newborn]:
        bank = CameraBank(projection, settings)
        figure = projection.figures(np.zeros(1, int), at((0.0, distance_m)))
        assert figure.boxes_px[0, 1] == 0
        return born(view(0, figure.boxes_px), bank=bank)

    assert len(found(10.0)) == 1  # three quarters
    assert found(12.0) == []  # a third
    assert len(found(12.0, TrackerSettings(birth_share=0.1))) == 1


def test_nothing_seen_nobody_born():
    assert born() == []
    assert born(view(CAMERA_NORTH, NOTHING), view(CAMERA_SOUTH, NOTHING)) == []


# -- whatever the boxes are ----------------------------------------------------------------------------------

places = st.lists(st.tuples(st.floats(-4, 4), st.floats(8, 16)), max_size=5)
wild_boxes = arrays(float, st.tuples(st.integers(0, 3), st.just(4)), elements=st.floats(-100, 800))


@quick
@given(places, wild_boxes, wild_boxes)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_every_box_makes_at_most_one_person(where, more, others):
    views = [view(c, np.concatenate([boxes_of(c, *where), wild])) for c, wild in enumerate((more, others))]
    found = born(*views)
    used = [box for newborn in found for box in newborn.boxes]
    assert len(set(used)) == len(used)
    boxes = Boxes.of(BANK, views, USUAL)
    assert all(boxes.usable[boxes.starts[v] + j] for v, j in used)
    for newborn in found:
        # at most one box of each camera
        assert len({v for v, _ in newborn.boxes}) == len(newborn.boxes)
        assert newborn.evidence > 0
        assert np.isfinite([*newborn.person, newborn.evidence]).all()
        assert (np.linalg.eigvalsh(newborn.covariance) > 0).all()
