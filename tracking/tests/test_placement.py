"""Which device perceives which camera."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.redis import redis_client
from tracking import placement
from tracking.devices import announce, live_device_queues, withdraw
from tracking.placement import balanced
from tracking.services import task_start
from tracking.tests.factories import prepared


def spread(places, loads, *, others=None, capacity=None):
    return balanced(places, loads, others=others or {}, capacity=capacity or {"gpu.0": 1, "gpu.1": 1})


def test_new_cameras_are_spread_by_what_they_cost():
    new = dict.fromkeys("abcd")
    places = spread(new, {"a": 300, "b": 100, "c": 100, "d": 100})
    assert places == {"a": "gpu.0", "b": "gpu.1", "c": "gpu.1", "d": "gpu.1"}


def test_cameras_stay_where_they_are_while_the_difference_is_small():
    places = {"a": "gpu.0", "b": "gpu.0", "c": "gpu.1"}
    assert spread(places, {"a": 60, "b": 60, "c": 100}) == places


def test_one_camera_at_a_time_leaves_a_device_that_has_too_much_to_do():
    places = dict.fromkeys("abcd", "gpu.0")
    moved = spread(places, dict.fromkeys("abcd", 100))
    assert sorted(moved.values()) == ["gpu.0"] * 3 + ["gpu.1"]
    again = spread(moved, dict.fromkeys("abcd", 100))
    assert sorted(again.values()) == ["gpu.0"] * 2 + ["gpu.1"] * 2
    assert spread(again, dict.fromkeys("abcd", 100)) == again


def test_cameras_of_a_dead_device_move_and_the_others_stay():
    places = {"a": "gpu.0", "b": "gpu.1", "c": "gpu.2"}
    assert spread(places, dict.fromkeys("abc", 1)) == {"a": "gpu.0", "b": "gpu.1", "c": "gpu.0"}


def test_other_tasks_count():
    assert spread({"a": None}, {}, others={"gpu.0": 500}) == {"a": "gpu.1"}


def test_a_queue_that_two_hosts_serve_takes_twice_as_much():
    places = spread(dict.fromkeys("abcdef"), {}, capacity={"gpu.0": 2, "gpu.1": 1})
    assert sorted(places.values()) == ["gpu.0"] * 4 + ["gpu.1"] * 2


@given(
    st.dictionaries(
        st.sampled_from("abcdefgh"), st.sampled_from(["gpu.0", "gpu.1", "gone", None]), min_size=1
    ),
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.1, 1e4)),
    st.dictionaries(st.sampled_from(["gpu.0", "gpu.1"]), st.floats(0, 1e5)),
)
def test_it_comes_to_rest(places, loads, others):
    """Moving cameras to and fro would cost more than it brings."""
    capacity = {"gpu.0": 1, "gpu.1": 1}
    for _ in range(10):
        before, places = places, balanced(places, loads, others=others, capacity=capacity)
    assert set(places.values()) <= set(capacity)
    assert places == before


# -- with real workers' announcements and measured batches ---------------------------------------------------


@pytest.fixture
def devices(monkeypatch):
    """Two devices are alive."""

    def serve(queue: str) -> None:
        monkeypatch.setenv("SPOTON_QUEUE", queue)

    for queue in ("gpu.0", "gpu.1"):
        serve(queue)
        announce(hostname=f"perceive-{queue}@host")
    return serve


pytestmark = pytest.mark.django_db(transaction=True)


def test_a_worker_that_ends_gives_its_cameras_up_at_once(devices, yard, operator):
    task = prepared(task_start(user=operator, environment=yard, pacing="max"))
    first = placement.place(task)
    assert set(first.values()) == {"gpu.0", "gpu.1"}
    devices("gpu.1")
    withdraw(hostname="perceive-gpu.1@host")
    assert live_device_queues() == {"gpu.0": 1}
    after = placement.place(task)
    assert set(after.values()) == {"gpu.0"}


def test_what_batches_cost_is_learned_and_the_balance_follows(devices, yard, operator):
    task = prepared(task_start(user=operator, environment=yard, pacing="max"))
    other = prepared(task_start(user=operator, environment=yard, pacing="max"))
    report = {"timings_ms": {"queue": 9e9, "decode": 10.0, "detect": 480.0, "embed": 10.0}}
    placement.measured(task=task, instants=10, reports=dict.fromkeys(("c01", "c02"), report))
    redis_client().hset(f"spoton:places:{task.pk}", mapping={"c01": "gpu.0", "c02": "gpu.0"})
    redis_client().delete(f"spoton:balance:{other.pk}", f"spoton:places:{other.pk}")
    assert set(placement.place(other).values()) == {"gpu.1"}, "the first task fills the other device"
