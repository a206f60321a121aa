"""Leaks are told from noise, warming up, and processes that come and go."""

from __future__ import annotations

import numpy as np
import pytest

from spoton.soak.leaks import MOST_PER_HOUR, trends
from spoton.soak.samples import MEMORY

# ten minutes, a sample every ten seconds
TIMES_S = np.arange(0, 600, 10.0)
ALLOWED = MOST_PER_HOUR[MEMORY]


def leaks(values: np.ndarray) -> bool:
    (trend,) = trends(TIMES_S, [{("web", MEMORY): value} for value in values])
    return trend.leaks


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1.0, len(TIMES_S))


def test_noise_is_no_leak(noise):
    assert not leaks(200 + noise)


def test_what_comes_and_goes_with_every_task_is_no_leak(noise):
    assert not leaks(200 + 20 * (TIMES_S % 40 > 20) + noise)


def test_warming_up_is_no_leak(noise):
    assert not leaks(200 + 300 * np.clip(TIMES_S / 180, 0, 1) + noise)


def test_one_outlier_is_no_leak(noise):
    noise[-1] += 500
    assert not leaks(200 + noise)


def test_steady_growth_is_a_leak(noise):
    assert leaks(200 + noise + 3 * ALLOWED * TIMES_S / 3600)


def test_growth_in_steps_is_a_leak(noise):
    assert leaks(200 + noise + np.floor(TIMES_S / 60) * 3 * ALLOWED / 60)


def test_growth_within_what_is_allowed_is_none(noise):
    assert not leaks(200 + noise + 0.5 * ALLOWED * TIMES_S / 3600)


def test_a_process_that_is_started_again_is_measured_as_it_is(noise):
    """It was away for a few samples: their 0 does not hide the growth of the rest."""
    values = 200 + noise + 5 * ALLOWED * TIMES_S / 3600
    samples = [{("web", MEMORY): value} for value in values]
    samples[30] = samples[31] = {}
    (trend,) = trends(TIMES_S, samples)
    assert trend.leaks


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="8 are needed"):
        trends(TIMES_S[:6], [{("web", MEMORY): 1.0}] * 6)


def test_every_measure_has_a_bound_of_its_own():
    samples = [{("web", measure): 1.0 for measure in MOST_PER_HOUR} for _ in TIMES_S]
    found = trends(TIMES_S, samples)
    assert {trend.measure: trend.allowed for trend in found} == MOST_PER_HOUR
    assert not any(trend.leaks for trend in found)
