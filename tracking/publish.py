"""Publish: after the commit, tell whoever watches. Notices are small; what they speak of is fetched.

The updates of a batch are built once and kept in Redis for a minute; consumers fetch them on a notice, so
the channel layer never carries more than a task's id and a number.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import time
from functools import cache
from typing import Any

from channels.layers import get_channel_layer
from django.utils import timezone

from tracking.messages import TrackingUpdate, tracking_updates
from tracking.models import ProcessingTask
from tracking.record import Recorded
from tracking.redis import redis_client

log = logging.getLogger(__name__)

UPDATES_TTL_SECONDS = 60
NOTIFY_SECONDS = 10


def group_of(task_id: Any) -> str:
    """Name of the channel group that follows a task."""
    return f"task.{task_id}"


def updates_key(task_id: Any, number: int) -> str:
    return f"spoton:updates:{task_id}:{number}"


def last_key(task_id: Any) -> str:
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
        pipeline = redis_client().pipeline(transaction=False)
        pipeline.set(updates_key(task.pk, number), json.dumps(updates), ex=UPDATES_TTL_SECONDS)
        if updates:
            pipeline.set(last_key(task.pk), json.dumps(updates[-1]), ex=3600)
        pipeline.execute()
        _notify(task.pk, notice)
    except Exception:
        # rows are safe; viewers see the gap in the next update
        log.exception("batch %d of task %s could not be published", number, task.pk)
    return updates


def task_changed(*, task_id: Any) -> None:
    """Tell the task's group that its state is another one now."""
    try:
        _notify(task_id, {"type": "task.changed", "task_id": str(task_id)})
    except Exception:
        log.exception("the change of task %s could not be published", task_id)


def _notify(task_id: Any, message: dict[str, Any]) -> None:
    sending = get_channel_layer().group_send(group_of(task_id), message)
    asyncio.run_coroutine_threadsafe(sending, _loop()).result(timeout=NOTIFY_SECONDS)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """An event loop of this process: with a new one for every notice, each would open a connection of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="notices", daemon=True).start()
    return loop


# a worker that forks has no thread in the child
os.register_at_fork(after_in_child=_loop.cache_clear)
