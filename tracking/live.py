"""What the ingest process says of live cameras: counters and troubles, short-lived, in Redis."""

from __future__ import annotations

import json
from typing import Any

from tracking.redis import redis_client

TTL_SECONDS = 60


def _key(task_id: str) -> str:
    return f"spoton:live:{task_id}"


def live_counts_set(task_id: str, cameras: dict[str, dict[str, Any]]) -> None:
    """Per camera {"dropped": int, "problems": [{"message", "at"}]}."""
    redis_client().set(_key(task_id), json.dumps(cameras), ex=TTL_SECONDS)


def live_counts(task_id: str) -> dict[str, dict[str, Any]]:
    value = redis_client().get(_key(task_id))
    return json.loads(value) if value else {}
