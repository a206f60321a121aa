"""`/ws/focus/{task_id}`: the task's one focused person, for all who watch it."""

from __future__ import annotations

import json
import time
from typing import Any

from channels.db import database_sync_to_async

from tracking.focus import focus_clear, focus_entity, focus_set
from tracking.models import ProcessingTask
from tracking.sockets.base import Handler
from tracking.sockets.feed import Notice
from tracking.sockets.protocol import ClearFocus, Close, SetFocus, parse
from tracking.sockets.task import TaskSocket

# where the focused person is is told at most this often
EVERY_S = 0.5


class FocusSocket(TaskSocket):
    """Sends `focus_update` when the focus changes, and while the focused person moves."""

    _sent_at = float("-inf")

    async def opened(self) -> None:
        await super().opened()
        await self.send_focus("opened")
        await self.end_if_over()

    def requests(self) -> dict[str, Handler]:
        return {"set_focus": self.on_set, "clear_focus": self.on_clear}

    async def on_set(self, message: dict[str, Any]) -> None:
        person_id = parse(SetFocus, message).person_id
        await database_sync_to_async(focus_set)(
            user=self.scope["user"], task=self.task, person_id=person_id, highlight=None
        )

    async def on_clear(self, message: dict[str, Any]) -> None:
        parse(ClearFocus, message)
        await database_sync_to_async(focus_clear)(user=self.scope["user"], task=self.task)

    async def notified(self, notice: Notice) -> None:
        await super().notified(notice)
        kind = notice["type"]
        if kind == "focus.changed":
            await self.send_focus(notice["at"])
        elif kind == "batch.committed" and self.focus and time.monotonic() - self._sent_at >= EVERY_S:
            await self.send_focus(notice["number"])
        elif kind in ("task.changed", "playback.changed"):
            await self.end_if_over()

    async def send_focus(self, moment: Any) -> None:
        self._sent_at = time.monotonic()
        task, focus = self.task, self.focus

        @database_sync_to_async
        def read() -> str:
            return json.dumps(focus_entity(task, focus))

        # of one moment all viewers of this process are told the same
        text = await (
            read()
            if moment == "opened"
            else self.feed.shared.get(("entity", moment, focus and focus.person_id), read)
        )
        await self.send_numbered("focus_update", text)

    async def end_if_over(self) -> None:
        """The focus of an ended task lasts while it is played back, or while somebody is focused."""
        if self.task.status in ProcessingTask.FINAL and self.clock is None and self.focus is None:
            await self.end(Close.TASK_ENDED)
