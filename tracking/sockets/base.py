"""What all sockets share: who may listen, requests and their limits, errors, and a viewer's own pace."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser

from environments.errors import DomainError, PermissionDeniedError
from environments.notices import ACCESS_GROUP
from tracking.cancelling import cancelled
from tracking.sockets.feed import LOST, Feed, Mailbox, Notice, following
from tracking.sockets.protocol import BURST, MOST_BYTES, PER_SECOND, Close, error_message
from tracking.stores import STORES_AWAY, brief

log = logging.getLogger(__name__)

# whether the user may still listen is asked at once when a notice says that something changed (signing out, roles,
# deactivation), and in any case this often
RECHECK_EVERY_S = 30.0
# a reader who takes nothing for this long while something waits for them is sent away
PATIENCE_S = 20.0
FAREWELL_S = 1.0

Handler = Callable[[dict[str, Any]], Awaitable[None]]


class SlowReaderError(Exception):
    """The viewer takes nothing any more."""


class Socket(AsyncWebsocketConsumer):
    """One viewer.

    Subclasses say what it is about (`admit`: raise DomainError to refuse), which group tells of it (`group`), what
    comes first (`opened`), what follows on a notice (`notified`), and which requests they take (`requests`).
    """

    # notices come through the process's feed, not through a channel of each socket's own
    channel_layer_alias = None

    feed: Feed
    seq = 0
    _look_at = 0.0
    _pump: asyncio.Task[None] | None = None
    _closed = False
    _tokens = float(BURST)
    _tokens_at = 0.0
    _warned = False

    # -- for subclasses ------------------------------------------------------------------------------------------

    def admit(self, user: Any) -> None:
        """Look up what the socket is about, as this user may see it; in a thread. Raises DomainError."""

    def group(self) -> str:
        """The group whose notices matter here."""
        raise NotImplementedError

    async def opened(self) -> None:
        """The snapshot; notices from before it are waiting already, so nothing falls between the two."""

    async def notified(self, notice: Notice) -> None:
        """A notice of the group."""

    def requests(self) -> dict[str, Handler]:
        """Further message types and their handlers."""
        return {}

    # -- life ----------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The socket's whole life. One whose viewer takes nothing ends here: a close message would not leave either."""
        self._gone, self._ready = asyncio.Event(), asyncio.Event()
        life = asyncio.ensure_future(super().__call__(scope, receive, send))
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait((life, gone), return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                life.result()
        finally:
            await cancelled(gone, life)
            await self._stop()

    async def connect(self) -> None:
        # accepted first: browsers are only told the close code of an open socket
        await self.accept(subprotocol=self.scope.get("accepted_subprotocol"))
        user = self.scope.get("user")
        if user is None or not user.is_authenticated:
            await self.refuse("not_authenticated", "Send a valid access token.", Close.NOT_AUTHENTICATED)
            return
        self._pump = asyncio.create_task(self._guarded(self._live))

    async def _stop(self) -> None:
        """Leave nothing behind, however the socket ended."""
        if self._pump is not None:
            await cancelled(self._pump)

    async def _live(self) -> None:
        """From admission to the end of the socket: one notice after the other."""
        await self._look()
        mailbox = Mailbox()
        async with following(self.group(), mailbox) as self.feed, following(ACCESS_GROUP, mailbox):
            self.mailbox = mailbox
            await self.opened()
            self._ready.set()
            async with self.beside():
                while not self._closed:
                    await self._handle(await mailbox.take())

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs it; however it ends, the viewer is told why, and nobody else is disturbed."""
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except DomainError as error:
            await self._refuse_with(error)
        except SlowReaderError as error:
            await self._let_go(error)
        except STORES_AWAY as error:
            log.warning("a socket is closed, its viewer may come back: %s", brief(error))
            await self.turn_away()
        except OSError:
            # the viewer has gone
            self._over()
        except Exception:
            log.exception("%s broke off for one viewer", self.scope.get("path", "a socket"))
            await self.refuse("internal_error", "Something went wrong here; connect again.", Close.BROKEN)

    def beside(self) -> AbstractAsyncContextManager[None]:
        """A context that is open as long as the viewer is admitted: for what runs beside the notices."""
        return nullcontext()

    @asynccontextmanager
    async def with_task(self, work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
        """For `beside`: runs until the socket ends; what goes wrong there ends the socket as a notice would."""
        running = asyncio.create_task(self._guarded(work))
        try:
            yield
        finally:
            await cancelled(running)

    async def _handle(self, notice: Notice) -> None:
        if notice is LOST:
            await self.turn_away()
        elif notice["type"] == "access.changed":
            if notice["user_id"] in ("", str(self.scope["user"].pk)):
                await self._look()
        elif notice["type"] == "resync":
            await self.opened()
        else:
            await self.look_again()
            await self.notified(notice)

    # -- who may -------------------------------------------------------------------------------------------------

    async def look_again(self) -> None:
        """Raises DomainError when the user may not listen any more. Asks every few seconds at most."""
        if time.monotonic() >= self._look_at:
            await self._look()

    @database_sync_to_async
    def _look(self) -> None:
        # not all of those who came together at once
        self._look_at = time.monotonic() + RECHECK_EVERY_S * random.uniform(0.5, 1.0)
        # the user as they are now: signed out, deactivated, or no member any more
        session_open = self.scope.get("session_open")
        if session_open is not None and not session_open():
            raise SessionOverError("This session has ended. Sign in again.")
        user = get_user_model().objects.filter(pk=self.scope["user"].pk).first() or AnonymousUser()
        self.admit(user)

    # -- requests ------------------------------------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        # what is asked for before the snapshot is answered after it
        await self._ready.wait()
        if self._closed:
            return
        try:
            if self._flooded():
                await self._answer_flood()
                return
            await self._answer(text_data)
        except DomainError as error:
            if isinstance(error, SessionOverError):
                await self._refuse_with(error)
            else:
                await self.send_json(error_message(error.code, error.message, error.details))
        except SlowReaderError as error:
            await self._let_go(error)
        except STORES_AWAY:
            await self.turn_away()
        except OSError:
            self._over()

    async def _answer(self, text: str | None) -> None:
        if text is None or len(text) > MOST_BYTES:
            await self.send_error("malformed_message", "Send JSON text of at most 16 kB.")
            return
        try:
            message = json.loads(text)
            kind = message["type"]
        except (ValueError, TypeError, KeyError, RecursionError):
            await self.send_error("malformed_message", 'Send a JSON object with a "type".')
            return
        requests = {"ping": self.on_ping, "resync": self.on_resync, **self.requests()}
        handler = requests.get(kind) if isinstance(kind, str) else None
        if handler is None:
            await self.send_error("unknown_message", f"This socket understands: {', '.join(requests)}.")
            return
        await handler(message)

    async def on_ping(self, message: dict[str, Any]) -> None:
        known = message.get("id")
        echo = {"id": known} if isinstance(known, int | str) and len(str(known)) <= 64 else {}
        await self.send_json({"type": "pong", **echo})

    async def on_resync(self, message: dict[str, Any]) -> None:
        if hasattr(self, "mailbox"):
            # in line with the notices, so that what is newer comes after it
            self.mailbox.put({"type": "resync"})

    def _flooded(self) -> bool:
        now = time.monotonic()
        self._tokens = min(float(BURST), self._tokens + (now - (self._tokens_at or now)) * PER_SECOND) - 1
        self._tokens_at = now
        if self._tokens > BURST / 2:
            self._warned = False
        return self._tokens < 0

    async def _answer_flood(self) -> None:
        if self._tokens < -BURST:
            await self.refuse("too_many_messages", "You send too much; connect again.", Close.TOO_MANY)
        elif not self._warned:
            # once for each flood: answering every message would be a flood of our own
            self._warned = True
            await self.send_error("too_many_messages", f"Send at most {PER_SECOND} messages per second.")

    # -- sending -------------------------------------------------------------------------------------------------

    async def send(self, *args: Any, **kwargs: Any) -> None:
        """Waits until the connection takes it. Raises SlowReaderError when it takes nothing for `PATIENCE_S`."""
        if self._closed:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await super().send(*args, **kwargs)
        except TimeoutError as error:
            raise SlowReaderError("You take nothing of what is sent; connect again.") from error

    async def send_json(self, content: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(content))

    async def send_numbered(self, kind: str, payload_text: str) -> int:
        """Send a payload that is JSON already, under the next number, which is returned."""
        self.seq += 1
        await self.send(text_data=self.numbered(kind, self.seq, payload_text))
        return self.seq

    @staticmethod
    def numbered(kind: str, seq: int, payload_text: str) -> str:
        return f'{{"type":"{kind}","seq":{seq},"payload":{payload_text}}}'

    async def send_error(self, code: str, message: str) -> None:
        await self.send_json(error_message(code, message))

    async def refuse(self, code: str, message: str, close_code: int) -> None:
        with suppress(SlowReaderError, OSError):
            await self.send_error(code, message)
            await self.end(close_code)

    async def end(self, close_code: int) -> None:
        """Close the socket; nothing is sent after it."""
        if not self._closed:
            self._over()
            await self.close(code=close_code)

    def _over(self) -> None:
        """Nothing is sent or answered any more."""
        self._closed = True
        self._ready.set()

    async def turn_away(self) -> None:
        """The database or Redis is away: whoever watches may come back in a moment."""
        words = "The database or Redis is restarting; connect again."
        await self.refuse("service_unavailable", words, Close.UNAVAILABLE)

    async def _refuse_with(self, error: DomainError) -> None:
        code = Close.UNKNOWN
        if isinstance(error, SessionOverError):
            code = Close.NOT_AUTHENTICATED
        elif isinstance(error, PermissionDeniedError):
            code = Close.NOT_ALLOWED
        await self.refuse(error.code, error.message, code)

    async def _let_go(self, error: SlowReaderError) -> None:
        # whoever takes nothing does not take a farewell either
        with suppress(TimeoutError, SlowReaderError):
            async with asyncio.timeout(FAREWELL_S):
                await self.refuse("too_slow", str(error), Close.TOO_SLOW)
                return
        self._over()
        self._gone.set()


class SessionOverError(DomainError):
    """Signed out since the socket was opened."""

    code = "not_authenticated"
    status = 401
