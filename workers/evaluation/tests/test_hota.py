"""HOTA, IDF1 and MOTA agree with TrackEval, and hold what the metrics promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.evaluation import evaluate
from workers.evaluation.tests.scenes import scene

quick = settings(max_examples=60, deadline=None, derandomize=True)
MOST = {"boxes": 0.5, "points": 1.0}

# -- against TrackEval ---------------------------------------------------------------------------------------

# computed once by TrackEval 1.3.0 (its HOTA, Identity and CLEAR at threshold 0.5) from the same scenes, with
# similarities of its own: IoU, or 1 - distance / 2 m
TRACKEVAL = {
    (1, 6, 80, "boxes"): {
        "hota": 0.41654441004574533,
        "deta": 0.59473681208671,
        "assa": 0.2924508632336019,
        "idf1": 0.5361803084223014,
        "mota": 0.671264367816092,
    },
    (2, 12, 120, "boxes"): {
        "hota": 0.4156670788319485,
        "deta": 0.6042754473173361,
        "assa": 0.2861199315952769,
        "idf1": 0.5314576006252443,
        "mota": 0.7335766423357665,
    },
    (3, 8, 100, "points"): {
        "hota": 0.41255700129288764,
        "deta": 0.6888925299508832,
        "assa": 0.24717176496228108,
        "idf1": 0.44363636363636366,
        "mota": 0.6883468834688347,
    },
}
# here 4 of 32 switches are none for us, see the next test
REMEMBERED = {(2, 12, 120, "boxes"): 4 / 1370}


@pytest.mark.parametrize("which", TRACKEVAL, ids=str)
def test_same_values_as_trackeval(which):
    seed, people, frames, kind = which
    truth, tracks = scene(seed, people=people, frames=frames, kind=kind)
    quality = evaluate(truth, tracks, most=MOST[kind], kind=kind)
    expected = TRACKEVAL[which]
    parts = quality.higher_order
    assert parts.hota == pytest.approx(expected["hota"], abs=1e-9)
    assert parts.deta == pytest.approx(expected["deta"], abs=1e-9)
    assert parts.assa == pytest.approx(expected["assa"], abs=1e-9)
    assert quality.idf1 == pytest.approx(expected["idf1"], abs=1e-9)
    assert quality.mota == pytest.approx(expected["mota"] + REMEMBERED.get(which, 0), abs=1e-9)


def test_a_missed_frame_does_not_make_a_person_forget_their_track():
    """MOTA keeps a pair that still fits after a gap, as motmetrics does. TrackEval looks back one frame only:
    it would take the nearer track 8 and count a switch."""
    here, near, away = [0.0, 0.0], [0.4, 0.0], [50.0, 0.0]
    truth = {f: (["ann", "bob"], np.array([here, away])) for f in range(3)}
    tracks = {
        0: ([7, 9], np.array([here, away])),
        1: ([9], np.array([away])),
        2: ([7, 8, 9], np.array([near, here, away])),
    }
    quality = evaluate(truth, tracks, most=1.0, kind="points")
    assert (quality.switches, quality.misses, quality.false_positives) == (0, 1, 1)


# -- by hand -------------------------------------------------------------------------------------------------


def test_a_track_that_breaks_in_the_middle_is_detected_but_half_associated():
    truth = {f: (["ann"], np.array([[f, 0.0]])) for f in range(10)}
    tracks = {f: ([f // 5], np.array([[f, 0.0]])) for f in range(10)}
    quality = evaluate(truth, tracks, most=1.0, kind="points")
    parts = quality.higher_order
    assert (parts.deta, parts.assa, parts.hota) == pytest.approx((1.0, 0.5, 0.5**0.5))
    assert (quality.idf1, quality.mota) == pytest.approx((0.5, 0.9))


def test_a_point_as_far_off_as_allowed_counts_up_to_the_middle_threshold():
    """1 m off where 1 m is allowed: similarity 0.5, a match at 10 of HOTA's 19 thresholds."""
    truth, tracks = ({0: ([1], np.array([[x, 0.0]]))} for x in (0.0, 1.0))
    quality = evaluate(truth, tracks, most=1.0, kind="points")
    assert quality.misses == 0
    assert quality.hota == pytest.approx(10 / 19)


def test_nothing_tracked_and_nothing_to_track_score_zero():
    truth = {0: (["ann"], np.array([[0.0, 0.0]]))}
    for quality in (
        evaluate(truth, {}, most=1.0, kind="points"),
        evaluate({}, truth, most=1.0, kind="points"),
    ):
        assert (quality.hota, quality.idf1, quality.mota) == (0, 0, 0)


# -- what always holds ---------------------------------------------------------------------------------------

scenes = st.builds(
    lambda seed, people, frames, kind: (kind, *scene(seed, people=people, frames=frames, kind=kind)),
    st.integers(0, 10_000),
    st.integers(2, 7),
    st.integers(1, 25),
    st.sampled_from(["boxes", "points"]),
)


def scores(truth, tracks, kind):
    quality = evaluate(truth, tracks, most=MOST[kind], kind=kind)
    parts = quality.higher_order
    return [parts.hota, parts.deta, parts.assa, quality.idf1, quality.mota]


@quick
@given(scenes)
def test_perfect_tracks_score_one(drawn):
    kind, truth, _ = drawn
    if any(names for names, _ in truth.values()):
        assert scores(truth, truth, kind) == pytest.approx([1.0] * 5)


@quick
@given(scenes, st.randoms(use_true_random=False))
def test_what_the_identities_are_called_changes_nothing(drawn, random):
    kind, truth, tracks = drawn
    used = sorted({name for names, _ in tracks.values() for name in names})
    others = [f"track {n}" for n in range(len(used))]
    random.shuffle(others)
    called = dict(zip(used, others, strict=True))
    renamed = {f: ([called[name] for name in names], places) for f, (names, places) in tracks.items()}
    assert scores(truth, renamed, kind) == pytest.approx(scores(truth, tracks, kind))


@quick
@given(scenes)
def test_scores_stay_in_their_range(drawn):
    kind, truth, tracks = drawn
    *others, mota = scores(truth, tracks, kind)
    assert all(0 <= score <= 1 for score in others)
    assert mota <= 1
