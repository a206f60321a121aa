"""Notices between processes: a few words through the channel layer, never what they speak of."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from functools import cache
from typing import Any

from channels.layers import get_channel_layer
from django.db import transaction

log = logging.getLogger(__name__)

NOTIFY_SECONDS = 10
# who signs out, leaves an environment or is deactivated: heard by every process that holds sockets
ACCESS_GROUP = "access"


def notify(message: dict[str, Any], *groups: str) -> None:
    """Send a notice from a thread or worker, and wait until it is on its way."""

    async def send() -> None:
        layer = get_channel_layer()
        for group in groups:
            await layer.group_send(group, message)

    asyncio.run_coroutine_threadsafe(send(), _loop()).result(timeout=NOTIFY_SECONDS)


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
    """Name of the channel group that hears of everything new in an environment."""
    return f"environment.{environment_id}"


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """An event loop of this process: with a new one for every notice, each would open a connection of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="notices", daemon=True).start()
    return loop


# a worker that forks has no thread in the child
os.register_at_fork(after_in_child=_loop.cache_clear)
