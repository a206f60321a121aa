"""The Redis connections of this process."""

from __future__ import annotations

from functools import cache

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

# pauses of 0.1, 0.2, 0.4, 0.8, 0.8 s: a Redis that is started again at once is not noticed
_RETRY = Retry(ExponentialBackoff(base=0.05, cap=0.8), retries=5)


@cache
def redis_client() -> redis.Redis:
    """For threads and workers. redis-py opens new connections after a fork by itself."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=10, health_check_interval=15, retry=_RETRY)


def async_redis_client(*, retries: int = 3) -> redis.asyncio.Redis:
    """For the sockets that share a feed: bound to the running event loop, to be closed by its owner."""
    retry = AsyncRetry(ExponentialBackoff(base=0.05, cap=0.8), retries=retries)
    return redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_timeout=10, retry=retry)
