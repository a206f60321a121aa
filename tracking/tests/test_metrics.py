"""What is measured of every batch and every delivery, and that measuring never gets into the way."""

from __future__ import annotations

import time

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from environments.redis import redis_client
from spoton.services.processes import free_port
from tracking import metrics, performance
from tracking.commit import commit_ready_batches
from tracking.models import ProcessingTask
from tracking.tests.factories import START, perceived, walk

pytestmark = pytest.mark.django_db(transaction=True)

CAPTURED_S = START.timestamp()
TIMINGS = {"queue": 40.0, "decode": 100.0, "detect": 200.0, "embed": 0.0}


def report(frames: int = 10, **fields):
    return {"frames": frames, "detections": 3 * frames, "problems": [], "timings_ms": TIMINGS, **fields}


def measure(task, reports, captured_s=(CAPTURED_S,)):
    stages = {"associate": 30.0, "record": 20.0, "publish": 2.0}
    metrics.batch_measured(task=task, captured_s=captured_s, reports=reports, stages_ms=stages)


def observed(histogram: str, label: str) -> tuple[int, float]:
    """(observations, their sum in seconds)."""
    numbers = {name[2]: value for name, value in metrics.numbers().items() if name[:2] == (histogram, label)}
    total = numbers.pop("sum", 0.0)
    return int(sum(numbers.values())), pytest.approx(total)


@pytest.fixture
def redis_down(monkeypatch):
    """Redis as it looks when nothing listens at its address."""
    port = free_port("127.0.0.1", 20_101)
    dead = redis.Redis(host="127.0.0.1", port=port, retry=Retry(NoBackoff(), 0))
    monkeypatch.setattr(metrics, "redis_client", lambda: dead)


def test_a_batch_waits_once_and_is_worked_on_frame_by_frame(task):
    measure(task, {"c01": report(), "c02": report(frames=5)})
    assert observed("stage_seconds", "queue") == (2, 0.08)
    assert observed("stage_seconds", "decode") == (15, 0.2)
    assert observed("stage_seconds", "associate") == (1, 0.03)
    assert observed("stage_seconds", "publish") == (1, 0.002)
    numbers = metrics.numbers()
    assert numbers["frames", "yard", "c01"] == 10
    assert numbers["detections", "yard", "c02"] == 15
    assert numbers["batches", "yard", "recorded"] == 1


def test_observations_lie_in_the_bucket_whose_bound_they_do_not_exceed(task):
    # 10 ms for a frame: exactly a bound, and a bound belongs to its bucket
    measure(task, {"c01": report(timings_ms={"detect": 100.0})})
    bucket = str(metrics.BUCKETS_S.index(0.01))
    assert metrics.numbers()["stage_seconds", "detect", bucket] == 10


def test_a_camera_without_frames_takes_no_time_per_frame(task):
    measure(task, {"c01": report(frames=0, detections=0, problems=[{"message": "cut off"}])}, captured_s=())
    numbers = metrics.numbers()
    assert not [name for name in numbers if name[:2] == ("stage_seconds", "decode")]
    assert numbers["problems", "yard", "c01"] == 1
    assert ("frames", "yard", "c01") not in numbers


def test_every_committed_batch_is_measured_once(task):
    perceived(task, 0, 1)
    assert commit_ready_batches(task_id=str(task.pk), associate=walk) == 2
    assert commit_ready_batches(task_id=str(task.pk), associate=walk) == 0
    numbers = metrics.numbers()
    assert numbers["batches", "yard", "recorded"] == 2
    assert numbers["frames", "yard", "c02"] == 20
    for stage in ("associate", "record", "publish"):
        assert observed("stage_seconds", stage)[0] == 2
    assert len(metrics.recent_seconds("publish")) == 2
    last = metrics.last_published()["yard", "c01"]
    assert last["captured_at"] == pytest.approx(START.timestamp() + 1.9)


def test_live_instants_are_timed_from_their_capture(task):
    task.mode = ProcessingTask.Mode.LIVE
    now = time.time()
    measure(task, {"c01": report(2)}, captured_s=(now - 5.0, now - 4.0))
    count, seconds = observed("live_latency_seconds", "published")
    assert count == 2
    assert seconds.expected >= 9.0


def test_a_clock_ahead_of_ours_gives_no_negative_time(task):
    task.mode = ProcessingTask.Mode.LIVE
    measure(task, {"c01": report(1)}, captured_s=(time.time() + 5.0,))
    assert observed("live_latency_seconds", "published") == (1, 0.0)


def test_a_batch_is_committed_though_it_cannot_be_measured(task, redis_down, caplog):
    perceived(task, 0, 1)
    assert commit_ready_batches(task_id=str(task.pk), associate=walk) == 2
    said = [record for record in caplog.records if record.name == metrics.__name__]
    assert len(said) == 1, "once, not with every batch"


def test_deliveries_to_many_sockets_are_written_together(task):
    deliveries = metrics.Deliveries()
    deliveries.add(committed_at=time.time() - 0.2, captured_s=[time.time() - 0.3])
    deliveries._writer.shutdown(wait=True)
    assert observed("stage_seconds", "deliver")[0] == 1
    # within the same second: added up
    for _ in range(500):
        deliveries.add(committed_at=time.time(), captured_s=[])
    assert observed("stage_seconds", "deliver")[0] == 1
    deliveries.flush()
    deliveries.flush()
    assert observed("stage_seconds", "deliver")[0] == 501
    assert observed("live_latency_seconds", "delivered")[0] == 1
    assert len(metrics.recent_seconds("deliver")) == metrics.MOST_RECENT


def test_waiting_messages_of_every_priority_are_counted():
    client = redis_client()
    client.lpush("associate", "a", "b")
    client.lpush("cpu.1", "a")
    client.lpush("cpu.1\x06\x166", "a", "b")
    client.lpush("associate.associate-0@here", "a")
    workers = {
        "perceive-cpu.1@here": "cpu.1",
        "media@here": "",
        "associate-0@here": "",
        "associate-1@here": "",
    }
    lengths = performance.queue_lengths(workers)
    assert (lengths["associate"], lengths["cpu.1"], lengths["media"]) == (3, 3, 0)
    assert performance.workers_by_queue(workers) == {"cpu.1": 1, "media": 1, "associate": 2}


def test_the_rate_of_a_camera_falls_when_nothing_arrives(running):
    batches = list(running.batches.order_by("-number"))
    committed = batches[-1].committed_at.timestamp()
    assert performance._fps(batches, "c01", now=committed + 1.0) == 10.0
    assert performance._fps(batches, "c01", now=committed + 100.0) == 0.1
    assert performance._fps(batches[:1], "c01", now=committed) is None
