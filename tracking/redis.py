"""The Redis connections of this process."""

from __future__ import annotations

from functools import cache

import redis
import redis.asyncio
from django.conf import settings


@cache
def redis_client() -> redis.Redis:
    """For threads and workers. redis-py opens new connections after a fork by itself."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=10, health_check_interval=15)


def async_redis_client() -> redis.asyncio.Redis:
    """For one consumer: bound to the running event loop, to be closed by its owner."""
    return redis.asyncio.Redis.from_url(settings.REDIS_URL)
