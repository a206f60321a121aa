"""A closed track's path, seen from its end: nearer to the truth than what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from workers.mapping.smoothing import smooth

SIGMA_M = 0.3


@pytest.fixture
def walk() -> tuple[np.ndarray, np.ndarray]:
    """(200,) times and (200, 2) true positions of somebody who walks a wide curve at 1.3 m/s."""
    times = np.arange(200) / 10
    angle = 1.3 / 8.0 * times
    return times, 8.0 * np.column_stack([np.cos(angle), np.sin(angle)])


def measured(truth: np.ndarray, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    noise = np.random.default_rng(seed).normal(0, SIGMA_M, truth.shape)
    return truth + noise, np.broadcast_to(np.eye(2) * SIGMA_M**2, (len(truth), 2, 2))


def error_m(path: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(((path - truth) ** 2).sum(1).mean()))


def test_smoothing_more_than_halves_the_error(walk):
    times, truth = walk
    positions, covariances = measured(truth)
    smoothed = smooth(times, positions, covariances, 1.0)
    assert error_m(smoothed, truth) < 0.5 * error_m(positions, truth)


def test_steps_become_even(walk):
    times, truth = walk
    positions, covariances = measured(truth)
    jerk = [
        np.abs(np.diff(p, 2, axis=0)).mean() for p in (positions, smooth(times, positions, covariances, 1.0))
    ]
    assert jerk[1] < 0.05 * jerk[0]


def test_gaps_and_uncertain_points_are_bridged(walk):
    """Every seventh point is off by metres and says so; four seconds are missing."""
    times, truth = walk
    positions, covariances = measured(truth)
    covariances = covariances.copy()
    positions[::7] += [4.0, -3.0]
    covariances[::7] = np.eye(2) * 10.0**2
    kept = (times < 8) | (times > 12)
    smoothed = smooth(times[kept], positions[kept], covariances[kept], 1.0)
    assert error_m(smoothed, truth[kept]) < SIGMA_M


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_points_stay_as_they_are(walk, n):
    times, truth = walk
    positions, covariances = measured(truth)
    assert np.array_equal(smooth(times[:n], positions[:n], covariances[:n], 1.0), positions[:n])


def test_what_was_measured_is_not_touched(walk):
    times, truth = walk
    positions, covariances = measured(truth)
    before = positions.copy()
    smooth(times, positions, covariances, 1.0)
    assert np.array_equal(positions, before)
