"""The tracker's parts: assignment, what similarities mean, settings, what covers what."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from workers.tracking.assignment import assign_all
from workers.tracking.scene import dependence
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import RunningNormal, SimilarityScale
from workers.tracking.tests.people import looks
from workers.tracking.views import add_looks, covered, crop_quality

ROOT = Path(__file__).resolve().parents[3]
quick = settings(max_examples=60, deadline=None, derandomize=True)

# -- assignment ----------------------------------------------------------------------------------------------


def pairs(values) -> list[tuple[int, int]]:
    """(row, column) of everybody who is not alone, by column."""
    found = assign_all(np.array(values, float))
    return [(int(row), column) for column, row in enumerate(found) if row >= 0]


def test_the_most_valuable_pairs_win_together():
    assert pairs([[9.0, 8.0], [8.5, 1.0]]) == [(1, 0), (0, 1)]


def test_a_doubtful_pair_is_not_forced_for_the_sake_of_another():
    """Both rows want column 0; the loser's other choice is worth less than nothing and stays alone."""
    assert pairs([[5.0, -20.0], [4.0, -20.0]]) == [(0, 0)]


def test_somebody_stays_alone_when_all_together_are_better_off():
    """Three rows want two columns: the pairs with row 2 would each be the best of its column, but not together."""
    assert pairs([[5.0, 5.0], [6.0, 0.5], [0.5, 6.0]]) == [(1, 0), (2, 1)]
    assert pairs([[5.0, 4.0], [6.0, 0.0]]) == [(1, 0), (0, 1)]
    assert pairs([[5.0, 0.1], [5.2, 0.0]]) == [(1, 0), (0, 1)]


def test_groups_have_nothing_to_do_with_one_another():
    """Whoever is there beside them, each group is solved as if it were alone."""
    one, other = np.array([[3.0, 2.0], [2.5, 0.0]]), np.array([[1.0], [4.0], [2.0]])
    both = np.full((5, 3), -np.inf)
    both[np.ix_([0, 3], [2, 0])] = one
    both[np.ix_([1, 2, 4], [1])] = other
    assert pairs(one) == [(1, 0), (0, 1)]
    assert pairs(other) == [(1, 0)]
    assert pairs(both) == [(0, 0), (2, 1), (3, 2)]


@pytest.mark.parametrize("nothing", [0.0, -1.0, -np.inf, np.nan], ids=str)
def test_what_is_not_above_nothing_is_impossible(nothing):
    assert pairs([[nothing, nothing]]) == []
    assert pairs([[nothing, 2.0], [1.0, nothing]]) == [(1, 0), (0, 1)]
    assert pairs([[nothing, 3.0], [nothing, 2.0], [nothing, nothing]]) == [(0, 1)]


def test_nobody_or_nothing():
    assert assign_all(np.empty((0, 3))).tolist() == [-1, -1, -1]
    assert assign_all(np.empty((3, 0))).tolist() == []


def best_total(values: np.ndarray) -> float:
    """By SciPy, where staying alone is worth 0 because every row has a column of its own for that."""
    n, m = values.shape
    worth = np.zeros((n, m + n))
    worth[:, :m] = np.where(values > 0, values, -1e6)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return float(worth[rows, columns].sum())


def check(values: np.ndarray) -> None:
    """Nobody twice, nothing impossible, and no assignment is worth more."""
    found = assign_all(values)
    assert found.shape == (values.shape[1],)
    columns = np.flatnonzero(found >= 0)
    rows = found[columns]
    assert len(set(rows.tolist())) == len(rows)
    assert (values[rows, columns] > 0).all()
    assert values[rows, columns].sum() == pytest.approx(best_total(values), abs=1e-9)
    # nothing that is possible is left lying between two that are both free
    free = np.ones(values.shape, bool)
    free[rows], free[:, columns] = False, False
    assert not (values[free] > 0).any()


worths = arrays(
    float,
    st.tuples(st.integers(0, 7), st.integers(0, 7)),
    elements=st.one_of(
        st.floats(-50, 50), st.integers(-3, 3).map(float), st.sampled_from([-np.inf, np.nan, -1.0])
    ),
)


@quick
@given(worths)
def test_no_assignment_is_better(values):
    check(values)


@pytest.mark.parametrize("density", [0.01, 0.03, 0.3])
def test_nor_in_a_crowd(density):
    """200 people and 100 boxes, most of which are far from one another."""
    rng = np.random.default_rng(3)
    values = np.where(rng.random((200, 100)) < density, rng.normal(2, 3, (200, 100)), -np.inf)
    check(values)
    check(values.T.copy())


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


def test_a_crop_that_looks_like_nobody_says_little_against_anybody():
    """Half of somebody behind a plant: some crops of everybody are like that."""
    scale = SimilarityScale()
    scale.same.learn(np.random.default_rng(1).normal(0.92, 0.03, 4000))
    least = np.log(scale.UNLIKE)
    assert scale.log_ratio(np.array([-1.0, 0.3, 0.6])) == pytest.approx(least, abs=0.01)


def test_people_in_one_picture_teach_what_different_means():
    scale = SimilarityScale()
    for _ in range(200):
        scale.learn_different(looks(5))
    assert scale.different.mean == pytest.approx(0.55, abs=0.01)
    before = vars(scale.different).copy()
    for nothing in (looks(1), np.empty((3, 0)), np.empty((0, 64)), np.zeros((5, 64))):
        scale.learn_different(nothing)
    # who was not described in this frame is not alike anybody either
    scale.learn_different(np.concatenate([looks(1), np.zeros((4, 64))]))
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
        {"birth_share": 1.1},
    ],
    ids=str,
)
def test_impossible_settings_are_refused_by_name(values):
    (name,) = values
    with pytest.raises(ValueError, match=name):
        TrackerSettings(**values)


# -- compiled loops --------------------------------------------------------------------------------------------


def _run(code: str, **environment: str) -> str:
    env = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


ASSIGN = (
    "import numpy as np; from workers.tracking.assignment import assign_all; "
    "assign_all(np.array([[1.0, 2.0], [2.0, 9.0]])); print(sum(assign_all.stats.cache_hits.values()))"
)


def test_machine_code_is_kept_for_the_next_process(tmp_path):
    assert _run(ASSIGN, NUMBA_CACHE_DIR=str(tmp_path)) == "0"
    assert _run(ASSIGN, NUMBA_CACHE_DIR=str(tmp_path)) == "1"


def test_and_where_it_cannot_be_kept_it_is_made_again(tmp_path):
    """A folder that cannot be made, as on a read-only installation."""
    (tmp_path / "file").write_text("")
    nowhere = str(tmp_path / "file" / "below")
    assert _run(ASSIGN, NUMBA_CACHE_DIR=nowhere) == "0"


# -- looks of tracks -----------------------------------------------------------------------------------------


def test_what_several_cameras_show_of_a_track_adds_up():
    sums, weights = np.zeros((3, 2), np.float32), np.zeros(3)
    tracks, embeddings = np.array([2, 5, 9]), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.6, 0.8]])
    quality = np.array([0.5, 1.0, 0.7, 0.9])
    # the third has no look, the fourth is nobody's
    rows = add_looks(tracks, np.array([5, 2, 9, -1]), embeddings, quality, sums, weights)
    assert rows.tolist() == [1, 0, 2]
    rows = add_looks(tracks, np.array([7, 5]), embeddings[:2], quality[:2], sums, weights)
    assert rows.tolist() == [1]
    np.testing.assert_allclose(sums, [[0, 1], [0.5, 1], [0, 0]])
    np.testing.assert_allclose(weights, [1.0, 1.5, 0.0])


def test_without_embeddings_crops_count_all_the_same():
    sums, weights = np.zeros((1, 0), np.float32), np.zeros(1)
    add_looks(np.array([3]), np.array([3]), np.empty((1, 0)), np.array([0.4]), sums, weights)
    assert weights.tolist() == [0.4]


# -- errors that resemble one another --------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [2.0, 10.0, 20.0])
def test_the_mean_of_errors_that_resemble_their_neighbours_is_as_sure_as_is_said(fps):
    """The variance of the mean of smooth errors, against that of as many independent ones."""
    count, memory_s = 4000, 0.16
    alike = np.exp(-((np.subtract.outer(np.arange(count), np.arange(count)) / fps / memory_s) ** 2))
    assert dependence(1 / fps, memory_s) == pytest.approx(alike.sum() / count, rel=0.01)


def test_the_first_errors_of_all_resemble_nothing():
    assert dependence(0.0, 0.16) == 1.0
