"""Observations on their way from perception to association: short-lived, in Redis, lost without harm.

If they are lost (a restart, memory pressure), the watchdog asks for the same batch again, and perception gives
the same result.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping, Sequence

from environments.redis import redis_client

# far longer than a batch waits for association; what is older belongs to a task nobody works on
TTL_SECONDS = 900
LEASE_SECONDS = 30


def _key(task_id: str, number: int | str, camera: str) -> str:
    return f"spoton:observations:{task_id}:{number}:{camera}"


def store(*, task_id: str, number: int, data: Mapping[str, bytes]) -> None:
    """Keep observations by camera, and give the cameras' leases back."""
    pipeline = redis_client().pipeline(transaction=False)
    for camera, packed in data.items():
        # the first counts: what was associated must be found again, should it have to be done once more
        pipeline.set(_key(task_id, number, camera), packed, ex=TTL_SECONDS, nx=True)
        pipeline.delete(_lease_key(task_id, number, camera))
    pipeline.execute()


def complete(*, task_id: str, number: int, cameras: Sequence[str]) -> bool:
    """Whether all these cameras' observations are there."""
    return redis_client().exists(*(_key(task_id, number, camera) for camera in cameras)) == len(cameras)


def fetch_all(*, task_id: str, number: int, cameras: Sequence[str]) -> list[bytes] | None:
    """One per camera, or None while any is missing."""
    values = fetch(task_id=task_id, number=number, cameras=cameras)
    return None if any(value is None for value in values) else values


def fetch(*, task_id: str, number: int, cameras: Sequence[str]) -> list[bytes | None]:
    """One per camera, None for those that are not there."""
    return redis_client().mget([_key(task_id, number, camera) for camera in cameras])


def missing(*, task_id: str, numbers: Sequence[int], cameras: Sequence[str]) -> list[tuple[int, str]]:
    """(batch, camera) pairs whose observations are not there."""
    wanted = [(number, camera) for number in numbers for camera in cameras]
    if not wanted:
        return []
    values = redis_client().pipeline(transaction=False)
    for number, camera in wanted:
        values.exists(_key(task_id, number, camera))
    return [pair for pair, there in zip(wanted, values.execute(), strict=True) if not there]


def discard(*, task_id: str, numbers: Iterable[int], cameras: Sequence[str]) -> None:
    keys = [_key(task_id, number, camera) for number in numbers for camera in cameras]
    if keys:
        redis_client().delete(*keys)


def lease(*, task_id: str, number: int, cameras: Sequence[str], owner: str) -> list[str]:
    """Those of the cameras that this worker may perceive now: nobody has, and nobody else is at it.

    A killed worker's lease ends by itself, or when the worker is started again; the same owner (a redelivered
    message) gets it again.
    """
    pipeline, value = redis_client().pipeline(transaction=False), f"{owner} {_worker()}"
    for camera in cameras:
        key = _lease_key(task_id, number, camera)
        pipeline.exists(_key(task_id, number, camera))
        pipeline.set(key, value, nx=True, ex=LEASE_SECONDS)
        pipeline.get(key)
    answers = pipeline.execute()
    mine = []
    for camera, there, _, holder in zip(cameras, answers[::3], answers[1::3], answers[2::3], strict=True):
        if holder is not None and holder.split(b" ", 1)[0] == owner.encode():
            if there:
                redis_client().delete(_lease_key(task_id, number, camera))
            else:
                mine.append(camera)
    return mine


def leased(*, task_id: str, pairs: Sequence[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those (batch, camera) pairs that some worker is at."""
    if not pairs:
        return set()
    pipeline = redis_client().pipeline(transaction=False)
    for number, camera in pairs:
        pipeline.exists(_lease_key(task_id, number, camera))
    return {pair for pair, held in zip(pairs, pipeline.execute(), strict=True) if held}


def renew_lease(*, task_id: str, number: int, cameras: Sequence[str]) -> None:
    pipeline = redis_client().pipeline(transaction=False)
    for camera in cameras:
        pipeline.expire(_lease_key(task_id, number, camera), LEASE_SECONDS)
    pipeline.execute()


def end_leases_of_this_worker() -> int:
    """For a worker that starts: what it was at when it was killed may be given to others now; how many there were."""
    client, mine, ended = redis_client(), f" {_worker()}".encode(), 0
    for key in client.scan_iter(_key("*", "*", "*") + ":lease", count=500):
        if (client.get(key) or b"").endswith(mine):
            ended += client.delete(key)
    return ended


def _worker() -> str:
    """This host's worker of this device queue; the same after it was killed and started again."""
    return f"{os.environ.get('SPOTON_QUEUE', '')}@{socket.gethostname()}"


def end_lease(*, task_id: str, number: int, cameras: Sequence[str]) -> None:
    redis_client().delete(*(_lease_key(task_id, number, camera) for camera in cameras))


def _lease_key(task_id: str, number: int, camera: str) -> str:
    return f"{_key(task_id, number, camera)}:lease"
