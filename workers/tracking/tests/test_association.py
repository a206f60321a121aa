"""Which box is whom, with all cameras at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workers.mapping.projection import PersonProjection
from workers.tracking.association import Association, _assign, _own, associate
from workers.tracking.cameras import CameraBank
from workers.tracking.settings import TrackerSettings
from workers.tracking.tests.people import NORTH, SOUTH
from workers.tracking.views import Seen, View, views_of

quick = settings(max_examples=60, deadline=None, derandomize=True)
USUAL = TrackerSettings()
PROJECTION = PersonProjection.of_map([NORTH, SOUTH], USUAL.height_m, USUAL.height_sigma_m)
BANK = CameraBank(PROJECTION, USUAL)
BOTH = np.arange(2)


def at(*places: tuple[float, float]) -> np.ndarray:
    return np.array([(x, y, 1.70) for x, y in places]).reshape(-1, 3)


def boxes_of(camera: int, people: np.ndarray) -> np.ndarray:
    return PROJECTION.figures(np.full(len(people), camera), people).boxes_px


def see(*boxes_px: np.ndarray) -> list[View]:
    """Views of the northern and the southern camera."""
    return views_of(
        BANK,
        [
            Seen(name, i, boxes, np.full(len(boxes), 0.9), np.empty((len(boxes), 0)))
            for i, (name, boxes) in enumerate(zip(("north", "south"), boxes_px, strict=False))
        ],
    )


def join(views: list[View], predicted: np.ndarray, first=None, looks=None) -> Association:
    """Associate with people who are predicted to within 20 cm and whose height is known to within 10 cm."""
    first = np.ones(len(predicted), bool) if first is None else np.array(first)
    precision = np.tile(np.diag([25.0, 25.0, 100.0]), (len(predicted), 1, 1))
    sights = BANK.sights(np.array([view.index for view in views], int), predicted)
    looks = looks or [np.zeros((len(predicted), len(view))) for view in views]
    return associate(views, sights, precision, first, looks, 1.0, USUAL)


def rows_of(found: Association) -> list[list[int]]:
    return [assigned.tolist() for assigned in found.assigned]


# -- one camera, several cameras -----------------------------------------------------------------------------


def test_everybody_gets_their_box_in_every_camera():
    people = at((-2, 11), (0, 13), (2, 12))
    found = join(see(boxes_of(0, people), boxes_of(1, people[::-1])), people + [0.1, -0.1, 0])
    assert rows_of(found) == [[0, 1, 2], [2, 1, 0]]
    assert (found.gains > 1).all()
    # and all of it says that they are where they are
    pulled = np.linalg.solve(found.information.sum(0), found.pull.sum(0)[..., None])[..., 0]
    np.testing.assert_allclose(pulled[:, :2], [[-0.1, 0.1]] * 3, atol=0.05)


def test_who_is_not_seen_has_nothing():
    people = at((-2, 11), (2, 12))
    found = join(see(boxes_of(0, people[:1]), boxes_of(1, people[:1])), people)
    assert rows_of(found) == [[0], [0]]
    assert (found.gains[:, 1] == 0).all()
    assert (found.information[:, 1] == 0).all()


# Ann turned: she is 40 cm from where she was predicted. In the north a reflection is where she was predicted.
TURNED, EXPECTED = (0.4, 12.0), (0.0, 12.0)
NORTHERN = boxes_of(0, at(EXPECTED, TURNED))


def test_one_camera_alone_believes_the_prediction():
    found = join(see(NORTHERN), at(EXPECTED))
    assert rows_of(found) == [[0, -1]]


def test_a_second_camera_resolves_what_one_camera_alone_gets_wrong():
    """The south sees her where she is, and nobody where the reflection is."""
    found = join(see(NORTHERN, boxes_of(1, at(TURNED))), at(EXPECTED))
    assert rows_of(found) == [[-1, 0], [0]]
    place = np.linalg.solve(25 * np.eye(3) + found.information.sum(0)[0], found.pull.sum(0)[0])
    assert place[0] == pytest.approx(0.4, abs=0.1)


def test_and_so_does_it_for_two():
    """Everybody 40 cm further to the right, and reflections where they were predicted."""
    expected, turned = at((-1, 12), (1, 12)), at((-0.6, 12), (1.4, 12))
    northern = boxes_of(0, np.concatenate([expected, turned]))
    assert rows_of(join(see(northern), expected)) == [[0, 1, -1, -1]]
    both = join(see(northern, boxes_of(1, turned)), expected)
    assert rows_of(both) == [[-1, -1, 0, 1], [0, 1]]


def test_no_views_no_people():
    assert rows_of(join([], at((0, 12)))) == []
    assert rows_of(join(see(boxes_of(0, at((0, 12)))), at())) == [[-1]]
    assert rows_of(join(see(np.empty((0, 4)), np.empty((0, 4))), at((0, 12)))) == [[], []]


# -- who chooses -----------------------------------------------------------------------------------------------


def test_the_confirmed_choose_first():
    """A newcomer stands exactly where the box is, somebody confirmed a little beside: it is theirs."""
    box = boxes_of(1, at((0, 12)))
    predicted = at((0.25, 12.0), (0.0, 12.0))
    views = see(np.empty((0, 4)), box)
    assert rows_of(join(views, predicted, first=[True, True]))[1] == [1]
    assert rows_of(join(views, predicted, first=[True, False]))[1] == [0]


def test_but_only_what_fits_them():
    box = boxes_of(1, at((0, 12)))
    found = join(see(np.empty((0, 4)), box), at((3, 14), (0, 12)), first=[True, False])
    assert rows_of(found) == [[], [1]]


def test_looks_decide_where_places_do_not():
    people = at((0, 12), (0.2, 12))
    views = see(np.empty((0, 4)), boxes_of(1, at((0.1, 12))))
    for mine, looks in ((0, [[3.0], [-3.0]]), (1, [[-3.0], [3.0]])):
        found = join(views, people, looks=[np.zeros((2, 0)), np.array(looks)])
        assert rows_of(found)[1] == [mine]


def test_a_box_that_repeats_another_is_nobodys():
    box = boxes_of(1, at((0, 12)))
    found = join(see(np.empty((0, 4)), np.concatenate([box, box + 1])), at((0, 12), (0.1, 12)))
    assert sorted(rows_of(found)[1])[0] == -1


# -- whatever it is --------------------------------------------------------------------------------------------

places = st.lists(st.tuples(st.floats(-4, 4), st.floats(8, 16)), max_size=6)
wild_boxes = arrays(float, st.tuples(st.integers(0, 3), st.just(4)), elements=st.floats(-100, 800))


@quick
@given(places, wild_boxes, wild_boxes, st.integers(0, 2**6 - 1), st.integers(0, 99))
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_nobody_twice_in_one_view_and_only_boxes_that_show_somebody(where, more, others, first, seed):
    people = at(*where)
    rng = np.random.default_rng(seed)
    seen = people + rng.normal(0, 0.3, people.shape) * [1, 1, 0.1]
    views = see(*(np.concatenate([boxes_of(c, seen), wild]) for c, wild in enumerate((more, others))))
    confirmed = np.array([first >> k & 1 for k in range(len(people))], bool)
    found = join(views, people, first=confirmed)
    sights = BANK.sights(BOTH, people)
    for v, (view, assigned) in enumerate(zip(views, found.assigned, strict=True)):
        rows = assigned[assigned >= 0]
        assert len(set(rows.tolist())) == len(rows)
        assert view.placed[assigned >= 0].all()
        assert np.isin(rows, sights[v].rows).all()
        without = np.setdiff1d(np.arange(len(people)), rows)
        assert (found.gains[v, without] == 0).all()
        assert (found.information[v, without] == 0).all()
    assert (found.gains >= 0).all()
    for numbers in (found.gains, found.information, found.pull):
        assert np.isfinite(numbers).all()
    again = join(views, people, first=confirmed)
    assert rows_of(again) == rows_of(found)


# -- what somebody explains alone ------------------------------------------------------------------------------

matrices = arrays(
    float,
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    elements=st.one_of(st.floats(-20, 20), st.just(-np.inf), st.integers(-3, 3).map(float)),
)


def own(values: np.ndarray, first: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each matched row explains alone, and the pairs."""
    chosen = _assign(values, np.ones(len(values), bool) if first is None else first)
    boxes = np.flatnonzero(chosen >= 0)
    return _own(values, chosen[boxes], boxes), chosen[boxes], boxes


@quick
@given(matrices, arrays(bool, 6))
def test_it_lies_between_nothing_and_the_ratio(values, first):
    gains, rows, boxes = own(values, first[: len(values)])
    assert (gains >= -1e-9).all()
    assert (gains <= values[rows, boxes] + 1e-9).all()


@quick
@given(st.lists(st.floats(0.1, 20), min_size=1, max_size=6))
def test_it_is_the_ratio_when_nobody_competes(ratios):
    values = np.full((len(ratios), len(ratios)), -5.0)
    np.fill_diagonal(values, ratios)
    gains, _, _ = own(values)
    np.testing.assert_allclose(gains, ratios)


@quick
@given(matrices, st.integers(0, 5))
def test_it_is_nothing_when_somebody_without_a_box_fits_as_well(values, which):
    """A second hypothesis of the same person: one of the two is superfluous."""
    _, rows, boxes = own(values)
    if not len(rows):
        return
    k = which % len(rows)
    twin = np.full(values.shape[1], -np.inf)
    twin[boxes[k]] = values[rows[k], boxes[k]]
    doubled = np.vstack([values, twin])
    assert _own(doubled, rows, boxes)[k] == pytest.approx(0, abs=1e-6)


def test_by_how_much_it_is_better_than_the_next():
    """The other one fits too, two nats less well, and has nothing else."""
    gains, rows, _ = own(np.array([[5.0], [3.0]]))
    assert (rows.tolist(), gains.tolist()) == ([0], [2.0])


def test_who_has_a_box_of_their_own_does_not_compete():
    """Bob fits Ann's box a little, but his own much better."""
    gains, _, _ = own(np.array([[5.0, -9.0], [3.0, 8.0]]))
    assert gains.tolist() == [5.0, 8.0]


def test_a_chain_of_second_choices():
    """Cat has no box; she would take Bob's, he would take Ann's: without Ann nearly nothing is lost."""
    gains, rows, _ = own(np.array([[5.0, -9.0], [4.0, 6.0], [-9.0, 5.5]]))
    assert rows.tolist() == [0, 1]
    # without Ann, Bob and Cat reach 4 + 5.5 of the 11; without Bob, Ann and Cat reach 5 + 5.5
    assert gains == pytest.approx([1.5, 0.5])


def brute_force(values: np.ndarray) -> float:
    """The best total of any assignment."""
    if values.size == 0:
        return 0.0
    rest = values[1:]
    best = brute_force(rest)
    for j in range(values.shape[1]):
        if values[0, j] > 0:
            best = max(best, values[0, j] + brute_force(np.delete(rest, j, axis=1)))
    return best


@quick
@given(arrays(float, st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=st.floats(-9, 9)))
def test_it_is_what_the_best_total_loses_without_that_row(values):
    """The definition, by brute force, over the boxes that were matched."""
    gains, rows, boxes = own(values)
    for gain, row in zip(gains, rows, strict=True):
        without = np.delete(values[:, boxes], row, axis=0)
        assert gain == pytest.approx(brute_force(values[:, boxes]) - brute_force(without), abs=1e-4)
