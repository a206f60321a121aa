"""Sockets that tell how things are, not what happened: one message now and then, the newest only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from contextlib import AbstractAsyncContextManager
from typing import Any

from channels.db import database_sync_to_async

from tracking.sockets.base import Socket
from tracking.sockets.feed import Notice


class SteadySocket(Socket):
    """Sends `kind` when a notice says that something is new, at most every `least_s`, at the latest every `most_s`.

    Subclasses say what is told (`tell`, JSON, read in a thread) and which viewers are told the same (`same_for`).
    """

    kind: str
    least_s = 1.0
    most_s = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._new = asyncio.Event()

    def tell(self) -> str:
        raise NotImplementedError

    def same_for(self) -> Hashable:
        """Viewers for whom this is equal are told the same, read once."""
        raise NotImplementedError

    async def opened(self) -> None:
        await self._send()

    async def notified(self, notice: Notice) -> None:
        self._new.set()

    def beside(self) -> AbstractAsyncContextManager[None]:
        return self.with_task(self._keep_telling)

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(self.least_s)
            try:
                async with asyncio.timeout(self.most_s - self.least_s):
                    await self._new.wait()
            except TimeoutError:
                pass
            self._new.clear()
            await self.look_again()
            await self._send()

    async def _send(self) -> None:
        # within a moment nothing is read twice
        moment = int(time.monotonic() / (self.least_s / 2))
        text = await self.feed.shared.get((self.same_for(), moment), database_sync_to_async(self.tell))
        await self.send_numbered(self.kind, text)
