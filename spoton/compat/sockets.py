"""The old client's two sockets, at the paths of today's: who comes without a token but with a `tab_id` is theirs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.db import database_sync_to_async
from django.urls import path

from spoton.compat.access import client_user, enabled
from spoton.compat.messages import Translator, focus_payload
from tracking.errors import PersonNotFoundError
from tracking.focus import focus_clear, focus_entity, focus_set
from tracking.models import Detection, ProcessingTask
from tracking.publish import last_key
from tracking.sockets.base import Handler
from tracking.sockets.feed import Notice
from tracking.sockets.instants import Instant, View, published
from tracking.sockets.player import Player
from tracking.sockets.protocol import Close
from tracking.sockets.task import TaskSocket


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
    """`/ws/tracking/{task_id}?tab_id=...`"""

    def requests(self) -> dict[str, Handler]:
        return {"subscribe_tracking": self.on_subscribe}

    async def on_subscribe(self, message: dict[str, Any]) -> None:
        """It is sent everything from the beginning anyway."""

    async def opened(self) -> None:
        self.translator = Translator(self.task)
        await super().opened()
        last = await self.feed.redis.get(last_key(self.task.pk))
        if last is not None and self.clock is None:
            await self.send_instant(Instant.read(last))

    def beside(self) -> AbstractAsyncContextManager[None]:
        return self.with_task(Player(self, self.send_played).run)

    async def notified(self, notice: Notice) -> None:
        await super().notified(notice)
        if notice["type"] == "batch.committed" and self.clock is None:
            for instant in await published(self.feed, self.task.pk, notice["number"]):
                await self.send_instant(instant)

    async def send_played(self, instant: Instant, controls: dict[str, Any]) -> None:
        await self.send_instant(instant)

    async def send_instant(self, instant: Instant) -> None:
        payload = instant.payload(View(focus=self.focus.person_id if self.focus else None))
        for message in self.translator.messages(payload, None):
            await self.send_json(message)


class ClientFocusSocket(ClientSocket):
    """`/ws/focus/{task_id}?tab_id=...`"""

    def requests(self) -> dict[str, Handler]:
        return {"set_focus": self.on_set, "clear_focus": self.on_clear}

    async def on_set(self, message: dict[str, Any]) -> None:
        person_id = await self._person(str(message.get("person_id", "")))
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
        """A person's id, or `camera:{camera}:{track}` for whom the client knows no id. Raises PersonNotFoundError."""
        try:
            return UUID(name)
        except ValueError:
            pass
        parts = name.strip().split(":")
        if len(parts) == 3 and parts[0] == "camera" and parts[2].isdecimal() and len(parts[2]) < 10:
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
            scope = {**scope, "user": await database_sync_to_async(client_user)()}
            scope.pop("session_open", None)
            await old(scope, receive, send)
        else:
            await today(scope, receive, send)

    return choose


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
