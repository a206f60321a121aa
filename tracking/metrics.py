"""Measurements of the whole system, kept in Redis: workers on any host add to them, the web server shows them.

One hash holds numbers that only grow, as Prometheus wants them, so that no process that ends takes any along. What is
needed of just now beside the committed batches (`tracking.performance`) is kept for minutes. Losing a measurement is
no harm: nothing here ever fails a batch.
"""

from __future__ import annotations

import functools
import json
import logging
import threading
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec

from environments.redis import redis_client
from tracking.models import ProcessingTask

log = logging.getLogger(__name__)
P = ParamSpec("P")

STAGES = ("queue", "decode", "detect", "embed", "associate", "record", "publish", "deliver")
STAGE, LATENCY = "stage_seconds", "live_latency_seconds"
# upper bounds in seconds: from a notice within one host to a queue that hardly moves; the last is infinity
BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

NUMBERS_KEY, CAMERAS_KEY = "spoton:metrics", "spoton:metrics:cameras"
# samples of a stage of just now, where no batch's row holds them
MOST_RECENT, RECENT_TTL_SECONDS = 256, 300
# deliveries are written at most this often, however many sockets there are
FLUSH_EVERY_S = 1.0


def never_fails(function: Callable[P, None]) -> Callable[P, None]:
    """What only measures never breaks what is measured; trouble is said once, not with every batch."""
    failing = False

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        nonlocal failing
        try:
            function(*args, **kwargs)
            failing = False
        except Exception:
            if not failing:
                log.warning("%s fails for now, measurements are lost", function.__name__, exc_info=True)
            failing = True

    return wrapper


class Tally:
    """Measurements on their way to Redis: added up first, so that they cost one round trip."""

    def __init__(self) -> None:
        self.numbers: Counter[str] = Counter()
        self.recent: dict[str, list[float]] = defaultdict(list)

    def count(self, name: str, *labels: str, n: float = 1) -> None:
        if n:
            self.numbers["|".join((name, *labels))] += n

    def observe(self, histogram: str, label: str, seconds: float, *, times: int = 1) -> None:
        """`times` observations of so many seconds each."""
        # clocks of two hosts may disagree by more than a stage takes
        seconds = max(0.0, seconds)
        if times:
            self.count(histogram, label, str(bisect_left(BUCKETS_S, seconds)), n=times)
            self.count(histogram, label, "sum", n=seconds * times)

    def remember(self, stage: str, seconds: float) -> None:
        """A sample for the figures of just now."""
        if len(self.recent[stage]) < MOST_RECENT:
            self.recent[stage].append(seconds)

    def write(self, pipeline: Any) -> None:
        for name, value in self.numbers.items():
            if isinstance(value, int):
                pipeline.hincrby(NUMBERS_KEY, name, value)
            else:
                pipeline.hincrbyfloat(NUMBERS_KEY, name, value)
        for stage, samples in self.recent.items():
            key = _recent_key(stage)
            pipeline.lpush(key, *(f"{seconds:.6f}" for seconds in samples))
            pipeline.ltrim(key, 0, MOST_RECENT - 1)
            pipeline.expire(key, RECENT_TTL_SECONDS)


# -- who measures --------------------------------------------------------------------------------------------


@never_fails
def batch_measured(
    *,
    task: ProcessingTask,
    captured_s: Sequence[float],
    reports: Mapping[str, Mapping[str, Any]],
    stages_ms: Mapping[str, float],
) -> None:
    """Keep what a committed and published batch took.

    Args:
        captured_s: UNIX capture time of each of its instants.
        reports: per camera {"frames", "detections", "problems", "timings_ms"}.
        stages_ms: associate, record, publish.
    """
    now, live, environment = time.time(), task.mode == ProcessingTask.Mode.LIVE, task.environment.slug
    tally, cameras = Tally(), {}
    tally.count("batches", environment, task.mode)
    for camera, report in reports.items():
        for name in ("frames", "detections"):
            tally.count(name, environment, camera, n=report[name])
        tally.count("problems", environment, camera, n=len(report["problems"]))
        for stage, ms in report["timings_ms"].items():
            # a batch waits once, but is worked on frame by frame
            times = 1 if stage == "queue" else report["frames"]
            tally.observe(STAGE, stage, ms / 1e3 / max(times, 1), times=times)
        if report["frames"] and captured_s:
            place = {
                "task_id": str(task.pk),
                "captured_at": captured_s[-1],
                "published_at": now,
                "live": live,
            }
            cameras[f"{environment}|{camera}"] = json.dumps(place)
    for stage, ms in stages_ms.items():
        tally.observe(STAGE, stage, ms / 1e3)
    tally.remember("publish", stages_ms["publish"] / 1e3)
    for captured in captured_s if live else ():
        tally.observe(LATENCY, "published", now - captured)
    pipeline = redis_client().pipeline(transaction=False)
    tally.write(pipeline)
    if cameras:
        pipeline.hset(CAMERAS_KEY, mapping=cameras)
    pipeline.execute()


@never_fails
def counted(name: str, *labels: str, n: int = 1) -> None:
    """Something rare happened."""
    if n:
        redis_client().hincrby(NUMBERS_KEY, "|".join((name, *labels)), n)


class Deliveries:
    """Updates that this web server's sockets sent: added up here, written now and then by a thread of its own."""

    def __init__(self) -> None:
        self._tally, self._lock = Tally(), threading.Lock()
        self._written = 0.0
        self._writer = ThreadPoolExecutor(1, "metrics")

    def add(self, *, committed_at: float, captured_s: Sequence[float]) -> None:
        """A batch's updates were sent to one socket, now.

        Args:
            committed_at: UNIX time of its commit; captured_s: of its instants' capture, empty unless live.
        """
        now = time.time()
        with self._lock:
            self._tally.observe(STAGE, "deliver", now - committed_at)
            self._tally.remember("deliver", max(0.0, now - committed_at))
            for captured in captured_s:
                self._tally.observe(LATENCY, "delivered", now - captured)
            due = now - self._written >= FLUSH_EVERY_S
            if due:
                self._written = now
        if due:
            self._writer.submit(self.flush)

    def flush(self) -> None:
        """Write what was added up."""
        with self._lock:
            tally, self._tally = self._tally, Tally()
        if tally.numbers:
            _write(tally)


@never_fails
def _write(tally: Tally) -> None:
    pipeline = redis_client().pipeline(transaction=False)
    tally.write(pipeline)
    pipeline.execute()


deliveries = Deliveries()


# -- who shows -----------------------------------------------------------------------------------------------


def numbers() -> dict[tuple[str, ...], float]:
    """All that only grows: (name, labels...) to its value; histograms end in a bucket's index or `sum`."""
    stored = redis_client().hgetall(NUMBERS_KEY)
    return {tuple(name.decode().split("|")): float(value) for name, value in stored.items()}


def recent_seconds(stage: str) -> list[float]:
    """The newest samples of a stage that the batches' rows do not hold: publish, deliver."""
    return [float(value) for value in redis_client().lrange(_recent_key(stage), 0, -1)]


def last_published() -> dict[tuple[str, str], dict[str, Any]]:
    """(environment, camera) to its newest published frame: task_id, captured_at, published_at (UNIX s), live."""
    stored = redis_client().hgetall(CAMERAS_KEY)
    return {tuple(name.decode().split("|")): json.loads(value) for name, value in stored.items()}


def _recent_key(stage: str) -> str:
    return f"spoton:metrics:recent:{stage}"
