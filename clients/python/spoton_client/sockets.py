"""Sockets that come back by themselves, asynchronous and blocking."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Generic, Self, TypeVar

import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from spoton_client.conversation import Conversation, Message, Picture
from spoton_client.errors import ApiError, SocketClosedError, UnreachableError
from spoton_client.session import pause_before

NOT_AUTHENTICATED, NOT_ALLOWED, UNKNOWN, TASK_ENDED = 4401, 4403, 4404, 4409
# a snapshot of many cameras with images in it
MOST_BYTES = 64 * 2**20
# a refused request leaves the socket open, a refused viewer does not: this long shows which it was
FAREWELL_S = 1.0

M = TypeVar("M", Message, Picture)
Token = Callable[[str | None], Awaitable[str]]


class AsyncSocket(Generic[M]):
    """`async with client.tracking(task_id) as socket: async for message in socket: ...`

    Ends when the task has ended. Comes back after everything that passes: what was sent while it was away is not told
    again, except for the newest. Nothing is read ahead of the loop: SpotOn thins pictures for a loop that is slow.

    Attributes:
        close_code: of the last connection that was closed.
    """

    def __init__(
        self, url: str, token: Token, options: Mapping[str, Any] | None = None, *, pictures: bool = False
    ) -> None:
        """`token` gives an access token, another one than the stale one it is called with."""
        self._url, self._token = url, token
        self._talk = Conversation(options or {}, pictures=pictures)
        self._connection: ClientConnection | None = None
        self._ready: deque[Any] = deque()
        self._access: str | None = None
        self._failures = 0
        self._renewed = False
        self.close_code: int | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._connect(None)
        except (OSError, InvalidHandshake, TimeoutError) as error:
            raise UnreachableError(f"{self._url}: {error}") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            await self._connection.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> M:
        while not self._ready:
            if self.close_code == TASK_ENDED:
                raise StopAsyncIteration
            await self._step()
        return self._ready.popleft()

    async def subscribe(self, **options: Any) -> None:
        """Change some of the options."""
        self._talk.subscribe(options)
        await self._reply()

    async def send(self, message: Mapping[str, Any]) -> None:
        """Any message that the socket understands, such as `{"type": "clear_focus"}`."""
        self._talk.replies.append(dict(message))
        await self._reply()

    # -- one connection ------------------------------------------------------------------------------------------

    async def _connect(self, stale: str | None) -> None:
        self._access = await self._token(stale)
        self._connection = await connect(
            self._url,
            subprotocols=[websockets.Subprotocol("bearer"), websockets.Subprotocol(self._access)],
            max_size=MOST_BYTES,
        )
        self._talk.opened()

    async def _step(self) -> None:
        """Take one message, or come back from a connection that was closed."""
        assert self._connection is not None, "use it in an `async with`"
        told = self._talk.error
        try:
            async with asyncio.timeout(FAREWELL_S if told else None):
                data = await self._connection.recv()
        except TimeoutError:
            self._talk.error = None
            raise _refused(told or {}) from None
        except ConnectionClosed:
            self.close_code = self._connection.close_code
            await self._come_back()
            return
        if told:
            self._talk.error = None
            raise _refused(told)
        self._ready.extend(self._talk.received(data))
        if self._talk.error is None:
            self._failures, self._renewed = 0, False
        await self._reply()

    async def _reply(self) -> None:
        assert self._connection is not None, "use it in an `async with`"
        replies, self._talk.replies = self._talk.replies, []
        # a closed connection is noticed where it is read from
        with suppress(ConnectionClosed):
            for reply in replies:
                await self._connection.send(json.dumps(reply))

    # -- coming back ---------------------------------------------------------------------------------------------

    async def _come_back(self) -> None:
        """Connect again, as the close code says; raises where there is no use."""
        if self.close_code == TASK_ENDED:
            return
        if self.close_code in (NOT_ALLOWED, UNKNOWN):
            raise self._closed()
        stale = None
        if self.close_code == NOT_AUTHENTICATED:
            if self._renewed:
                raise self._closed()
            self._renewed, stale = True, self._access
        else:
            await self._pause()
        while True:
            try:
                return await self._connect(stale)
            except InvalidStatus as error:
                if not _passes(error.response.status_code):
                    raise UnreachableError(f"{self._url}: {error}") from error
            except ApiError as error:
                if not _passes(error.status):
                    raise
            except (OSError, InvalidHandshake, TimeoutError, UnreachableError):
                pass
            await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(pause_before(self._failures))
        self._failures += 1

    def _closed(self) -> SocketClosedError:
        return _refused(self._talk.error or {}, SocketClosedError, self.close_code or 0)


class Socket(Generic[M]):
    """`with client.tracking(task_id) as socket: for message in socket: ...`: an AsyncSocket in a thread of its own."""

    def __init__(self, inner: AsyncSocket[M]) -> None:
        self._inner: AsyncSocket[M] = inner
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="spoton-socket", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._wait(self._inner.__aenter__())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._wait(self._inner.__aexit__())
        finally:
            self._end()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> M:
        try:
            return self._wait(self._inner.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    @property
    def close_code(self) -> int | None:
        return self._inner.close_code

    def subscribe(self, **options: Any) -> None:
        """Change some of the options."""
        self._wait(self._inner.subscribe(**options))

    def send(self, message: Mapping[str, Any]) -> None:
        """Any message that the socket understands, such as `{"type": "clear_focus"}`."""
        self._wait(self._inner.send(message))

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _passes(status: int) -> bool:
    """Whether another attempt may be answered otherwise."""
    return status >= 500 or status == 429


def _refused(message: Mapping[str, Any], kind: type[ApiError] = ApiError, status: int = 0) -> Any:
    """The error that an `error` message tells."""
    told = message.get("error") or {"code": "closed", "message": "The socket was closed.", "details": {}}
    return kind(status=status, request_id=message.get("request_id", ""), **told)
