"""Ingest: one thread per live task that this process feeds; see `workers.edge.live_task`."""

from __future__ import annotations

import logging
import threading
import uuid
from typing import Any

from django.db import close_old_connections

from environments.redis import redis_client
from tracking.models import ProcessingTask
from tracking.stores import STORES_AWAY, brief
from workers.edge.live_task import LiveTask

log = logging.getLogger(__name__)

# another host takes over a live task whose ingest process has been silent for this long
OWNER_TTL_S = 5


def _own(task_id: str, me: str) -> bool:
    """Whether this process feeds the task: the first to ask does, until it stops asking."""
    key, client = f"spoton:ingest:{task_id}", redis_client()
    if client.set(key, me, nx=True, ex=OWNER_TTL_S):
        return True
    if client.get(key) != me.encode():
        return False
    client.expire(key, OWNER_TTL_S)
    return True


def run_ingest(*, policy: Any, stopping: threading.Event, look_every_s: float = 1.0) -> None:
    """Keep one thread per live task until told to stop."""
    running: dict[str, LiveTask] = {}
    me = uuid.uuid4().hex
    while not stopping.is_set():
        try:
            close_old_connections()
            wanted = {
                str(task.pk): task
                for task in ProcessingTask.objects.filter(
                    mode=ProcessingTask.Mode.LIVE, status=ProcessingTask.Status.PROCESSING
                )
            }
            for task_id in [t for t, thread in running.items() if t not in wanted or not thread.is_alive()]:
                running.pop(task_id).stopping.set()
            for task_id in list(running):
                if not _own(task_id, me):
                    running.pop(task_id).stopping.set()
            for task_id in filter(lambda t: _own(t, me), wanted.keys() - running.keys()):
                running[task_id] = LiveTask(wanted[task_id], policy)
                running[task_id].start()
        except STORES_AWAY as error:
            log.warning("looking for live tasks again in a moment: %s", brief(error))
        except Exception:
            log.exception("looking for live tasks failed, trying again")
        stopping.wait(look_every_s)
    for thread in running.values():
        thread.stopping.set()
    for thread in running.values():
        thread.join(timeout=5)
