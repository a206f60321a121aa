"""How close people come to one another, and what that makes of an explanation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workers.tracking.meetings import REACH, _approaches, meet
from workers.tracking.settings import TrackerSettings

quick = settings(max_examples=80, deadline=None, derandomize=True)
USUAL = TrackerSettings()
WITHIN = REACH * USUAL.body_m
NOBODY: dict[tuple[int, int], float] = {}


def walk(*legs: tuple[tuple[float, float], tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) places before and after."""
    return np.array([a for a, _ in legs], float), np.array([b for _, b in legs], float)


def after(legs, closest=NOBODY) -> tuple[dict, float]:
    return meet(np.array([3, 8]), *walk(*legs), closest, USUAL)


THROUGH = (((0, 0), (1, 0)), ((1, 0), (0, 0)))
PAST = (((0, 0), (1, 0)), ((1, 0.5), (0, 0.5)))


def test_who_walks_through_somebody_came_as_near_as_can_be():
    assert after(THROUGH) == ({(3, 8): 0.0}, USUAL.repulsion)


def test_passing_by_costs_next_to_nothing():
    closest, cost = after(PAST)
    assert closest == {(3, 8): pytest.approx(0.5)}
    assert 0 < cost < 0.05 * USUAL.repulsion


def test_who_keeps_away_meets_nobody():
    assert after((((0, 0), (1, 0)), ((0, 1), (1, 1)))) == ({}, 0.0)


def test_a_meeting_costs_as_much_as_its_closest_moment():
    """However many instants it takes: nearer, nearer still, apart, near once more."""
    gaps, closest, total = (0.5, 0.3, 0.4, 0.3, 0.55), {}, 0.0
    for gap, then in pairwise(gaps):
        closest, cost = after((((0, 0), (0, 0)), ((gap, 0), (then, 0))), closest)
        total += cost
    at_once = after((((0, 0), (0, 0)), ((0.3, 0), (0.3, 0))))[1]
    assert closest == {(3, 8): pytest.approx(0.3)}
    assert total == pytest.approx(at_once)


def test_who_parts_and_meets_again_pays_again():
    closest, first = after(THROUGH)
    closest, none = after((((0, 0), (0, 0)), ((1, 0), (2, 0))), closest)
    assert (closest, none) == ({}, 0.0)
    assert after(THROUGH, closest)[1] == first


@quick
@given(arrays(float, st.tuples(st.just(2), st.integers(0, 9), st.just(2)), elements=st.floats(-1.5, 1.5)))
def test_everybody_who_came_near_is_found(places):
    before, now = places
    pairs, gaps = _approaches(np.ascontiguousarray(before), np.ascontiguousarray(now), WITHIN)
    found = {tuple(pair): gap for pair, gap in zip(pairs.tolist(), gaps.tolist(), strict=True)}
    shares = np.linspace(0, 1, 401)[:, None]
    for i in range(len(now)):
        for j in range(i + 1, len(now)):
            apart = (before[i] - before[j]) * (1 - shares) + (now[i] - now[j]) * shares
            least = np.hypot(*apart.T).min()
            if (i, j) in found:
                assert found[i, j] == pytest.approx(least, abs=0.01)
            else:
                assert least >= WITHIN
    assert pairs.tolist() == sorted(pairs.tolist())
