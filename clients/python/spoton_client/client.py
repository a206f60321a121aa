"""The clients: `SpotOn` waits by blocking, `AsyncSpotOn` by awaiting; everything else they share."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self, Unpack

import httpx

from spoton_client.conversation import Message, Picture
from spoton_client.errors import SpotOnError, UnreachableError
from spoton_client.operations import AsyncOperations, Operations
from spoton_client.parts import Parts
from spoton_client.request import Request, data_of, page_of, path
from spoton_client.session import Renew, Send, Session, Sleep, Steps, exchange
from spoton_client.sockets import AsyncSocket, Socket, Token
from spoton_client.types import Profile, SubscribeFrames, SubscribeTracking

TIMEOUT_S = 30.0


class SpotOn(Operations):
    """A user of SpotOn at `base_url`, such as `http://localhost:8000`. May be used by many threads at once.

    Signs in when it first has to, and again when its session has ended.
    """

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self._http = httpx.Client(**_http_options(base_url))
        self._session = Session(username, password)
        self._renewing = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. The session stays: see `log_out`."""
        self._http.close()

    def sign_in(self) -> Profile:
        """Sign in now. Raises ApiError `invalid_credentials`."""
        with self._renewing:
            return self._run(self._session.sign_in())

    def refresh(self) -> None:
        """Exchange the tokens now; happens by itself."""
        self._run(_refreshed(self._session))

    def log_out(self) -> None:
        """End the session, at SpotOn too."""
        with self._renewing:
            self._run(self._session.log_out())

    def tracking(self, task_id: str, **options: Unpack[SubscribeTracking]) -> Socket[Message]:
        """`/ws/tracking`: `task_status`, `tracking_update` (always in full) and `playback_frame`."""
        return self._socket(path("/ws/tracking/{task_id}", task_id=task_id), options)

    def frames(self, task_id: str, **options: Unpack[SubscribeFrames]) -> Socket[Picture]:
        """`/ws/frames`: pictures."""
        return self._socket(path("/ws/frames/{task_id}", task_id=task_id), options, pictures=True)

    def focus(self, task_id: str) -> Socket[Message]:
        """`/ws/focus`: `focus_update`."""
        return self._socket(path("/ws/focus/{task_id}", task_id=task_id))

    def analytics(self, env_id: str) -> Socket[Message]:
        """`/ws/analytics`: `analytics_update`."""
        return self._socket(path("/ws/analytics/{env_id}", env_id=env_id))

    def system(self) -> Socket[Message]:
        """`/ws/system`: `system_update`."""
        return self._socket("/ws/system")

    def _socket(self, where: str, options: Any = None, *, pictures: bool = False) -> Socket[Any]:
        async def token(stale: str | None) -> str:
            return await asyncio.to_thread(self._run, _token(self._session, stale))

        return Socket(_async_socket(self._http, where, token, options, pictures))

    # -- carrying out --------------------------------------------------------------------------------------------

    def _data(self, request: Request) -> Any:
        return data_of(self._run(exchange(self._session, request)))

    def _bytes(self, request: Request) -> bytes:
        return self._run(exchange(self._session, request)).content

    def _pages(self, request: Request) -> Iterator[Any]:
        while True:
            items, following = page_of(self._run(exchange(self._session, request)))
            yield from items
            if following is None:
                return
            request = request.at(following)

    def _parts(self, request: Request) -> Iterator[bytes]:
        response: httpx.Response = self._run(exchange(self._session, request), stream=True)
        try:
            parts = Parts()
            for piece in response.iter_bytes():
                yield from parts.fed(piece)
        except httpx.TransportError as error:
            raise UnreachableError(str(error)) from error
        finally:
            response.close()

    def _run(self, steps: Steps, *, stream: bool = False) -> Any:
        """Do what the steps say; what they return."""
        try:
            step = next(steps)
            while True:
                try:
                    outcome = self._do(step, stream)
                except SpotOnError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(outcome)
        except StopIteration as end:
            return end.value

    def _do(self, step: Send | Sleep | Renew, stream: bool) -> Any:
        match step:
            case Sleep(seconds):
                time.sleep(seconds)
            case Renew(stale):
                with self._renewing:
                    self._run(self._session.renewal(stale))
            case Send():
                try:
                    response = self._http.send(_built(self._http, step), stream=stream)
                    if stream and response.status_code >= 400:
                        response.read()
                except httpx.TransportError as error:
                    raise _unreachable(self._http, error) from error
                return response
        return None


class AsyncSpotOn(AsyncOperations):
    """`SpotOn` for asyncio: the same methods, awaited. May be used by many tasks of one event loop at once."""

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self._http = httpx.AsyncClient(**_http_options(base_url))
        self._session = Session(username, password)
        self._renewing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. The session stays: see `log_out`."""
        await self._http.aclose()

    async def sign_in(self) -> Profile:
        """Sign in now. Raises ApiError `invalid_credentials`."""
        async with self._renewing:
            return await self._run(self._session.sign_in())

    async def refresh(self) -> None:
        """Exchange the tokens now; happens by itself."""
        await self._run(_refreshed(self._session))

    async def log_out(self) -> None:
        """End the session, at SpotOn too."""
        async with self._renewing:
            await self._run(self._session.log_out())

    def tracking(self, task_id: str, **options: Unpack[SubscribeTracking]) -> AsyncSocket[Message]:
        """`/ws/tracking`: `task_status`, `tracking_update` (always in full) and `playback_frame`."""
        return self._socket(path("/ws/tracking/{task_id}", task_id=task_id), options)

    def frames(self, task_id: str, **options: Unpack[SubscribeFrames]) -> AsyncSocket[Picture]:
        """`/ws/frames`: pictures."""
        return self._socket(path("/ws/frames/{task_id}", task_id=task_id), options, pictures=True)

    def focus(self, task_id: str) -> AsyncSocket[Message]:
        """`/ws/focus`: `focus_update`."""
        return self._socket(path("/ws/focus/{task_id}", task_id=task_id))

    def analytics(self, env_id: str) -> AsyncSocket[Message]:
        """`/ws/analytics`: `analytics_update`."""
        return self._socket(path("/ws/analytics/{env_id}", env_id=env_id))

    def system(self) -> AsyncSocket[Message]:
        """`/ws/system`: `system_update`."""
        return self._socket("/ws/system")

    def _socket(self, where: str, options: Any = None, *, pictures: bool = False) -> AsyncSocket[Any]:
        async def token(stale: str | None) -> str:
            return await self._run(_token(self._session, stale))

        return _async_socket(self._http, where, token, options, pictures)

    # -- carrying out --------------------------------------------------------------------------------------------

    async def _data(self, request: Request) -> Any:
        return data_of(await self._run(exchange(self._session, request)))

    async def _bytes(self, request: Request) -> bytes:
        return (await self._run(exchange(self._session, request))).content

    async def _pages(self, request: Request) -> AsyncIterator[Any]:
        while True:
            items, following = page_of(await self._run(exchange(self._session, request)))
            for item in items:
                yield item
            if following is None:
                return
            request = request.at(following)

    async def _parts(self, request: Request) -> AsyncIterator[bytes]:
        response: httpx.Response = await self._run(exchange(self._session, request), stream=True)
        try:
            parts = Parts()
            async for piece in response.aiter_bytes():
                for part in parts.fed(piece):
                    yield part
        except httpx.TransportError as error:
            raise UnreachableError(str(error)) from error
        finally:
            await response.aclose()

    async def _run(self, steps: Steps, *, stream: bool = False) -> Any:
        """Do what the steps say; what they return."""
        try:
            step = next(steps)
            while True:
                try:
                    outcome = await self._do(step, stream)
                except SpotOnError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(outcome)
        except StopIteration as end:
            return end.value

    async def _do(self, step: Send | Sleep | Renew, stream: bool) -> Any:
        match step:
            case Sleep(seconds):
                await asyncio.sleep(seconds)
            case Renew(stale):
                async with self._renewing:
                    await self._run(self._session.renewal(stale))
            case Send():
                try:
                    response = await self._http.send(_built(self._http, step), stream=stream)
                    if stream and response.status_code >= 400:
                        await response.aread()
                except httpx.TransportError as error:
                    raise _unreachable(self._http, error) from error
                return response
        return None


def _http_options(base_url: str) -> dict[str, Any]:
    # pictures may lie in a bucket, to which SpotOn redirects; httpx does not take the token there
    return {"base_url": base_url, "timeout": TIMEOUT_S, "follow_redirects": True}


def _built(http: httpx.Client | httpx.AsyncClient, step: Send) -> httpx.Request:
    headers = {"Authorization": f"Bearer {step.token}"} if step.token else {}
    return http.build_request(**step.request.arguments(), headers=headers)


def _unreachable(http: httpx.Client | httpx.AsyncClient, error: httpx.TransportError) -> UnreachableError:
    return UnreachableError(f"SpotOn cannot be reached at {http.base_url}: {error}")


def _token(session: Session, stale: str | None) -> Steps:
    """A good token, another one than `stale`."""
    if stale is not None:
        yield Renew(stale)
    return (yield from session.token())


def _refreshed(session: Session) -> Steps:
    yield Renew((yield from session.token()))


def _async_socket(
    http: httpx.Client | httpx.AsyncClient, where: str, token: Token, options: Any, pictures: bool
) -> AsyncSocket[Any]:
    base = str(http.base_url).rstrip("/").replace("http", "ws", 1)
    return AsyncSocket(base + where, token, options, pictures=pictures)
