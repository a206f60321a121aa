"""Which box is whom, with all cameras at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workers.mapping.projection import PersonProjection
from workers.tracking.assignment import all_candidates, assign_all, own_gains
from workers.tracking.association import explain, search
from workers.tracking.cameras import CameraBank, Sights
from workers.tracking.likelihood import BoxModel
from workers.tracking.pairs import Pairs, pair_up
from workers.tracking.saying import Crowd
from workers.tracking.settings import TrackerSettings
from workers.tracking.tests.people import NORTH, SOUTH
from workers.tracking.views import Boxes, Seen

quick = settings(max_examples=60, deadline=None, derandomize=True)
USUAL = TrackerSettings()
MODEL = BoxModel.of(USUAL)
PROJECTION = PersonProjection.of_map([NORTH, SOUTH], USUAL.height_m, USUAL.height_sigma_m)
BANK = CameraBank(PROJECTION, USUAL)
# people are predicted to within 20 cm and their height is known to within 10 cm
SIGMA_M = np.array([0.2, 0.2, 0.1])


def at(*places: tuple[float, float]) -> np.ndarray:
    return np.array([(x, y, 1.70) for x, y in places]).reshape(-1, 3)


def boxes_of(camera: int, people: np.ndarray) -> np.ndarray:
    return PROJECTION.figures(np.full(len(people), camera), people).boxes_px


def see(*boxes_px: np.ndarray) -> list[Seen]:
    """What the northern and the southern camera see."""
    return [
        Seen(name, i, boxes, np.full(len(boxes), 0.9), np.empty((len(boxes), 0)))
        for i, (name, boxes) in enumerate(zip(("north", "south"), boxes_px, strict=False))
    ]


class Search(NamedTuple):
    """What a search goes by."""

    boxes: Boxes
    sights: Sights
    crowd: Crowd
    looks: np.ndarray

    @classmethod
    def of(
        cls, views: list[Seen], predicted: np.ndarray, first=None, looks=None, starts=None, exists=0.98
    ) -> Search:
        """Among people who are predicted there; `starts` says where each hypothesis' people begin."""
        n, boxes = len(predicted), Boxes.of(BANK, views, USUAL)
        starts = np.array([0, n] if starts is None else starts)
        crowd = Crowd(
            starts=starts,
            precision=np.tile(np.diag(1 / SIGMA_M**2), (n, 1, 1)),
            first=np.ones(n, bool) if first is None else np.array(first, bool),
            exists=np.full(n, exists),
        )
        looks = np.concatenate([np.zeros((n, 0)), *(looks or [np.zeros((n, len(v))) for v in views])], 1)
        sights = BANK.sights(boxes.cameras, predicted, starts)
        return cls(boxes, sights, crowd, looks)

    def given(self) -> tuple[Boxes, Sights, Crowd, Pairs]:
        pairs = pair_up(self.boxes, self.sights, self.crowd, MODEL)
        chances = pairs.chances + self.looks[pairs.people, pairs.boxes]
        return self.boxes, self.sights, self.crowd, pairs._replace(chances=chances)

    def __call__(self, count: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """(H, R, M) assignments and (H, R) scores, from the prediction and other starts, `count` in all."""
        chance = np.random.default_rng(seed).normal(size=(count, len(self.looks), 3))
        return search(*self.given(), chance * SIGMA_M, 1.0, USUAL.sweeps, USUAL.exchange_nats, MODEL)

    def alone(self, i: int, assigned: np.ndarray) -> tuple[np.ndarray, float]:
        """What is found of one person, as visible as among the others, if all boxes but theirs are nobody's."""
        only = self.boxes._replace(usable=self.boxes.usable & (assigned == i))
        crowd = Crowd(np.array([0, 1]), *(values[[i]] for values in self.crowd[1:]))
        found, scores = Search(only, self.sights.take(np.array([i])), crowd, self.looks[[i]])()
        return np.where(found[0, 0] == 0, i, -1), scores[0, 0]


class Found(NamedTuple):
    """V views, n persons: for each view (m,) the row of every box or -1; the rest as in `Told`; one score."""

    assigned: list[np.ndarray]
    information: np.ndarray
    pull: np.ndarray
    gains: np.ndarray
    score: float


def join(views: list[Seen], predicted: np.ndarray, first=None, looks=None, count: int = 1) -> Found:
    """The best of one hypothesis."""
    given = Search.of(views, predicted, first, looks)
    assigned, scores = given(count)
    told = explain(*given.given(), assigned[:, 0], 1.0, MODEL)
    by_view = given.boxes.split(assigned[0, 0]) if views else []
    for v, rows in enumerate(by_view):
        # both say whose a box is
        for i in range(len(predicted)):
            mine = np.flatnonzero(rows == i) + given.boxes.starts[v]
            assert told.boxes[v, i] == (mine[0] if len(mine) else -1)
    return Found(by_view, told.information, told.pull, told.gains, scores[0, 0])


def rows_of(found: Found) -> list[list[int]]:
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
    given = Search.of(views, people)
    usable, inside = given.boxes.split(given.boxes.usable), given.sights.inside
    for v, assigned in enumerate(found.assigned):
        rows = assigned[assigned >= 0]
        assert len(set(rows.tolist())) == len(rows)
        assert usable[v][assigned >= 0].all()
        assert inside[v, rows].all()
        without = np.setdiff1d(np.arange(len(people)), rows)
        assert (found.gains[v, without] == 0).all()
        assert (found.information[v, without] == 0).all()
    assert (found.gains >= 0).all()
    for numbers in (found.gains, found.information, found.pull):
        assert np.isfinite(numbers).all()
    again = join(views, people, first=confirmed)
    assert rows_of(again) == rows_of(found)


# -- exchanged ------------------------------------------------------------------------------------------------


def test_two_who_are_close_may_have_exchanged_everything():
    """Every box alone is against it, in every camera: no start leads there."""
    people = at((-0.2, 12.0), (0.2, 12.0))
    given = Search.of(see(boxes_of(0, people), boxes_of(1, people)), people)
    assigned, scores = given(2)
    assert assigned[0].tolist() == [[0, 1, 0, 1], [1, 0, 1, 0]]
    assert scores[0, 0] > scores[0, 1] > scores[0, 0] - 20


def test_with_a_single_start_it_may_be_what_is_found():
    assert rows_of(join(CLOSE, MIXED_UP, looks=LOOKS)) == [[0, 1], [0, 1]]


def test_people_out_of_each_others_reach_have_not():
    people = at((-3.0, 12.0), (3.0, 12.0))
    assigned, scores = Search.of(see(boxes_of(0, people), boxes_of(1, people)), people)(4)
    assert assigned[0, 0].tolist() == [0, 1, 0, 1]
    assert (scores[0, 1:] == -np.inf).all()


# -- starts elsewhere ------------------------------------------------------------------------------------------

# Ann and Bob stand 60 cm apart, and the prediction has mixed them up. Only the south can tell them by their looks.
ANN, BOB = (-0.3, 12.0), (0.3, 12.0)
MIXED_UP = at((0.05, 12.0), (-0.05, 12.0))
CLOSE = see(boxes_of(0, at(ANN, BOB)), boxes_of(1, at(ANN, BOB)))
LOOKS = [np.zeros((2, 2)), np.array([[2.0, -2.0], [-2.0, 2.0]])]
# with a third between them they are mixed up in a circle, which no exchange of two puts right
TRIO = at((-0.45, 12.0), (0.0, 12.0), (0.45, 12.0))
IN_A_CIRCLE = at((0.05, 12.0), (-0.05, 12.0), (0.0, 12.0))
CROWDED = see(boxes_of(0, TRIO), boxes_of(1, TRIO))
LOOKS_OF_THREE = [np.zeros((3, 3)), 4.0 * np.eye(3) - 2.0]


def test_starting_from_the_prediction_alone_the_first_camera_misleads_the_second():
    assert rows_of(join(CROWDED, IN_A_CIRCLE, looks=LOOKS_OF_THREE)) == [[1, 0, 2], [1, 0, 2]]


def test_a_start_elsewhere_finds_what_is_likelier_for_all_cameras_together():
    misled, found = (join(CROWDED, IN_A_CIRCLE, looks=LOOKS_OF_THREE, count=count) for count in (1, 8))
    assert rows_of(found) == [[0, 1, 2], [0, 1, 2]]
    assert found.score > misled.score + 2


def test_what_was_less_likely_is_kept_as_the_alternative():
    assigned, scores = Search.of(CLOSE, MIXED_UP, looks=LOOKS)(8)
    assert assigned[0, :2].tolist() == [[0, 1, 0, 1], [1, 0, 1, 0]]
    assert scores[0, 0] > scores[0, 1] > -np.inf


def test_the_best_of_each_group_is_combined_and_alternatives_differ_in_one_group():
    """Two such pairs, 5 m apart: neither has to wait until a start is right about both."""
    both = np.concatenate([MIXED_UP + [x, 0, 0] for x in (-2.5, 2.5)])
    there = np.concatenate([at(ANN, BOB) + [x, 0, 0] for x in (-2.5, 2.5)])
    views = see(boxes_of(0, there), boxes_of(1, there))
    looks = [np.kron(np.eye(2), part) for part in LOOKS]
    assigned, _ = Search.of(views, both, looks=looks)(8)
    right, wrong = [0, 1, 2, 3], [1, 0, 3, 2]
    assert assigned[0, 0].tolist() == right + right
    others = sorted(row[:4] for row in assigned[0, 1:3].tolist())
    assert others == [right[:2] + wrong[2:], wrong[:2] + right[2:]]
    # both pairs mixed up at once loses twice and is none of the alternatives
    assert wrong + wrong not in assigned[0].tolist()


def test_somebody_in_doubt_may_be_nobody_at_no_great_cost():
    """Without any box: from 'surely overlooked by both cameras' to 'never existed'."""
    views = see(np.empty((0, 4)), np.empty((0, 4)))
    scores = [Search.of(views, at(ANN), exists=exists)()[1][0, 0] for exists in (0.98, 0.5, 0.02)]
    assert scores == sorted(scores)
    assert scores[-1] == pytest.approx(0, abs=0.05)
    assert scores[0] < -2


def scene(seed: int) -> tuple[list[Seen], np.ndarray, list[np.ndarray]]:
    """Views of people so close to one another that they compete, where they are predicted, how alike they look."""
    rng = np.random.default_rng(seed)
    count = rng.integers(2, 7)
    people = np.column_stack([rng.uniform([-0.4, 11.6], [0.4, 12.4], (count, 2)), np.full(count, 1.70)])
    seen = []
    for camera in range(2):
        # some are overlooked, and one box is nobody's
        there = people[rng.random(count) < 0.6]
        there = np.concatenate([there, at(tuple(rng.uniform([-0.4, 11.6], [0.4, 12.4])))])
        seen.append(boxes_of(camera, there + rng.normal(0, 0.1, there.shape) * [1, 1, 0.3]))
    views = see(*seen)
    predicted = people + rng.normal(size=people.shape) * SIGMA_M
    return views, predicted, [rng.normal(0, 3, (count, len(view))) for view in views]


seeds = st.integers(0, 2**32 - 1)


@quick
@given(seeds, st.integers(0, 2**6 - 1))
def test_alternatives_are_what_they_say(seed, first):
    """The best first, all different, nobody twice in a view, and each as likely as it is said to be."""
    views, predicted, looks = scene(seed)
    given = Search.of(views, predicted, [first >> k & 1 for k in range(len(predicted))], looks)
    ((assigned,), (scores,)) = given(8, seed)
    count = int((scores > -np.inf).sum())
    assert count >= 1
    assert (np.diff(scores[:count]) <= 0).all()
    assert (scores[count:] == -np.inf).all()
    assert (assigned[count:] == -1).all()
    assert len({row.tobytes() for row in assigned[:count]}) == count
    checked = 0
    for row, score in zip(assigned[:count], scores[:count], strict=True):
        for mine in given.boxes.split(row):
            rows = mine[mine >= 0].tolist()
            assert len(set(rows)) == len(rows)
        assert given.boxes.usable[row >= 0].all()
        # everybody explains their own boxes
        parts = [given.alone(i, row) for i in range(len(predicted))]
        if np.array_equal(np.max([found for found, _ in parts], axis=0), row):
            assert sum(part for _, part in parts) == pytest.approx(score, abs=1e-6)
            checked += 1
    assert checked


@quick
@given(seeds)
def test_more_starts_never_find_less(seed):
    views, predicted, looks = scene(seed)
    given = Search.of(views, predicted, looks=looks)
    scores = [given(count, seed)[1][0, 0] for count in (1, 2, 4, 8)]
    assert (np.diff(scores) >= -1e-9).all()
    assert given(8, seed)[0].tolist() == given(8, seed)[0].tolist()


@quick
@given(seeds, st.integers(0, 5))
def test_hypotheses_know_nothing_of_one_another(seed, left_out):
    """Everybody in the first, somebody less in the second: as if each were searched alone."""
    views, predicted, looks = scene(seed)
    n = len(predicted)
    fewer = np.delete(np.arange(n), left_out % n)
    rows = np.concatenate([np.arange(n), fewer])
    both = Search.of(views, predicted[rows], looks=[part[rows] for part in looks], starts=[0, n, len(rows)])
    assigned, scores = both()
    told = explain(*both.given(), assigned[:, 0], 1.0, MODEL)
    for h, mine in enumerate((np.arange(n), fewer)):
        alone = Search.of(views, predicted[mine], looks=[part[mine] for part in looks])
        expected, its_scores = alone()
        shifted = np.where(expected[0, 0] >= 0, expected[0, 0] + both.crowd.starts[h], -1)
        assert assigned[h, 0].tolist() == shifted.tolist()
        assert scores[h, 0] == pytest.approx(its_scores[0, 0], abs=1e-9)
        its_told = explain(*alone.given(), expected[:, 0], 1.0, MODEL)
        part = slice(both.crowd.starts[h], both.crowd.starts[h + 1])
        for values, others in zip(told, its_told, strict=True):
            np.testing.assert_allclose(values[:, part], others, atol=1e-9)


# -- what somebody explains alone ------------------------------------------------------------------------------

matrices = arrays(
    float,
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    elements=st.one_of(st.floats(-20, 20), st.just(-np.inf), st.integers(-3, 3).map(float)),
)


def choose(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """(m,) row of every box, or -1: those who are first choose, the others take what is left."""
    chosen = assign_all(np.where(first[:, None], values, -np.inf))
    return np.maximum(chosen, assign_all(np.where(first[:, None] | (chosen >= 0), -np.inf, values)))


def own(values: np.ndarray, first: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each matched row explains alone, and the pairs."""
    chosen = assign_all(values) if first is None else choose(values, first)
    boxes = np.flatnonzero(chosen >= 0)
    gains = own_gains(all_candidates(values), chosen)
    assert (gains[chosen < 0] == 0).all()
    return gains[boxes], chosen[boxes], boxes


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
    chosen = np.full(values.shape[1], -1)
    chosen[boxes] = rows
    assert own_gains(all_candidates(np.vstack([values, twin])), chosen)[boxes[k]] == pytest.approx(
        0, abs=1e-6
    )


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
