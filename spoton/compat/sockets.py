"""The old client's two sockets, at the paths of today's: who comes without a token but with a `tab_id` is theirs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.db import database_sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.urls import path

from environments.errors import PermissionDeniedError
from spoton.compat.access import client_user, enabled
from spoton.compat.frames import MOST_RATE
from spoton.compat.messages import Translator, focus_payload
from spoton.compat.persons import person_called
from tracking.errors import PersonNotFoundError
from tracking.focus import focus_clear, focus_entity, focus_set
from tracking.mjpeg import HASTE
from tracking.models import Detection, ProcessingTask
from tracking.publish import last_key
from tracking.sockets.base import Handler
from tracking.sockets.feed import Notice
from tracking.sockets.instants import Instant, View, published
from tracking.sockets.player import Player
from tracking.sockets.protocol import Close
from tracking.sockets.task import TaskSocket
from tracking.stores import STORES_AWAY, brief

log = logging.getLogger(__name__)


class ClientSocket(TaskSocket):
    """Ends with the task, as today's do: the client then looks for tasks that run."""

    async def end_if_over(self) -> None:
        if self.task.status in ProcessingTask.FINAL and self.clock is None:
            await self.end(Close.TASK_ENDED)

    async def opened(self) -> None:
        await super().opened()
        await self.end_if_over()

    async def notified(self, notice: Notice) -> None:
        await super().notified(notice)
        if notice["type"] in ("task.changed", "playback.changed"):
            await self.end_if_over()


class ClientTrackingSocket(ClientSocket):
    """`/ws/tracking/{task_id}?tab_id=...`: boxes at the pace of the pictures of `spoton.compat.frames`."""

    translator: Translator | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # instants of the newest batch that are still to be shown
        self.waiting: deque[Instant] = deque()
        self.wake = asyncio.Event()

    def requests(self) -> dict[str, Handler]:
        return {"subscribe_tracking": self.on_subscribe}

    async def on_subscribe(self, message: dict[str, Any]) -> None:
        """It is sent everything from the beginning anyway."""

    async def opened(self) -> None:
        self.translator = self.translator or Translator(self.task)
        await super().opened()
        last = await self.feed.redis.get(last_key(self.task.pk))
        if last is not None and self.clock is None:
            await self.send_instant(Instant.read(last))

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        async with self.with_task(Player(self, self.send_played).run), self.with_task(self.follow):
            yield

    async def notified(self, notice: Notice) -> None:
        await super().notified(notice)
        if notice["type"] == "batch.committed" and self.clock is None:
            step = max(1, round(self.task.fps / MOST_RATE))
            instants = await published(self.feed, self.task.pk, notice["number"])
            # what has not been shown of the batch before gives way
            self.waiting = deque(instant for instant in instants if instant.index % step == 0)
            self.wake.set()

    async def follow(self) -> None:
        """Show a batch as long as it took; all at once, the boxes would be ahead of the pictures."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.waiting and self.clock is None:
                begun, instant = time.monotonic(), self.waiting.popleft()
                await self.send_instant(instant)
                pace_s = HASTE * max(1 / MOST_RATE, 1 / self.task.fps)
                await asyncio.sleep(max(0.0, begun + pace_s - time.monotonic()))

    async def send_played(self, instant: Instant, controls: dict[str, Any]) -> None:
        await self.send_instant(instant, still=controls["state"] != "playing")

    async def send_instant(self, instant: Instant, *, still: bool = False) -> None:
        payload = instant.payload(View(focus=self.focus.person_id if self.focus else None))
        for message in self.translator.messages(payload, still=still):
            await self.send_json(message)


class ClientFocusSocket(ClientSocket):
    """`/ws/focus/{task_id}?tab_id=...`"""

    def requests(self) -> dict[str, Handler]:
        return {"set_focus": self.on_set, "clear_focus": self.on_clear}

    async def on_set(self, message: dict[str, Any]) -> None:
        person_id = await self._person(str(message.get("person_id", "")).strip())
        await database_sync_to_async(focus_set)(user=self.scope["user"], task=self.task, person_id=person_id)

    async def on_clear(self, message: dict[str, Any]) -> None:
        await database_sync_to_async(focus_clear)(user=self.scope["user"], task=self.task)

    async def notified(self, notice: Notice) -> None:
        await super().notified(notice)
        if notice["type"] == "focus.changed":
            await self._send()

    async def opened(self) -> None:
        await super().opened()
        if self.focus is not None:
            await self._send()

    async def _send(self) -> None:
        task, focus = self.task, self.focus
        entity = await database_sync_to_async(focus_entity)(task, focus)
        await self.send_json({"type": "focus_update", "payload": focus_payload(task, entity)})

    @database_sync_to_async
    def _person(self, name: str) -> UUID:
        """By id, or `camera:{camera}:{track}` for whom the client knows no id. Raises PersonNotFoundError."""
        parts = name.split(":")
        if parts[0] != "camera":
            return person_called(user=self.scope["user"], name=name).pk
        if len(parts) == 3 and parts[2].isdecimal() and len(parts[2]) < 10:
            rows = Detection.objects.filter(task=self.task, camera__slug=parts[1], track_id=int(parts[2]))
            last = rows.order_by("-captured_at").first()
            if last is not None:
                return last.person_id
        raise PersonNotFoundError("There is no such person in this task.")


def or_old_client(today: Callable[..., Any], old: Callable[..., Any]) -> Callable[..., Any]:
    """An ASGI application: `old` for connections of the old client while the module is on, else `today`."""

    async def choose(scope: Any, receive: Any, send: Any) -> None:
        anonymous = not getattr(scope.get("user"), "is_authenticated", False)
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        if enabled() and anonymous and "tab_id" in query:
            scope = {**scope, "user": await database_sync_to_async(_user)()}
            # that of a caller without a token has ended from the beginning
            scope.pop("session_open", None)
            await old(scope, receive, send)
        else:
            await today(scope, receive, send)

    return choose


def _user() -> Any:
    try:
        return client_user()
    except (PermissionDeniedError, *STORES_AWAY) as error:
        log.warning("a socket of the old client is refused: %s", brief(error))
        return AnonymousUser()


def with_old_client(patterns: list[Any]) -> list[Any]:
    """Today's routes, where two of them also take the old client."""
    old = {
        "ws/tracking/<uuid:task_id>": ClientTrackingSocket.as_asgi(),
        "ws/focus/<uuid:task_id>": ClientFocusSocket.as_asgi(),
    }
    return [
        path(str(p.pattern), or_old_client(p.callback, old[str(p.pattern)])) if str(p.pattern) in old else p
        for p in patterns
    ]
