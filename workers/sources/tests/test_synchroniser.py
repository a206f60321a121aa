"""Frames of free-running cameras become instants. Times are simulated; no thread and no clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.sources.synchroniser import FrameSet, Synchroniser
from workers.types import SourceFrame

START = 1000.0
IMAGE = np.zeros((2, 2, 3), np.uint8)


def run(
    arrivals: list[tuple[float, str, float]], cameras: dict[str, float], *, fps: float = 10, until: float
) -> tuple[Synchroniser, list[tuple[float, FrameSet]]]:
    """Feed (arrival, camera, capture) in seconds since the start; every set with the time it was given out."""
    synchroniser = Synchroniser(cameras, fps, START)
    given_out, waiting = [], sorted(arrivals)
    now, i = 0.0, 0
    while now < until:
        while i < len(waiting) and waiting[i][0] <= now + 1e-9:
            arrived, camera, captured = waiting[i]
            synchroniser.add(camera, SourceFrame(i, START + captured, IMAGE), START + arrived)
            i += 1
        if (found := synchroniser.take(START + now)) is not None:
            given_out.append((now, found))
            continue
        wait = synchroniser.wait_s(START + now)
        following = waiting[i][0] if i < len(waiting) else until
        now = min(following, now + max(wait, 1e-6)) if wait is not None else following
    return synchroniser, given_out


def camera(
    name: str, fps: float, *, phase: float = 0.0, delay: float = 0.0, count: int = 50, seed: int | None = None
):
    jitter = np.zeros(count) if seed is None else np.random.default_rng(seed).normal(0, 0.004, count)
    times = phase + np.arange(count) / fps
    return [(t + delay + abs(j), name, t) for t, j in zip(times, jitter, strict=True)]


def instants(given_out) -> list[int]:
    return [found.instant for _, found in given_out]


def test_cameras_in_step_are_given_out_the_moment_the_last_frame_is_there():
    arrivals = camera("a", 10) + camera("b", 10, delay=0.012)
    _, given_out = run(arrivals, {"a": 0, "b": 0}, until=4.9)
    assert instants(given_out) == list(range(49))
    assert all(set(found.frames) == {"a", "b"} for _, found in given_out)
    waited = [now - (found.time_s - START) for now, found in given_out]
    assert max(waited) < 0.013


@pytest.mark.parametrize("phase", [0.0, 0.049, 0.05, 0.051, 0.09])
def test_no_frame_is_lost_whatever_the_phase_and_jitter(phase):
    """Sampling by a clock of our own loses one frame in ten or more where the phase lies between two instants."""
    arrivals = camera("a", 10, phase=phase, seed=1) + camera("b", 10, phase=phase + 0.01, seed=2)
    synchroniser, given_out = run(arrivals, {"a": 0, "b": 0}, until=5.2)
    assert len(given_out) == 50
    assert sum(len(found.frames) for _, found in given_out) == 100
    assert not synchroniser.dropped


def test_a_camera_that_runs_a_little_fast_keeps_all_frames_for_long():
    arrivals = camera("a", 10.02, count=300, seed=3)
    _, given_out = run(arrivals, {"a": 0}, until=31)
    times = np.array([(found.time_s - START, found.instant) for _, found in given_out])
    assert len(times) >= 299
    assert np.abs(times[:, 0] - times[:, 1] / 10).max() < 0.08, "an instant is where its number says"


def test_faster_cameras_are_thinned_to_the_rate_of_the_task():
    synchroniser, given_out = run(camera("a", 25, count=125), {"a": 0}, until=5)
    assert abs(len(given_out) - 50) <= 1
    assert np.diff(instants(given_out)).min() == 1
    assert not synchroniser.dropped, "thinning is no loss"


def test_slower_cameras_are_not_waited_for_in_vain():
    arrivals = camera("a", 10) + camera("b", 5, count=25)
    _, given_out = run(arrivals, {"a": 0, "b": 0}, until=4.95)
    with_b = [found for _, found in given_out if "b" in found.frames]
    assert len(given_out) == 50
    assert len(with_b) == 25
    late = [now - (found.time_s - START) for now, found in given_out[10:]]
    assert max(late) < 0.02


def test_frames_out_of_step_wait_for_each_other_for_less_than_a_period():
    phases = {"a": 0.0, "b": 0.03, "c": 0.06, "d": 0.09}
    arrivals = [row for name, phase in phases.items() for row in camera(name, 10, phase=phase)]
    _, given_out = run(arrivals, dict.fromkeys(phases, 0), until=5)
    assert sum(len(found.frames) for _, found in given_out) >= 4 * 48
    spans = [np.ptp([f.time_s for f in found.frames.values()]) for _, found in given_out]
    assert max(spans) <= 0.0901
    assert len(given_out) <= 52


def test_a_camera_that_delivers_late_is_joined_with_what_the_others_saw_at_the_same_time():
    arrivals = camera("a", 10) + camera("slow", 10, delay=0.3)
    _, given_out = run(arrivals, {"a": 0, "slow": 0.3}, until=4.9)
    both = [found for _, found in given_out if len(found.frames) == 2]
    assert len(both) >= 44
    assert all(np.ptp([f.time_s for f in found.frames.values()]) < 1e-6 for found in both)


def test_a_camera_that_falls_silent_is_waited_for_briefly_and_then_no_more():
    arrivals = camera("a", 10) + camera("b", 10, count=20)
    _, given_out = run(arrivals, {"a": 0, "b": 0}, until=4.95)
    alone = [(now, found) for now, found in given_out if set(found.frames) == {"a"}]
    assert len(alone) == 30
    assert all(now - (found.time_s - START) < 0.091 for now, found in alone)
    assert all(now - (found.time_s - START) < 0.001 for now, found in alone[12:])


def test_who_asks_late_gets_the_newest_and_the_rest_is_counted():
    synchroniser = Synchroniser({"a": 0}, 10, START)
    for i in range(5):
        synchroniser.add("a", SourceFrame(i, START + i / 10, IMAGE), START + i / 10)
    assert synchroniser.take(START + 1).instant == 4
    assert synchroniser.dropped == {"a": 4}
    assert synchroniser.take(START + 1) is None


def test_a_clock_that_is_set_back_does_not_stop_the_camera():
    synchroniser = Synchroniser({"a": 0}, 10, START)
    numbers = []
    for i, captured in enumerate([5.0, 5.1, 5.2, 2.0, 2.1, *(2.2 + k / 10 for k in range(40))]):
        synchroniser.add("a", SourceFrame(i, START + captured, IMAGE), START + 5 + i / 10)
        if (found := synchroniser.take(START + 5 + i / 10)) is not None:
            numbers.append(found.instant)
    assert numbers[:3] == [50, 51, 52]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] > 55, "it goes on once its clock has passed what was counted"


@given(
    st.lists(st.tuples(st.floats(0, 3), st.sampled_from("abc"), st.floats(-0.5, 3)), min_size=1, max_size=80)
)
def test_whatever_comes_instants_ascend_and_no_frame_is_given_twice(arrivals):
    _, given_out = run(arrivals, {"a": 0, "b": 0.1, "c": 0}, until=6)
    assert instants(given_out) == sorted(set(instants(given_out)))
    given_frames = [(name, f.index) for _, found in given_out for name, f in found.frames.items()]
    assert len(given_frames) == len(set(given_frames))
