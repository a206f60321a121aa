"""Which batches are asked for, when and of whom; seen in the queues of the real broker."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.redis import redis_client
from tracking import observations, schedule
from tracking.commit import commit_ready_batches
from tracking.devices import announce, withdraw
from tracking.models import ProcessingTask
from tracking.queues import lists_of
from tracking.services import task_start, task_stop
from tracking.tests.factories import asked_for, perceived, prepared, queued, record, walk

# on_commit runs as it does in production
pytestmark = pytest.mark.django_db(transaction=True)
WINDOW = 6


@pytest.fixture
def window(settings):
    settings.ENV = settings.ENV.model_copy(update={"window_batches": WINDOW})


@pytest.fixture
def task(window, yard, operator):
    """Ten batches at full speed."""
    return prepared(task_start(user=operator, environment=yard, pacing="max"))


def done(task: ProcessingTask, batches: int, **fields) -> None:
    """So many batches are committed."""
    ProcessingTask.objects.filter(pk=task.pk).update(batches_done=batches, **fields)


def stalled(task: ProcessingTask) -> None:
    """Nothing has happened for long."""
    long_ago = timezone.now() - timedelta(seconds=schedule.STALL_SECONDS + 1)
    ProcessingTask.objects.filter(pk=task.pk).update(started_at=long_ago, created_at=long_ago)
    redis_client().delete(*lists_of("cpu.0"), "associate", f"spoton:nudge:{task.pk}")


def pairs(*numbers: int) -> list[tuple[int, str]]:
    return [(number, camera) for number in numbers for camera in ("c01", "c02")]


def schedule_batches(task: ProcessingTask) -> int:
    return schedule.schedule_batches(task_id=str(task.pk))


# -- as fast as possible -------------------------------------------------------------------------------------


def test_a_window_of_batches_is_in_flight_at_most(task):
    assert asked_for() == pairs(*range(WINDOW))
    assert schedule_batches(task) == 0, "nothing is done yet"


def test_what_is_done_makes_room(task):
    done(task, 3)
    assert schedule_batches(task) == 3
    assert asked_for() == pairs(*range(WINDOW + 3))
    done(task, 9)
    assert schedule_batches(task) == 1, "there are only ten"
    assert schedule_batches(task) == 0


def test_no_camera_batch_is_asked_for_twice(task):
    for number in range(10):
        done(task, number)
        schedule_batches(task)
        schedule_batches(task)
    assert asked_for() == pairs(*range(10))


@pytest.mark.parametrize("status", ["QUEUED", "INITIALIZING", "PAUSED", "COMPLETED", "STOPPED", "FAILED"])
def test_only_running_tasks_are_scheduled(task, status):
    done(task, 5, status=status, error_message="x")
    assert schedule_batches(task) == 0


def test_unknown_tasks_are_ignored(db):
    assert schedule.schedule_batches(task_id="00000000-0000-4000-8000-000000000000") == 0


def test_a_message_is_a_reference_never_pixels(task):
    name, ((message,),) = queued("cpu.0")[1]
    assert name == "workers.perceive"
    assert message["segments"][0]["instants"] == list(range(10))
    assert message["segments"][0]["uri"] == "/footage/c01-0.mp4"
    assert len(str(message)) < 2000


# -- devices -------------------------------------------------------------------------------------------------


def test_cameras_are_spread_over_the_devices_that_are_alive(window, yard, operator, monkeypatch):
    """A camera stays on its device: its open file and background are there."""
    for name, queue in (("a", "gpu.0"), ("b", "gpu.1"), ("c", "")):
        monkeypatch.setenv("SPOTON_QUEUE", queue)
        announce(hostname=name)
    prepared(task_start(user=operator, environment=yard, pacing="max"))
    # which device is first differs from task to task
    each = [asked_for(queue) for queue in ("gpu.0", "gpu.1")]
    assert sorted(each) == [[(n, camera) for n in range(WINDOW)] for camera in ("c01", "c02")]
    assert asked_for("cpu.0") == []


def test_association_goes_on_where_the_tracker_is(task, monkeypatch):
    """The worker that had the last batch has the tracker in memory; when it is gone, any will do."""

    def notices(queue: str) -> list:
        return [args for name, args in queued(queue) if name == "workers.associate"]

    monkeypatch.delenv("SPOTON_QUEUE", raising=False)
    announce(hostname="associate-1@host")
    schedule.associated_by(str(task.pk), "associate.associate-1@host")
    schedule.associate_later(str(task.pk))
    assert notices("associate.associate-1@host") == [[str(task.pk)]]
    withdraw(hostname="associate-1@host")
    schedule.associate_later(str(task.pk))
    assert notices("associate") == [[str(task.pk)]]


# -- in real time --------------------------------------------------------------------------------------------


@pytest.fixture
def at(monkeypatch):
    """Sets the clock to so many seconds after the task began."""

    def move(task: ProcessingTask, seconds: float) -> None:
        moment = task.started_at + timedelta(seconds=seconds)
        monkeypatch.setattr(schedule.timezone, "now", lambda: moment)
        redis_client().delete(f"spoton:timer:{task.pk}")

    return move


def test_in_real_time_the_clock_says_what_is_due(window, yard, operator, at):
    """Each batch lasts a second and is asked for half a second before it would have been captured."""
    task = prepared(task_start(user=operator, environment=yard, pacing="realtime"))
    assert asked_for() == pairs(0)
    at(task, 0.4)
    assert schedule_batches(task) == 0
    at(task, 0.6)
    assert schedule_batches(task) == 1
    at(task, 3.6)
    assert schedule_batches(task) == 3
    assert asked_for() == pairs(0, 1, 2, 3, 4)


def test_in_real_time_the_window_counts_too(window, yard, operator, at):
    """When perception falls behind, batches do not pile up in the queue."""
    task = prepared(task_start(user=operator, environment=yard, pacing="realtime"))
    at(task, 9)
    schedule_batches(task)
    assert asked_for() == pairs(*range(WINDOW))


def test_one_timer_waits_for_the_next_batch(window, yard, operator):
    """Commits and duplicates come by often; each would otherwise start a chain of timers of its own."""
    task = prepared(task_start(user=operator, environment=yard, pacing="realtime"))
    for _ in range(5):
        schedule_batches(task)
    timers = [args for name, args in queued("maintenance") if name == "tracking.schedule_batches"]
    assert timers == [[str(task.pk)]]


# -- what was lost -------------------------------------------------------------------------------------------


def test_the_watchdog_leaves_tasks_alone_that_get_on(task):
    redis_client().delete(*lists_of("cpu.0"))
    assert schedule.watch_tasks() == []
    assert queued("cpu.0", "associate") == []


def test_the_watchdog_asks_again_for_exactly_what_lacks(task):
    done(task, 1)
    stalled(task)
    perceived(task, 1, 3)
    perceived(task, 2, cameras=("c02",))
    assert schedule.watch_tasks() == [str(task.pk)]
    lacking = [(2, "c01"), *pairs(4, 5)]
    # the done one has made room for one more
    assert asked_for() == [*lacking, *pairs(6)]
    assert ("workers.associate", [str(task.pk)]) in queued("associate"), "its notice may be what was lost"


def test_the_watchdog_helps_once_and_waits_for_the_effect(task):
    stalled(task)
    assert schedule.watch_tasks() == [str(task.pk)]
    assert schedule.watch_tasks() == []
    assert asked_for() == pairs(*range(WINDOW))


def test_after_a_restart_of_redis_all_tasks_are_helped_at_once(task, monkeypatch):
    """Once, and only when workers have announced themselves: whom else to ask?"""
    monkeypatch.setenv("SPOTON_QUEUE", "cpu.0")
    announce(hostname="perceive-cpu.0@here")
    schedule.watch_tasks()
    redis_client().flushall()
    assert schedule.watch_tasks() == []
    announce(hostname="perceive-cpu.0@here")
    assert schedule.watch_tasks() == [str(task.pk)]
    assert asked_for() == pairs(*range(WINDOW))
    assert schedule.watch_tasks() == []


def test_the_watchdog_asks_again_for_the_preparation(window, yard, operator):
    task = task_start(user=operator, environment=yard)
    stalled(task)
    schedule.watch_tasks()
    assert queued("cpu.0") == [("workers.prepare_task", [str(task.pk)])]


def test_the_watchdog_leaves_ended_tasks_alone(operator, task):
    task_stop(user=operator, task=task)
    stalled(task)
    assert schedule.watch_tasks() == []


# -- live ----------------------------------------------------------------------------------------------------


@pytest.fixture
def live(window, yard, operator):
    yard.cameras.update(live_uri="rtsp://10.0.0.2/stream")
    return prepared(task_start(user=operator, environment=yard, mode="live"))


def open_batch(task: ProcessingTask, instant: int) -> int | None:
    """As ingest does: reserve, store the frames, send."""
    number, _ = schedule.live_batch_open(task_id=str(task.pk), instant=instant, time_s=1e9 + instant)
    if number is not None:
        schedule.live_batch_send(task=task, number=number, instant=instant)
    return number


def test_every_instant_of_live_cameras_is_a_batch_of_its_own(live):
    assert [open_batch(live, 3), open_batch(live, 5)] == [0, 1]
    assert asked_for() == pairs(0, 1)
    assert schedule.live_instant(str(live.pk), 1) == (5, 1e9 + 5)
    (_, (messages,)), *_ = queued("cpu.0")[1:]
    assert [m["camera"] for m in messages] == ["c01", "c02"], "what one device looks at comes together"
    assert all(m["live"] and m["segments"][0]["instants"] == [3] for m in messages)


def test_what_was_remembered_of_a_live_batch_goes_with_its_state(live):
    open_batch(live, 3)
    open_batch(live, 6)
    perceived(live, 0)
    assert commit_ready_batches(task_id=str(live.pk), associate=walk) == 1
    assert [schedule.live_instant(str(live.pk), number) for number in (0, 1)] == [None, (6, 1e9 + 6)]


def test_live_batches_beyond_the_window_are_refused_not_queued(live):
    numbers = [open_batch(live, i) for i in range(WINDOW + 2)]
    assert numbers == [*range(WINDOW), None, None]
    done(live, 1)
    assert open_batch(live, 99) == WINDOW


def test_what_is_in_flight_is_told(live):
    told = [schedule.live_batch_open(task_id=str(live.pk), instant=i, time_s=0.0)[1] for i in range(3)]
    assert told == [0, 1, 2]


def test_a_live_batch_whose_perception_was_lost_is_asked_for_again(live):
    open_batch(live, 3)
    open_batch(live, 5)
    stalled(live)
    perceived(live, 0)
    schedule.watch_tasks()
    assert asked_for() == pairs(1)
    assert queued("cpu.0")[0][1][0][0]["segments"][0]["instants"] == [5]


def test_live_batches_are_taken_before_recorded_ones(live, yard, operator):
    """Whoever looks at what happens now does not wait behind hours of recordings."""
    record(yard.cameras.get(slug="c01"))
    prepared(task_start(user=operator, environment=yard, pacing="max"))
    open_batch(live, 3)
    client = redis_client()
    lists = [
        [m for m in client.lrange(name, 0, -1) if b"workers.perceive" in m] for name in lists_of("cpu.0")
    ]
    assert [len(found) for found in lists] == [1, 0, WINDOW * 2]


# -- observations on their way -------------------------------------------------------------------------------


def test_observations_are_complete_when_every_camera_has_delivered(task):
    place = {"task_id": str(task.pk), "number": 0}
    both = {**place, "cameras": ["c02", "c01"]}
    observations.store(**place, data={"c01": b"one"})
    assert not observations.complete(**both)
    assert observations.fetch_all(**both) is None
    observations.store(**place, data={"c02": b"two"})
    assert observations.complete(**both)
    assert observations.fetch_all(**both) == [b"two", b"one"]
    observations.discard(task_id=str(task.pk), numbers=[0], cameras=["c02", "c01"])
    assert not observations.complete(**place, cameras=["c01"])


def test_only_one_worker_perceives_a_batch(task):
    """A redelivered message is its first receiver's; a duplicate waits until the lease has ended."""
    place = {"task_id": str(task.pk), "number": 0, "cameras": ["c01", "c02"]}
    assert observations.lease(**place, owner="message-1") == ["c01", "c02"]
    assert observations.lease(**place, owner="message-2") == []
    assert observations.lease(**place, owner="message-1") == ["c01", "c02"]
    observations.end_lease(**{**place, "cameras": ["c02"]})
    assert observations.lease(**place, owner="message-2") == ["c02"]


def test_what_was_perceived_is_not_perceived_again(task):
    place = {"task_id": str(task.pk), "number": 0}
    observations.lease(**place, cameras=["c01"], owner="message-1")
    observations.store(**place, data={"c01": b"one"})
    assert observations.lease(**place, cameras=["c01", "c02"], owner="message-2") == ["c02"]
    assert observations.leased(task_id=str(task.pk), pairs=[(0, "c01"), (0, "c02")]) == {(0, "c02")}


def test_a_worker_that_starts_ends_the_leases_it_held_when_it_was_killed(task, monkeypatch):
    place = {"task_id": str(task.pk), "number": 0}
    for queue, camera in (("cpu.0", "c01"), ("cpu.1", "c02")):
        monkeypatch.setenv("SPOTON_QUEUE", queue)
        assert observations.lease(**place, cameras=[camera], owner="message-1")
    assert observations.end_leases_of_this_worker() == 1
    assert observations.leased(task_id=str(task.pk), pairs=pairs(0)) == {(0, "c01")}
    assert observations.end_leases_of_this_worker() == 0
