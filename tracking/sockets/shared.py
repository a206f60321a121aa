"""Values that many wait for and one makes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """The latest values by key, each made once: who asks while it is being made waits for the same."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[Hashable, asyncio.Future[T]] = OrderedDict()

    async def get(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """The value; an error is told to all who wait for it and not kept."""
        future = self._known.get(key)
        if future is None:
            future = self._known[key] = asyncio.ensure_future(make())
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        try:
            # one viewer who leaves must not take it away from the others
            return await asyncio.shield(future)
        except BaseException:
            if future.done() and (future.cancelled() or future.exception()):
                self._known.pop(key, None)
            raise
