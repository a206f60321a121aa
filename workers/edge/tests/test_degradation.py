"""Under load live pictures become smaller and fewer, step by step, and come back when there is time again."""

from __future__ import annotations

from itertools import pairwise

import pytest

from workers.edge.degradation import CALM_S, LATE_IN_FLIGHT, LATE_TO_DEGRADE, LEVELS, WINDOW_S, Degradation


def observe(
    degradation: Degradation, seconds: float, *, since_s: float, in_flight: int = 0, room: bool = True
) -> float:
    """Ten instants a second; the time after them."""
    for i in range(round(seconds * 10)):
        degradation.observe(in_flight, room, since_s + i / 10)
    return since_s + seconds


def test_on_time_everything_is_taken_at_full_quality():
    degradation = Degradation()
    observe(degradation, 60, since_s=0, in_flight=LATE_IN_FLIGHT - 1)
    assert (degradation.level, degradation.quality) == (0, LEVELS[0])
    assert all(degradation.takes(i) for i in range(10))


@pytest.mark.parametrize("late", [{"in_flight": LATE_IN_FLIGHT}, {"room": False}])
def test_some_late_instants_cost_one_level(late):
    degradation = Degradation()
    now = observe(degradation, (LATE_TO_DEGRADE - 1) / 10, since_s=0, **late)
    assert degradation.level == 0
    observe(degradation, 0.1, since_s=now, **late)
    assert degradation.level == 1


def test_a_late_instant_now_and_then_does_no_harm():
    degradation = Degradation()
    for i in range(50):
        degradation.observe(0, False, i * (WINDOW_S / LATE_TO_DEGRADE + 0.5))
    assert degradation.level == 0


def test_it_goes_down_to_the_last_level_and_no_further():
    degradation = Degradation()
    observe(degradation, 60, since_s=0, room=False)
    assert degradation.level == len(LEVELS) - 1
    taken = [i for i in range(40) if degradation.takes(i)]
    assert len(taken) == 40 // LEVELS[-1].every


def test_one_level_is_given_back_for_every_calm_while():
    degradation = Degradation()
    now = observe(degradation, 60, since_s=0, room=False)
    levels = []
    for _ in range(4):
        now = observe(degradation, CALM_S + 0.2, since_s=now)
        levels.append(degradation.level)
    assert levels == [2, 1, 0, 0]


def test_levels_only_become_worse():
    for better, worse in pairwise(LEVELS):
        assert worse.width <= better.width
        assert worse.jpeg <= better.jpeg
        assert worse.every >= better.every
