"""Which workers are alive: device queues of perceive workers, and workers of the other queues.

Workers announce themselves with every heartbeat (2 s); an entry that is not renewed does not count any more.
"""

from __future__ import annotations

import os
from collections import Counter

from environments.redis import redis_client

# one sorted set: "NAME QUEUE" by the Redis server's time of the last announcement, so that hosts need no common clock
_KEY = "spoton:workers"
# a few heartbeats: a worker that was killed is missed after this long
TTL_SECONDS = 8
DEFAULT_QUEUE = "cpu.0"


def announce(*, hostname: str) -> None:
    """Renew this worker's entry, with the device queue it serves (empty for workers without a device)."""
    client = redis_client()
    now = client.time()[0]
    pipeline = client.pipeline(transaction=False)
    pipeline.zadd(_KEY, {_member(hostname): now})
    pipeline.zremrangebyscore(_KEY, "-inf", f"({now - TTL_SECONDS}")
    pipeline.execute()


def withdraw(*, hostname: str) -> None:
    """This worker ends: its cameras move at once."""
    redis_client().zrem(_KEY, _member(hostname))


def live_workers() -> dict[str, str]:
    """Worker name to device queue (empty for workers without a device)."""
    client = redis_client()
    members = client.zrangebyscore(_KEY, client.time()[0] - TTL_SECONDS, "+inf")
    return dict(sorted(member.decode().split(" ", 1) for member in members))


def live_device_queues() -> dict[str, int]:
    """The device queues that some worker serves now, by name, each with the number of its workers."""
    return dict(sorted(Counter(queue for queue in live_workers().values() if queue).items()))


def is_alive(hostname: str) -> bool:
    """Whether a worker without a device, named as Celery names it, is there."""
    client = redis_client()
    score = client.zscore(_KEY, f"{hostname} ")
    return score is not None and score >= client.time()[0] - TTL_SECONDS


def _member(hostname: str) -> str:
    return f"{hostname} {os.environ.get('SPOTON_QUEUE', '')}"
