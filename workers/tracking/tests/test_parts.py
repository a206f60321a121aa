"""The tracker's parts: assignment, what similarities mean, settings, what covers what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workers.tracking.assignment import assign
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import RunningNormal, SimilarityScale
from workers.tracking.tests.people import looks
from workers.tracking.views import covered, crop_quality

quick = settings(max_examples=60, deadline=None, derandomize=True)

# -- assignment ----------------------------------------------------------------------------------------------


def test_the_cheapest_pairs_win_together():
    rows, columns = assign(np.array([[1.0, 2.0], [1.5, 9.0]]), most=10.0)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0)]


def test_a_doubtful_pair_is_not_forced_for_the_sake_of_another():
    """Both rows want column 0; the loser's other choice is beyond the limit and stays alone."""
    rows, columns = assign(np.array([[1.0, 20.0], [2.0, 20.0]]), most=5.0)
    assert (rows.tolist(), columns.tolist()) == ([0], [0])


costs = arrays(
    float,
    st.tuples(st.integers(0, 6), st.integers(0, 6)),
    elements=st.one_of(st.floats(-50, 50), st.just(np.inf), st.just(np.nan)),
)


@quick
@given(costs, st.floats(-20, 20))
def test_no_pair_beyond_the_limit_and_nobody_twice(costs, most):
    rows, columns = assign(costs, most)
    assert (costs[rows, columns] < most).all()
    assert len(set(rows)) == len(rows) == len(set(columns)) == len(columns)
    assert (np.diff(rows) > 0).all()
    # nothing that is possible is left lying between two that are both free
    free = np.ones(costs.shape, bool)
    free[rows], free[:, columns] = False, False
    assert not (costs[free] < most).any()


# -- similarity ----------------------------------------------------------------------------------------------


def test_the_scale_learns_what_an_embedder_calls_alike():
    """An embedder that finds everybody alike at 0.9: what counted as the same person before no longer does."""
    scale = SimilarityScale()
    before = scale.log_ratio(np.array([0.9]))[0]
    rng = np.random.default_rng(1)
    scale.same.learn(rng.normal(0.97, 0.01, 4000))
    scale.different.learn(rng.normal(0.9, 0.03, 4000))
    assert before > 1
    assert scale.log_ratio(np.array([0.9]))[0] < -1
    assert scale.log_ratio(np.array([0.97]))[0] > 1


def test_people_in_one_picture_teach_what_different_means():
    scale = SimilarityScale()
    for _ in range(200):
        scale.learn_different(looks(5))
    assert scale.different.mean == pytest.approx(0.55, abs=0.01)
    one, none = looks(1), np.empty((3, 0))
    before = vars(scale.different).copy()
    scale.learn_different(one)
    scale.learn_different(none)
    assert vars(scale.different) == before


@quick
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20))
def test_more_alike_is_never_less_likely_the_same_beyond_what_is_usual(similarities):
    scale = SimilarityScale()
    ordered = np.sort([s for s in similarities if s >= scale.different.mean])
    ratios = scale.log_ratio(ordered)
    assert (np.diff(ratios) >= -1e-12).all()
    assert (np.abs(ratios) <= scale.LIMIT).all()


def test_a_running_normal_follows_and_keeps_a_least_deviation():
    normal = RunningNormal(0.5, 0.1)
    for _ in range(100):
        normal.learn(np.full(1000, 0.8))
    assert normal.mean == pytest.approx(0.8, abs=0.01)
    assert normal.deviation == RunningNormal.LEAST_DEVIATION
    assert normal.count == RunningNormal.MEMORY


# -- views ---------------------------------------------------------------------------------------------------


def test_who_stands_in_front_covers_who_stands_behind():
    behind, front, beside = [0, 0, 10, 40], [5, 10, 15, 50], [100, 0, 110, 40]
    assert covered(np.array([behind, front, beside], float)).tolist() == [0.375, 0.0, 0.0]


def test_small_covered_and_doubtful_crops_count_less():
    boxes = np.array([[0, 0, 40, 100], [100, 0, 110, 25], [200, 0, 240, 100], [200, 50, 240, 150]], float)
    whole, small, hidden, front = crop_quality(boxes, np.ones(4))
    assert whole == front == 1
    assert small == pytest.approx(0.25)
    assert hidden == pytest.approx(0.5)
    assert crop_quality(boxes, np.full(4, 0.3))[0] == pytest.approx(0.3)


# -- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"speed": 0},
        {"noise_feet": -1},
        {"clutter": float("nan")},
        {"coast_s": float("inf")},
        {"chance": 1.0},
        {"slipped": 0},
        {"lost": 0.0},
        {"lag_s": -1.0},
        {"start_score": 1.5},
        {"evidence_cap": 2.0},
    ],
    ids=str,
)
def test_impossible_settings_are_refused_by_name(values):
    (name,) = values
    with pytest.raises(ValueError, match=name):
        TrackerSettings(**values)
