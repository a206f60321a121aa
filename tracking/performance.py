"""How the pipeline fares just now: from the newest batches of active tasks, and from `tracking.metrics`."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import Count

from environments.redis import redis_client
from tracking import metrics
from tracking.devices import DEFAULT_QUEUE, live_workers
from tracking.frames import ring_key
from tracking.live import live_counts
from tracking.models import Batch, ProcessingTask
from tracking.queues import ASSOCIATE, lists_of, own_queue
from tracking.selectors import RECENT_BATCHES, stage_times

# the queues that are not a device's
QUEUES = (ASSOCIATE, "maintenance", "media", "exports", "reports")
# a live camera without a published frame for this long has no lag to speak of
LAG_FOR_SECONDS = 30.0


@dataclass
class CameraFigures:
    """One camera of one active task.

    Attributes:
        fps: frames committed per second of wall time, lately; None before the second batch.
        lag_s: capture to publish of the newest frame; None unless live.
        dropped: by the task so far; problems: of reading, told by the live reader now.
        last_frame_s: UNIX capture time of the newest published frame.
    """

    environment: str
    camera: str
    task_id: str | None
    fps: float | None
    lag_s: float | None
    dropped: int
    problems: list[dict[str, Any]]
    last_frame_s: float | None


@dataclass
class Recent:
    """Active tasks, each with its newest batches (newest first)."""

    batches: dict[ProcessingTask, list[Batch]]

    @property
    def stages(self) -> dict[str, dict[str, float]]:
        """Median and 95th percentile per stage, as in a task's status, and of publish and deliver per batch."""
        times = stage_times([batch for batches in self.batches.values() for batch in batches])
        for stage in ("publish", "deliver"):
            if samples := metrics.recent_seconds(stage):
                median, p95 = np.percentile(samples, [50, 95]) * 1e3
                times[stage] = {"median_ms": round(float(median), 3), "p95_ms": round(float(p95), 3)}
        return times

    @property
    def cameras(self) -> list[CameraFigures]:
        published, now = metrics.last_published(), time.time()
        figures = []
        for task, batches in self.batches.items():
            live = live_counts(str(task.pk)) if task.mode == ProcessingTask.Mode.LIVE else {}
            for camera in task.cameras:
                last = published.get((task.environment.slug, camera), {})
                if last.get("task_id") != str(task.pk):
                    last = {}
                fresh = last.get("live") and now - last["published_at"] <= LAG_FOR_SECONDS
                figures.append(
                    CameraFigures(
                        environment=task.environment.slug,
                        camera=camera,
                        task_id=str(task.pk),
                        fps=_fps(batches, camera, now),
                        lag_s=round(last["published_at"] - last["captured_at"], 3) if fresh else None,
                        dropped=live.get(camera, {}).get("dropped", 0),
                        problems=live.get(camera, {}).get("problems", []),
                        last_frame_s=last.get("captured_at"),
                    )
                )
        return figures


def recent() -> Recent:
    """What runs now."""
    tasks = ProcessingTask.objects.filter(status__in=ProcessingTask.ACTIVE).select_related("environment")
    return Recent({task: list(task.batches.order_by("-number")[:RECENT_BATCHES]) for task in tasks})


def _fps(batches: list[Batch], camera: str, now: float) -> float | None:
    """Up to now, so that it falls when nothing arrives any more."""
    if len(batches) < 2:
        return None
    frames = sum(batch.cameras.get(camera, {}).get("frames", 0) for batch in batches[:-1])
    elapsed = now - batches[-1].committed_at.timestamp()
    return round(frames / elapsed, 2) if elapsed > 0 else None


def tasks_by_status() -> dict[str, int]:
    """Active tasks; a status that none has counts 0."""
    active = ProcessingTask.objects.filter(status__in=ProcessingTask.ACTIVE).order_by()
    found = dict(active.values_list("status").annotate(Count("pk")))
    return {str(status): found.get(status, 0) for status in ProcessingTask.ACTIVE}


def workers_by_queue(workers: dict[str, str]) -> dict[str, int]:
    """How many of the live workers serve each device queue; the others by their kind (associate, media, ...)."""
    return dict(Counter(queue or _kind(name) for name, queue in sorted(workers.items())))


def queue_lengths(workers: dict[str, str] | None = None) -> dict[str, int]:
    """Messages that wait in each queue, whatever their priority; those of single associate workers count as one."""
    workers = live_workers() if workers is None else workers
    devices = sorted({queue for queue in workers.values() if queue}) or [DEFAULT_QUEUE]
    own = [own_queue(name) for name in sorted(workers) if _kind(name) == ASSOCIATE]
    queues = {queue: [queue] for queue in (*devices, *QUEUES)}
    queues[ASSOCIATE] += own
    lists = {queue: [name for part in parts for name in lists_of(part)] for queue, parts in queues.items()}
    pipeline = redis_client().pipeline(transaction=False)
    for names in lists.values():
        for name in names:
            pipeline.llen(name)
    lengths = iter(pipeline.execute())
    return {queue: sum(next(lengths) for _ in names) for queue, names in lists.items()}


def _kind(worker: str) -> str:
    """`associate-1@host` is an associate worker."""
    return worker.partition("@")[0].partition("-")[0]


def stored_frames(tasks: list[ProcessingTask]) -> int:
    """Pictures of these tasks in the frame store."""
    since = time.time() - settings.ENV.frame_ttl_seconds
    pipeline = redis_client().pipeline(transaction=False)
    for task in tasks:
        for camera in task.cameras:
            pipeline.zcount(ring_key(task.pk, camera), since, "+inf")
    return sum(pipeline.execute())
