"""What the following second teaches about where everybody was: nearer to the truth, and surer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.tests.cameras import quick
from workers.mapping.kalman import SEEN, Motion, fuse
from workers.mapping.smoothing import History, Step
from workers.tracking import state as wire
from workers.tracking.hypotheses import Hypothesis, from_state, to_state
from workers.tracking.tracks import Tracks

MOTION = Motion(speed=0.94, turn_s=7.0, height_drift=0.01)
SIGMA_M = 0.3
HZ, LAG = 10.0, 10


def motion_at(instant: int) -> Motion:
    """The motion before this instant: what is believed of people changes."""
    return replace(MOTION, turn_s=3.0 + instant % 5)


def wide_curve(count: int) -> np.ndarray:
    """(count, 3) somebody of 1.75 m who walks a circle of 8 m at 1.3 m/s."""
    angle = 1.3 / 8.0 * np.arange(count) / HZ
    return np.column_stack([8 * np.cos(angle), 8 * np.sin(angle), np.full(count, 1.75)])


def followed(truth: np.ndarray, number: int = 0, first: int = 0, seed: int = 4) -> list[Step]:
    """A filter's steps of one track that is measured with errors of SIGMA_M, and not at all now and then."""
    rng = np.random.default_rng(seed)
    mean, covariance = np.zeros((1, 5)), np.diag([0.1, 0.1, 0.9, 0.9, 0.01])[None]
    mean[0, SEEN] = truth[0]
    steps = []
    for i, place in enumerate(truth):
        dt = 1 / HZ if i else 0.0
        motion = motion_at(first + i)
        predicted, spread = motion.predict(mean, covariance, dt)
        says = np.diag([1 / SIGMA_M**2, 1 / SIGMA_M**2, 1 / 0.1**2])[None] * (rng.random() < 0.9)
        seen = place + rng.normal(0, [SIGMA_M, SIGMA_M, 0.1])
        mean, covariance = fuse(predicted, spread, says, (says[0] @ (seen - predicted[0, SEEN]))[None])
        numbers = np.array([number])
        F = motion.transition(dt)
        steps.append(Step(first + i, (first + i) / HZ, F, numbers, mean, covariance, predicted, spread))
    return steps


def together(*tracks: list[Step]) -> list[Step]:
    """The steps of several tracks as one filter has them: those who are there at each instant."""
    result = []
    for instant in sorted({step.instant for steps in tracks for step in steps}):
        here = [step for steps in tracks for step in steps if step.instant == instant]
        parts = ("numbers", "means", "covariances", "predicted", "predicted_covariances")
        joined = {name: np.concatenate([getattr(step, name) for step in here]) for name in parts}
        F = motion_at(instant).transition(1 / HZ if result else 0.0)
        result.append(Step(instant, instant / HZ, F, **joined))
    return result


def lagged(
    steps: list[Step], lag: int = LAG, history: History | None = None
) -> list[tuple[Step, np.ndarray, np.ndarray]]:
    """What comes out of a history that remembers `lag` steps, to the end."""
    history = history or History()
    result = []
    for step in steps:
        history.append(step)
        if len(history) > lag:
            result.append(history.oldest())
    while len(history):
        result.append(history.oldest())
    return result


def error_m(means: list[np.ndarray], truth: np.ndarray) -> float:
    return float(np.sqrt(((np.concatenate(means)[:, :2] - truth[:, :2]) ** 2).sum(1).mean()))


@pytest.mark.parametrize("seed", range(3))
def test_a_second_later_the_place_is_known_better(seed):
    truth = wide_curve(200)
    steps = followed(truth, seed=seed)
    smoothed = lagged(steps)
    filtered_m = error_m([step.means for step in steps], truth)
    smoothed_m = error_m([means for _, means, _ in smoothed], truth)
    assert smoothed_m < 0.75 * filtered_m
    assert [step for step, _, _ in smoothed] == steps


def test_steps_become_even():
    steps = followed(wide_curve(200))
    paths = [step.means[0] for step in steps], [means[0] for _, means, _ in lagged(steps)]
    jerk = [np.abs(np.diff(np.array(path)[:, :2], 2, axis=0)).mean() for path in paths]
    assert jerk[1] < 0.3 * jerk[0]


@quick
@given(st.integers(0, 10000), st.integers(0, 30))
def test_what_came_after_never_makes_it_less_sure(seed, lag):
    for step, means, covariances in lagged(followed(wide_curve(25), seed=seed), lag):
        gained = step.covariances - covariances
        assert np.isfinite(means).all()
        assert (np.linalg.eigvalsh((gained + gained.transpose(0, 2, 1)) / 2) > -1e-9).all()
        assert (np.linalg.eigvalsh(covariances) > 0).all()
        np.testing.assert_allclose(covariances, covariances.transpose(0, 2, 1), atol=1e-12)


@pytest.mark.parametrize("window", [1, 2, 15])
def test_it_is_the_textbooks_smoother(window):
    """Rauch, Tung and Striebel by plain matrices, over the window."""
    steps = followed(wide_curve(window))
    mean, covariance = steps[-1].means[0], steps[-1].covariances[0]
    for step, after in zip(steps[-2::-1], steps[:0:-1], strict=True):
        motion = motion_at(after.instant)
        F, m, P = motion.transition(1 / HZ), step.means[0], step.covariances[0]
        ahead = F @ P @ F.T + motion.noise(1 / HZ)
        C = P @ F.T @ np.linalg.inv(ahead)
        mean, covariance = m + C @ (mean - F @ m), P + C @ (covariance - ahead) @ C.T
        np.testing.assert_allclose(after.predicted_covariances[0], ahead, atol=1e-12)
    history = History()
    for step in steps:
        history.append(step)
    oldest, smoothed, spread = history.oldest()
    assert oldest is steps[0]
    np.testing.assert_allclose(smoothed[0], mean, atol=1e-9)
    np.testing.assert_allclose(spread[0], covariance, atol=1e-9)
    assert len(history) == window - 1


def test_whoever_comes_or_goes_within_the_window_is_smoothed_as_if_alone():
    """One is there all the time; one leaves, one comes, one is there for a moment."""
    paths = {2: (0, 40), 3: (0, 18), 7: (15, 40), 5: (12, 16)}
    alone = {
        number: followed(wide_curve(end - first), number, first, seed=number)
        for number, (first, end) in paths.items()
    }
    expected = {
        (step.instant, number): means[0]
        for number, steps in alone.items()
        for step, means, _ in lagged(steps, lag=1000)
    }
    # numbers ascend, as the tracker's do
    mixed = lagged(together(*(alone[number] for number in sorted(alone))), lag=1000)
    for step, means, _ in mixed:
        assert means.shape == step.means.shape
        for number, mean in zip(step.numbers.tolist(), means, strict=True):
            np.testing.assert_allclose(mean, expected.pop((step.instant, number)), atol=1e-9)
    assert not expected


def test_who_left_is_not_corrected_by_those_who_stay():
    leaves, stays = followed(wide_curve(5), 1), followed(wide_curve(20), 2)
    after = lagged(together(leaves, stays))
    np.testing.assert_array_equal(after[4][1][0], leaves[4].means[0])
    assert (after[0][1][0] != leaves[0].means[0]).any()


def test_an_empty_yard_has_a_history_too():
    nobody = np.empty((0, 5)), np.empty((0, 5, 5))
    F = MOTION.transition(1 / HZ)
    empty = [Step(i, i / HZ, F, np.empty(0, int), *nobody, *nobody) for i in range(5)]
    comes = followed(wide_curve(5), first=5)
    for step, means, covariances in lagged([*empty, *comes], lag=2):
        assert means.shape == (len(step.numbers), 5)
        assert covariances.shape == (len(step.numbers), 5, 5)


def test_without_a_lag_nothing_is_corrected():
    steps = followed(wide_curve(20))
    for step, means, covariances in lagged(steps, lag=0):
        np.testing.assert_array_equal(means, step.means)
        np.testing.assert_array_equal(covariances, step.covariances)


def test_what_was_filtered_is_not_touched():
    steps = followed(wide_curve(20))
    before = [step.means.copy() for step in steps]
    lagged(steps)
    assert all((step.means == kept).all() for step, kept in zip(steps, before, strict=True))


def test_a_checkpoint_changes_nothing():
    """By way of the bytes that another worker reads."""
    steps = together(followed(wide_curve(30), 1), followed(wide_curve(20), 2, first=5, seed=8))
    history = History()
    for step in steps[:15]:
        history.append(step)
    data = wire.pack(to_state([Hypothesis(Tracks.none(), history)]))
    (told,) = from_state(wire.unpack(data))
    assert wire.pack(to_state([told])) == data
    other = told.history
    for one, two in zip(lagged(steps[15:], history=history), lagged(steps[15:], history=other), strict=True):
        assert (one[0].instant, one[0].time_s) == (two[0].instant, two[0].time_s)
        np.testing.assert_array_equal(one[1], two[1])
        np.testing.assert_array_equal(one[2], two[2])
