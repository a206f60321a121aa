"""Near pairs instead of everybody with everything."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workers.tracking.assignment import Candidates, all_candidates, assign, assign_all, own_gains
from workers.tracking.existence import neighbours
from workers.tracking.pairs import Pairs, compare, own_similarities, take_people
from workers.tracking.saying import Told

quick = settings(max_examples=60, deadline=None, derandomize=True)
ratios = st.one_of(st.floats(-5, 20), st.just(-np.inf))
matrices = arrays(float, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=ratios)


def sparse(near: np.ndarray) -> Pairs:
    """Of (V, T, m) bool; each view has m boxes."""
    m = near.shape[2]
    views, people, boxes = np.nonzero(near)
    P = len(people)
    numbers = np.arange(P, dtype=float)
    return Pairs(
        starts=np.cumsum([0, *near.sum(2).ravel()]),
        people=people,
        boxes=views * m + boxes,
        errors=np.tile(numbers[:, None], 3),
        chances=numbers,
        alike=numbers,
    )


@quick
@given(arrays(bool, (2, 4, 3)), st.lists(st.integers(0, 3), max_size=6))
def test_people_are_taken_with_their_pairs(near, rows):
    rows = np.array(rows, np.int64)
    before, after = sparse(near), take_people(sparse(near), 4, rows)
    for v in range(2):
        for n, i in enumerate(rows):
            old = slice(*before.starts[v * 4 + i : v * 4 + i + 2])
            new = slice(*after.starts[v * len(rows) + n : v * len(rows) + n + 2])
            assert after.boxes[new].tolist() == before.boxes[old].tolist()
            assert after.chances[new].tolist() == before.chances[old].tolist()
            assert (after.people[new] == n).all()


def test_how_alike_those_are_whose_box_is_their_own():
    pairs = sparse(np.array([[[True, False], [True, True]], [[False, True], [True, False]]]))
    boxes, gains = np.array([[0, 1], [3, 2]]), np.array([[6.0, 6.0], [6.0, 4.0]])
    told = Told(boxes, np.zeros((2, 2, 3, 3)), np.zeros((2, 2, 3)), gains)
    everywhere = np.ones((2, 2), bool)
    # the last one's box could be another's
    assert own_similarities(pairs, told, everywhere, 5.0).tolist() == [0.0, 2.0, 3.0]
    # of the first person alone, and not where too little shows
    assert own_similarities(pairs, told, np.array([[True], [False]]), 5.0).tolist() == [0.0]
    # nobody is near that box
    assert (
        own_similarities(pairs, told._replace(boxes=np.array([[1, -1], [-1, -1]])), everywhere, 5.0).tolist()
        == []
    )
    unknown = pairs._replace(alike=np.full(len(pairs.alike), np.nan))
    assert own_similarities(unknown, told, everywhere, 5.0).tolist() == []


def test_only_those_who_are_described_are_compared():
    rng = np.random.default_rng(3)
    looks, embeddings = rng.normal(size=(5, 64)), rng.normal(size=(4, 64))
    nothing = np.zeros(3)
    pairs = Pairs(np.arange(4), np.array([0, 4, 2]), np.array([3, 0, 0]), nothing, nothing, nothing)
    known, seen = np.ones(5), np.ones(4)
    products = (looks @ embeddings.T)[pairs.people, pairs.boxes]
    np.testing.assert_allclose(compare(pairs, looks, known, embeddings, seen), products)
    known[4] = seen[3] = 0
    np.testing.assert_allclose(
        compare(pairs, looks, known, embeddings, seen), [np.nan, np.nan, products[2]], equal_nan=True
    )


def only_near(values: np.ndarray) -> Candidates:
    """The pairs that are worth something, and some that are not, of boxes that are counted from 10."""
    rows, boxes = np.nonzero(values > -np.inf)
    starts = np.cumsum([0, *(values > -np.inf).sum(1)])
    return Candidates(starts, boxes + 10, values[rows, boxes], 10, values.shape[1])


@quick
@given(matrices)
def test_who_is_not_near_makes_no_difference(values):
    n, m = values.shape
    found = assign(only_near(values), np.ones(n, bool), np.ones(m, bool))
    assert found.tolist() == assign_all(values).tolist()
    assert own_gains(only_near(values), found).tolist() == own_gains(all_candidates(values), found).tolist()


@quick
@given(matrices, st.data())
def test_who_does_not_wait_gets_nothing(values, data):
    n, m = values.shape
    waiting = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
    free = np.array(data.draw(st.lists(st.booleans(), min_size=m, max_size=m)), bool)
    allowed = np.where(waiting[:, None] & free, values, -np.inf)
    assert assign(only_near(values), waiting, free).tolist() == assign_all(allowed).tolist()


@quick
@given(arrays(float, st.tuples(st.integers(0, 12), st.just(2)), elements=st.floats(-3, 3)))
def test_neighbours(places):
    pairs, gaps2 = neighbours(places, 0.7)
    all_gaps2 = ((places[:, None] - places) ** 2).sum(2)
    expected = np.argwhere(np.triu(all_gaps2 < 0.7**2, 1))
    assert pairs.tolist() == expected.tolist()
    assert gaps2.tolist() == pytest.approx(all_gaps2[expected[:, 0], expected[:, 1]].tolist())
