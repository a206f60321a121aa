"""Notices between processes: a few words by Redis' publish and subscribe, never what they speak of.

Not by the Redis channel layer of Channels: its readers take messages off a list, and one that is cancelled while its
viewer leaves can take along a notice that was for somebody else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import redis
from django.db import transaction
from redis.asyncio.client import PubSub
from redis.client import Pipeline

from environments.redis import async_redis_client, redis_client

log = logging.getLogger(__name__)

# who signs out, leaves an environment or is deactivated: heard by every process that holds sockets
ACCESS_GROUP = "access"
# after so long without a word Redis is asked whether it is still there
QUIET_S = 2.0
MOST_QUIET_S = 10.0

Notice = dict[str, Any]


def notify(notice: Notice, *groups: str, pipeline: Pipeline | None = None) -> None:
    """Tell all who hear one of these groups; with a pipeline, when its owner executes it."""
    telling = redis_client().pipeline(transaction=False) if pipeline is None else pipeline
    text = json.dumps(notice)
    for group in groups:
        telling.publish(channel_of(group), text)
    if pipeline is None:
        telling.execute()


@asynccontextmanager
async def hearing(group: str) -> AsyncIterator[AsyncIterator[Notice | None]]:
    """All that is told to the group from now on, in order; None whenever nothing was for `QUIET_S`.

    Raises:
        redis.ConnectionError, redis.TimeoutError: notices may have been missed.
    """
    # a connection that is made again unnoticed would hide what was missed
    async with async_redis_client(retries=0) as client, client.pubsub() as connection:
        await connection.subscribe(channel_of(group))
        confirmed = await connection.get_message(timeout=MOST_QUIET_S)
        if confirmed is None:
            raise redis.TimeoutError("Redis does not answer.")
        async with aclosing(_heard(connection)) as notices:
            yield notices


async def _heard(connection: PubSub) -> AsyncIterator[Notice | None]:
    quiet_s = 0.0
    while True:
        message = await connection.get_message(timeout=QUIET_S)
        if message is None:
            quiet_s += QUIET_S
            if quiet_s > MOST_QUIET_S:
                raise redis.TimeoutError("Redis does not answer.")
            await connection.ping()
            yield None
            continue
        quiet_s = 0.0
        if message["type"] == "message":
            yield json.loads(message["data"])


def channel_of(group: str) -> str:
    """Name of the group's channel in Redis."""
    return f"spoton:notices:{group}"


def access_changed(user_id: Any) -> None:
    """After the commit: sockets of this user ask at once whether they may go on. Failing here costs seconds only."""

    def tell() -> None:
        try:
            notify({"type": "access.changed", "user_id": str(user_id)}, ACCESS_GROUP)
        except Exception:
            # they ask by themselves every few seconds
            log.exception("sockets of user %s were not told that access changed", user_id)

    transaction.on_commit(tell)


def environment_group(environment_id: Any) -> str:
    """Name of the group that hears of everything new in an environment."""
    return f"environment.{environment_id}"
