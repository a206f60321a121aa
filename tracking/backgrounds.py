"""Backgrounds of recordings, which are pure functions of them: the first worker learns one, the others take it."""

from __future__ import annotations

from collections.abc import Callable

from environments.redis import redis_client

LIFE_SECONDS = 3600


def background(key: str, compute: Callable[[], bytes]) -> bytes:
    """The kept background of this key, else the computed one, which is kept from now on."""
    name = f"spoton:background:{key}"
    data = redis_client().get(name)
    if data is None:
        data = compute()
        redis_client().set(name, data, ex=LIFE_SECONDS)
    return data
