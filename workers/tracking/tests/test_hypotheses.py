"""Several explanations of what happened, until time tells which is true."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workers.mapping.smoothing import History, Step
from workers.tracking import state as wire
from workers.tracking.hypotheses import (
    SAME_M,
    Hypothesis,
    best_distinct,
    follow,
    from_state,
    likeliest,
    to_state,
)
from workers.tracking.tests.people import FPS
from workers.tracking.tracks import Tracks

quick = settings(max_examples=60, deadline=None, derandomize=True)


def tracks(*numbers: int, persons=None, x=None) -> Tracks:
    """These tracks, 5 m apart unless `x` says where; of nobody in particular unless `persons` says of whom."""
    n = len(numbers)
    mean = np.zeros((n, 5))
    mean[:, 0] = 5.0 * np.arange(n) if x is None else x
    given = {
        "number": np.array(numbers, np.int64),
        "mean": mean,
        "covariance": np.tile(np.eye(5), (n, 1, 1)),
        "person": np.full(n, -1, np.int64) if persons is None else np.array(persons, np.int64),
        "appearance": np.ones((n, 2)),
    }
    return Tracks(**{field.name: given.get(field.name, np.ones(n)) for field in fields(Tracks)})


def step(instant: int, there: Tracks) -> Step:
    past = there.number.copy(), there.mean.copy(), there.covariance.copy()
    return Step(instant, instant / FPS, np.eye(5), *past, there.mean + 0.1, 2 * there.covariance)


def hypothesis(there: Tracks, log_weight: float = 0.0, instants=(), steps=None) -> Hypothesis:
    past = [step(i, there) for i in instants] if steps is None else steps
    return Hypothesis(there, History.of(past), {}, log_weight)


# -- which to keep, and which to show ------------------------------------------------------------------------


def test_the_likeliest_comes_first():
    options = [hypothesis(tracks(k), weight) for k, weight in enumerate((-3.0, 0.0, -1.0))]
    assert best_distinct(options, [False] * 3, 2.0) == [1, 2, 0]


def test_of_those_that_tell_the_same_the_likelier_stays():
    same = tracks(1, 2, x=[0, 3 + 0.9 * SAME_M])
    options = [hypothesis(same, -1.0), hypothesis(tracks(1, 2, x=[0, 3]), 0.0), hypothesis(tracks(1), -2.0)]
    assert best_distinct(options, [False] * 3, 2.0) == [1, 2]


@pytest.mark.parametrize(
    "other",
    [tracks(1, 3), tracks(1), tracks(), tracks(1, 2, x=[0, 5 + 1.1 * SAME_M])],
    ids=["somebody else", "somebody less", "nobody", "somewhere else"],
)
def test_those_that_differ_are_both_kept(other):
    options = [hypothesis(tracks(1, 2)), hypothesis(other, -1.0)]
    assert not options[0].is_same(options[1])
    assert best_distinct(options, [True, False], 2.0) == [0, 1]


def test_people_who_changed_places_are_not_the_same():
    assert not hypothesis(tracks(1, 2, x=[0, 1])).is_same(hypothesis(tracks(1, 2, x=[1, 0])))


def test_velocity_and_height_do_not_make_a_difference():
    """They show in where people are soon enough."""
    other = tracks(1, 2)
    other.mean[:, 2:] += 1
    assert hypothesis(tracks(1, 2)).is_same(hypothesis(other))


def test_what_was_shown_stays_unless_another_is_much_likelier():
    shown, other = hypothesis(tracks(1), 0.0), hypothesis(tracks(2), 1.9)
    assert best_distinct([shown, other], [True, False], stay=2.0) == [0, 1]
    assert best_distinct([shown, replace(other, log_weight=2.1)], [True, False], stay=2.0) == [1, 0]


def test_of_what_goes_on_with_what_was_shown_the_likeliest_is_shown():
    options = [hypothesis(tracks(1), -1.0), hypothesis(tracks(2), 0.0), hypothesis(tracks(3), 0.5)]
    assert best_distinct(options, [True, True, False], 2.0) == [1, 0, 2]


# -- which assignments to go on with -------------------------------------------------------------------------


def boxes(*rows: list[list[int]]) -> np.ndarray:
    """(H, R, M)."""
    return np.array(rows)


TWO = boxes([[0, 1], [1, 0], [0, -1]], [[2, 3], [3, 2], [2, -1]])


def test_the_best_pairs_of_all_hypotheses_together():
    totals = np.array([[5.0, 2.0, 1.0], [4.0, 3.0, 0.0]])
    assert likeliest(TWO, totals, most=10, within=100.0) == [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 2)]
    assert likeliest(TWO, totals, most=3, within=100.0) == [(0, 0), (1, 0), (1, 1)]
    assert likeliest(TWO, totals, most=10, within=2.0) == [(0, 0), (1, 0), (1, 1)]


def test_what_was_not_found_is_not_gone_on_with():
    totals = np.array([[5.0, -np.inf, -np.inf], [4.0, 3.0, -np.inf]])
    assert likeliest(TWO, totals, most=10, within=100.0) == [(0, 0), (1, 0), (1, 1)]


def test_the_same_assignment_counts_once_but_for_each_hypothesis():
    same = boxes([[0, 1], [0, 1], [1, 0]], [[0, 1], [0, 1], [0, 1]])
    totals = np.array([[5.0, 4.9, 4.0], [4.5, 4.4, 4.3]])
    assert likeliest(same, totals, most=3, within=100.0) == [(0, 0), (1, 0), (0, 2)]


@quick
@given(
    st.integers(1, 4).flatmap(
        lambda r: st.tuples(
            arrays(int, (3, r, 2), elements=st.integers(-1, 2)),
            arrays(float, (3, r), elements=st.floats(-20, 20)),
        )
    ),
    st.integers(1, 6),
    st.floats(0.1, 40),
)
def test_at_least_the_best_and_none_too_many_too_bad_or_twice(given_, most, within):
    assigned, totals = given_
    found = likeliest(assigned, totals, most, within)
    values = [totals[pair] for pair in found]
    assert 1 <= len(found) <= most
    assert values[0] == totals.max()
    assert values == sorted(values, reverse=True)
    assert values[-1] >= totals.max() - within
    assert len({(h, assigned[h, r].tobytes()) for h, r in found}) == len(found)


# -- the others follow what was written down of the best -----------------------------------------------------


def test_names_that_were_given_hold_in_all_of_them():
    best = hypothesis(tracks(1, 2, 3, persons=[10, 11, -1]))
    other = hypothesis(tracks(1, 3, 4, persons=[-1, -1, -1]))
    follow([best, other])
    assert other.tracks.person.tolist() == [10, -1, -1]
    assert best.tracks.person.tolist() == [10, 11, -1]


def test_a_name_the_best_knows_nothing_of_stays():
    """Of somebody who is only in the other hypothesis, since before it fell behind."""
    other = hypothesis(tracks(1, 2, persons=[10, 11]))
    follow([hypothesis(tracks(1, persons=[10])), other])
    assert other.tracks.person.tolist() == [10, 11]


def test_nobody_is_there_twice():
    """In the best, 5 was recognised as the person 10, whose old track 1 had ended; in the other it goes on."""
    best = hypothesis(tracks(2, 5, persons=[11, 10]))
    other = hypothesis(tracks(1, 2, 5, persons=[10, 11, -1]))
    follow([best, other])
    assert dict(zip(other.tracks.number.tolist(), other.tracks.person.tolist(), strict=True)) == {
        2: 11,
        5: 10,
    }


def test_somebody_whose_new_track_it_does_not_have_keeps_the_old_one():
    other = hypothesis(tracks(1, 2, persons=[10, 11]))
    follow([hypothesis(tracks(2, 5, persons=[11, 10])), other])
    assert other.tracks.number.tolist() == [1, 2]
    assert other.tracks.person.tolist() == [10, 11]


def test_what_is_written_down_is_past_for_all():
    best = hypothesis(tracks(1), instants=[4, 5, 6])
    behind, level = hypothesis(tracks(2), instants=range(1, 7)), hypothesis(tracks(3), instants=[4, 5, 6])
    follow([best, behind, level])
    for one in (best, behind, level):
        assert [s.instant for s in one.history.steps] == [4, 5, 6]


def test_nothing_is_left_of_a_past_that_is_all_written_down():
    other = hypothesis(tracks(2), instants=[1, 2])
    follow([hypothesis(tracks(1)), other])
    assert len(other.history) == 0


def test_there_may_be_nobody_and_no_others():
    follow([hypothesis(tracks())])
    follow([hypothesis(tracks()), hypothesis(tracks())])


# -- state ---------------------------------------------------------------------------------------------------


def shared() -> list[Hypothesis]:
    """Two with a common past of three steps, who parted at the fourth."""
    there = tracks(1, 2, persons=[10, -1])
    common = [step(i, there) for i in range(3)]
    result = [hypothesis(tracks(1, 2), 0.0, steps=[*common, step(3, tracks(1, 2))])]
    result.append(hypothesis(tracks(1), -1.5, steps=[*common, step(3, tracks(1))]))
    result[1].close_pairs[1, 2] = 0.3
    result[1].closest[1, 2] = 0.4
    return result


def test_steps_that_are_shared_are_stored_once_and_shared_again():
    before = shared()
    state = to_state(before)
    assert [s["instant"] for s in state["steps"]] == [0, 1, 2, 3, 3]
    one, other = from_state(state)
    assert [a is b for a, b in zip(one.history.steps, other.history.steps, strict=True)] == [True] * 3 + [
        False
    ]


def same(one: list[Hypothesis], other: list[Hypothesis]) -> None:
    for a, b in zip(one, other, strict=True):
        assert (a.close_pairs, a.log_weight, a.closest) == (b.close_pairs, b.log_weight, b.closest)
        for x, y in [(a.tracks, b.tracks), *zip(a.history.steps, b.history.steps, strict=True)]:
            assert vars(x).keys() == vars(y).keys()
            for name in vars(x):
                np.testing.assert_array_equal(getattr(x, name), getattr(y, name))


def test_everything_comes_back_and_is_then_apart():
    before = shared()
    after = from_state(wire.unpack(wire.pack(to_state(before))))
    same(before, after)
    kept = deepcopy(before)
    after[0].tracks.mean += 1
    after[0].history.steps[0].means[:] += 1
    after[1].close_pairs.clear()
    same(before, kept)
