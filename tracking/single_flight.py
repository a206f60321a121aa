"""Made once, seen by many: of all who want the same thing at the same time, one makes it and the others wait.

What was made is kept for some seconds, within a bound of memory. Works across processes and hosts, through Redis.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable

from redis import ResponseError

from environments.redis import redis_client
from tracking.bounded import BoundedStore
from tracking.stores import STORES_AWAY, brief

log = logging.getLogger(__name__)

LIFE_S = 15
MOST_BYTES = 48 * 2**20
# longer than the longest wait for a frame: when a maker was killed, the next one makes it
LOCK_S = 10
# then it is made without waiting for anybody: never worse than without sharing
PATIENCE_S = 12.0
_ALL = "spoton:made"
_STORE = BoundedStore(_ALL, "spoton:made-sizes", 10_000, "shared results")

# The lock may have expired and be somebody else's by now. KEYS: lock, bell. ARGV: our token, seconds the bell rings.
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
if redis.call('LLEN', KEYS[2]) == 0 then redis.call('RPUSH', KEYS[2], 1) end
redis.call('EXPIRE', KEYS[2], ARGV[2])
"""


def made_once(name: str, make: Callable[[], bytes]) -> bytes:
    """What `make` gives for `name`: from memory, from whoever is making it now, or made here.

    Raises:
        whatever `make` raises: to its caller only, those who wait then try themselves.
    """
    client, key = redis_client(), f"spoton:made:{name}"
    lock, bell, token = f"{key}:lock", f"{key}:bell", uuid.uuid4().hex
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        data = client.get(key)
        if data is not None:
            return data
        if client.set(lock, token, nx=True, ex=LOCK_S):
            break
        if time.monotonic() > give_up_at:
            return make()
        # turned over in place, so that one bell wakes all who wait; woken also now and then, for a maker may be dead
        client.blmove(bell, bell, timeout=1, src="LEFT", dest="RIGHT")
    try:
        client.delete(bell)
        # it may have been finished between our look and our lock
        data = client.get(key)
        if data is None:
            data = make()
            _STORE.put([(key, _ALL + ":ring", data)], life_s=LIFE_S, most_bytes=MOST_BYTES)
        return data
    finally:
        try:
            client.eval(_RELEASE, 2, lock, bell, token, 2)
        except (*STORES_AWAY, ResponseError) as error:
            # Redis is away or full; the lock ends by itself
            log.warning("a lock was not released: %s", brief(error)[-200:])


def clear() -> int:
    """Forget what was made; how many."""
    keys = _STORE.kept()
    _STORE.forget(keys)
    return len(keys)
