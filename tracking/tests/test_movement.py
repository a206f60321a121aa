"""Distance, speed, stays and visits, from places whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from tracking.movement import Places, distance_m, stays, visits

DOOR = [[0, 0], [2, 0], [2, 4], [0, 4]]


def places(xs, *, y=1.0, begin_s=0.0, speed=1.0):
    """One place per second at these x."""
    return Places.of([(begin_s + i, begin_s + i + 0.9, x, y, speed) for i, x in enumerate(xs)])


def trembling(seconds, *, sigma_m, seed=0):
    """Means of ten positions a second around one place."""
    noise = np.random.default_rng(seed).normal(0, sigma_m, (seconds, 10, 2)).mean(1)
    return Places.of([(i, i + 0.9, 5 + x, 5 + y, 0.0) for i, (x, y) in enumerate(noise.tolist())])


def test_places_last_until_the_next_and_the_last_of_a_stay_until_it_ends():
    found = Places.of([(0, 0.9, 0, 0, 1), (1, 1.9, 0, 0, 1), (12, 12.5, 0, 0, 1), (43, 43.9, 0, 0, 1)])
    assert found.stay.tolist() == [0, 0, 0, 1]
    assert found.duration_s.tolist() == pytest.approx([1, 11, 0.5, 0.9])


def test_nobody_was_nowhere():
    nothing = Places.of([])
    assert (distance_m(nothing), visits(nothing, DOOR), nothing.duration_s.sum()) == (0, None, 0)
    assert stays(np.array([]), np.array([])).tolist() == []


def test_who_sits_still_walks_nowhere():
    """Summing up the steps between positions would give kilometres."""
    sat = trembling(8 * 3600, sigma_m=0.15)
    assert np.linalg.norm(np.diff(sat.position_m, axis=0), axis=1).sum() > 1500
    assert distance_m(sat) < 1


@pytest.mark.parametrize("speed", [0.2, 1.0, 3.0])
def test_a_straight_walk_has_its_length(speed):
    rng = np.random.default_rng(1)
    xs = speed * np.arange(600) + rng.normal(0, 0.05, 600)
    assert distance_m(places(xs.tolist())) == pytest.approx(speed * 599, rel=0.02)


def test_to_and_fro_counts_both_ways():
    there = np.arange(0, 20.0)
    walk = np.concatenate([there, there[::-1], there])
    assert distance_m(places(walk.tolist())) == pytest.approx(57)


def test_nobody_walks_while_they_are_away():
    found = Places.of([(0, 0.9, 0, 0, 1), (1, 1.9, 1, 0, 1), (100, 100.9, 90, 0, 1), (101, 101.9, 91, 0, 1)])
    assert distance_m(found) == pytest.approx(2)


def test_visits_of_a_zone():
    """In for 3 s, out for 4 s, in for 2 s."""
    found = visits(places([1, 1, 1, 3, 3, 3, 3, 1.5, 1.5]), DOOR)
    assert (found.entries, found.first_s) == (2, 0)
    assert (found.dwell_s, found.last_s) == pytest.approx((4.9, 8.9))


def test_a_tremble_at_the_border_is_no_new_visit():
    found = visits(places([1.9, 1.9, 2.1, 1.9, 2.1, 1.9]), DOOR)
    assert (found.entries, found.dwell_s) == (1, pytest.approx(3.9))


def test_coming_back_after_a_break_is_a_new_visit():
    rows = [(0, 0.9, 1, 1, 0), (50, 50.9, 1, 1, 0)]
    assert visits(Places.of(rows), DOOR).entries == 2
