"""What the ingest process says of live cameras: counters and troubles, short-lived, in Redis."""

from __future__ import annotations

import json
from typing import Any

from environments.redis import redis_client

TTL_SECONDS = 60


def _key(task_id: str) -> str:
    return f"spoton:live:{task_id}"


def live_counts_set(task_id: str, *, cameras: dict[str, dict[str, Any]], degradation: int) -> None:
    """Tell how a live task fares.

    Args:
        cameras: per camera {"dropped": int, "problems": [{"message", "at"}]}.
        degradation: 0 for full quality and rate; see `workers.edge.degradation`.
    """
    counts = {"cameras": cameras, "degradation": degradation}
    redis_client().set(_key(task_id), json.dumps(counts), ex=TTL_SECONDS)


def live_counts(task_id: str) -> dict[str, dict[str, Any]]:
    """What was told last of each camera; empty when nobody feeds the task."""
    return _told(task_id).get("cameras", {})


def live_degradation(task_id: str) -> int:
    """How far the task's pictures and rate are reduced, 0 for not at all."""
    return _told(task_id).get("degradation", 0)


def _told(task_id: str) -> dict[str, Any]:
    value = redis_client().get(_key(task_id))
    return json.loads(value) if value else {}
