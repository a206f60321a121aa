"""Publish: after the commit, tell whoever watches. Notices are small; what they speak of is fetched.

The updates of a batch are built and encoded once and kept in Redis for a minute; sockets fetch them on a notice, so
a notice never carries more than a task's id and a number.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import msgpack
from django.utils import timezone

from environments.notices import environment_group, notify
from environments.redis import redis_client
from tracking.messages import TrackingUpdate, tracking_updates
from tracking.models import ProcessingTask
from tracking.record import Recorded

log = logging.getLogger(__name__)

UPDATES_TTL_SECONDS = 60


def group_of(task_id: Any) -> str:
    """Name of the group that follows a task."""
    return f"task.{task_id}"


def updates_key(task_id: Any, number: int) -> str:
    """Where a batch's updates are: msgpack, one JSON text per instant."""
    return f"spoton:updates:{task_id}:{number}"


def last_key(task_id: Any) -> str:
    """Where the newest instant's update is: JSON."""
    return f"spoton:updates:{task_id}:last"


def last_instant(task_id: Any) -> int:
    """The newest instant that was published; -1: none lately."""
    last = redis_client().get(last_key(task_id))
    return json.loads(last)["global_frame_index"] if last else -1


def batch_committed(
    *, task: ProcessingTask, number: int, recorded: Recorded, instants: list[int], captured_s: list[float]
) -> list[TrackingUpdate]:
    """Keep the batch's updates and notify the task's group. Failing here loses a notice, never a row."""
    updates: list[TrackingUpdate] = []
    notice = {
        "type": "batch.committed",
        "task_id": str(task.pk),
        "number": number,
        # for those who measure how long it takes to the browser
        "committed_at": time.time(),
        "live_captured_s": captured_s if task.mode == ProcessingTask.Mode.LIVE else [],
    }
    try:
        updates = tracking_updates(
            task=task,
            rows=recorded.rows,
            who=recorded.who,
            instants=instants,
            captured_s=captured_s,
            processed_at=timezone.now(),
        )
        texts = encoded(updates)
        pipeline = redis_client().pipeline(transaction=False)
        pipeline.set(updates_key(task.pk, number), msgpack.packb(texts), ex=UPDATES_TTL_SECONDS)
        if texts:
            pipeline.set(last_key(task.pk), texts[-1], ex=3600)
        notify(notice, group_of(task.pk), environment_group(task.environment_id), pipeline=pipeline)
        pipeline.execute()
    except Exception:
        # rows are safe; viewers see the gap in the next update
        log.exception("batch %d of task %s could not be published", number, task.pk)
    return updates


def encoded(updates: list[TrackingUpdate]) -> list[str]:
    """JSON per instant, once for all viewers."""
    return [json.dumps(update, separators=(",", ":")) for update in updates]


def task_changed(*, task_id: Any) -> None:
    """Tell the task's group that its state is another one now."""
    tell(task_id, "task.changed")


def tell(task_id: Any, kind: str) -> None:
    """A notice without further words to those who follow the task."""
    try:
        notify({"type": kind, "task_id": str(task_id), "at": time.time()}, group_of(task_id))
    except Exception:
        log.exception("%s of task %s could not be published", kind, task_id)
