"""Which workers are alive: device queues of perceive workers, and workers of the other queues.

Workers announce themselves with every heartbeat; an entry that is not renewed ends by itself.
"""

from __future__ import annotations

import os

from tracking.redis import redis_client

_PREFIX = "spoton:worker:"
TTL_SECONDS = 15
DEFAULT_QUEUE = "cpu.0"


def announce(*, hostname: str) -> None:
    """Renew this worker's entry; its value is the device queue it serves, or empty."""
    redis_client().set(_PREFIX + hostname, os.environ.get("SPOTON_QUEUE", ""), ex=TTL_SECONDS)


def live_workers() -> dict[str, str]:
    """Worker name to device queue (empty for workers without a device)."""
    client = redis_client()
    keys = sorted(client.scan_iter(_PREFIX + "*", count=500))
    values = client.mget(keys) if keys else []
    return {
        key.decode().removeprefix(_PREFIX): value.decode()
        for key, value in zip(keys, values, strict=True)
        if value is not None
    }


def live_device_queues() -> list[str]:
    """Sorted names of the device queues that some worker serves now."""
    return sorted({queue for queue in live_workers().values() if queue})
