"""What perceive workers tell of their GPUs with every heartbeat; an entry that is not renewed ends by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from environments.redis import redis_client

TTL_SECONDS = 15


def gpu_announce(*, hostname: str, reading: Mapping[str, Any]) -> None:
    """Args: reading: name, memory_used_bytes, memory_total_bytes, utilisation (0..1 or None)."""
    redis_client().set(_key(hostname), json.dumps(dict(reading)), ex=TTL_SECONDS)


def gpus(workers: Mapping[str, str]) -> list[dict[str, Any]]:
    """The GPUs of these workers (name to device queue): queue, host, and the reading."""
    named = [(name, queue) for name, queue in sorted(workers.items()) if queue]
    values = redis_client().mget([_key(name) for name, _ in named]) if named else []
    return [
        {"queue": queue, "host": name.partition("@")[2], **json.loads(value)}
        for (name, queue), value in zip(named, values, strict=True)
        if value
    ]


def _key(hostname: str) -> str:
    return f"spoton:gpu:{hostname}"
