"""What the sockets of one process that follow the same thing share: one listener on its notices.

Notices come to the process once and are handed to every local viewer's mailbox. A viewer takes them at its own pace;
one that is slow loses old notices, never delays others.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from environments.notices import Notice, hearing
from environments.redis import async_redis_client
from tracking.sockets.shared import Shared
from tracking.stores import STORES_AWAY, brief

log = logging.getLogger(__name__)

# notices that wait for a viewer; beyond that the oldest that something newer stands for give way
MOST_WAITING = 64
REPLACEABLE = "batch.committed"
# batches of which the instants are kept for those who are late
MOST_KEPT = 64
# pictures, likewise: some seconds of a few cameras
MOST_PICTURES = 96

LOST: Notice = {"type": "feed.lost"}


class Mailbox:
    """The notices that one viewer has not handled yet."""

    def __init__(self) -> None:
        self._waiting: deque[Notice] = deque()
        self._arrived = asyncio.Event()
        self.missed = 0

    def put(self, notice: Notice) -> None:
        if len(self._waiting) >= MOST_WAITING:
            stale = next((n for n in self._waiting if n["type"] == REPLACEABLE), self._waiting[0])
            self._waiting.remove(stale)
            self.missed += 1
        self._waiting.append(notice)
        self._arrived.set()

    async def take(self) -> Notice:
        """The oldest notice, when there is one."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()

    def take_newest(self, kind: str, first: Notice) -> Notice:
        """Of the notices of this kind that wait in front, the newest; `first` if none waits."""
        while self._waiting and self._waiting[0]["type"] == kind:
            first = self._waiting.popleft()
        return first


class Feed:
    """The listener on the notices of one group, and what is shared by those who hear it."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.viewers: set[Mailbox] = set()
        self.shared: Shared[Any] = Shared(MOST_KEPT)
        self.pictures: Shared[Any] = Shared(MOST_PICTURES)
        self.redis = async_redis_client()
        self._listener: asyncio.Task[None] | None = None
        self._joined = asyncio.Event()

    async def listen(self) -> None:
        """Runs while there are viewers."""
        try:
            async with hearing(self.group) as notices:
                self._joined.set()
                # asked, because before Python 3.12 `asyncio.wait_for`, by which redis-py sends, can lose a cancellation
                while self.viewers:
                    notice = await anext(notices)
                    if notice is not None:
                        self.tell(notice)
        except STORES_AWAY as error:
            log.warning("the notices of %s are lost for now: %s", self.group, brief(error))
            self.tell(LOST)
        finally:
            self._joined.set()
            _forget(self)
            await self.redis.aclose()

    def tell(self, notice: Notice) -> None:
        for mailbox in self.viewers:
            mailbox.put(notice)

    async def add(self, mailbox: Mailbox) -> None:
        """From now on every notice reaches the mailbox."""
        self.viewers.add(mailbox)
        if self._listener is None:
            self._listener = asyncio.create_task(self.listen(), name=f"feed {self.group}")
        await self._joined.wait()

    def remove(self, mailbox: Mailbox) -> None:
        self.viewers.discard(mailbox)
        if not self.viewers and self._listener is not None:
            _forget(self)
            self._listener.cancel()


_feeds: dict[tuple[int, str], Feed] = {}


@asynccontextmanager
async def following(group: str, mailbox: Mailbox) -> AsyncIterator[Feed]:
    """The process's feed of this group; while the context is open every notice of it reaches the mailbox."""
    # every event loop has its own connections
    key = (id(asyncio.get_running_loop()), group)
    feed = _feeds.get(key)
    if feed is None:
        feed = _feeds[key] = Feed(group)
    try:
        await feed.add(mailbox)
        yield feed
    finally:
        feed.remove(mailbox)


def _forget(feed: Feed) -> None:
    for key in [key for key, known in _feeds.items() if known is feed]:
        del _feeds[key]
