"""What the sockets about one processing task share: the task, its clock and focus, its instants."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.db import database_sync_to_async

from environments.errors import CameraNotFoundError
from tracking import selectors
from tracking.focus import Focus, focus_get
from tracking.models import ProcessingTask
from tracking.playback import Clock
from tracking.publish import group_of
from tracking.sockets.base import Socket
from tracking.sockets.feed import Notice
from tracking.sockets.instants import Instant, clock_of, stored


class TaskSocket(Socket):
    """`task`, `clock` (None: followed) and `focus` are kept up to date by notices."""

    task: ProcessingTask
    clock: Clock | None = None
    focus: Focus | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.clock_changed = asyncio.Event()

    def admit(self, user: Any) -> None:
        self.task = selectors.task_get(user=user, task_id=self.scope["url_route"]["kwargs"]["task_id"])

    def group(self) -> str:
        return group_of(self.task.pk)

    async def opened(self) -> None:
        await self._read_clock()
        await self._read_focus("opened")

    async def notified(self, notice: Notice) -> None:
        kind = notice["type"]
        if kind == "task.changed":
            await self._look()
        elif kind == "playback.changed":
            await self._read_clock()
        elif kind == "focus.changed":
            await self._read_focus(notice["at"])

    async def stored(self, index: int) -> Instant:
        return await stored(self.feed, self.task, index)

    def some_cameras(self, wanted: list[str] | None) -> list[str]:
        """Those of the task that are asked for, in the task's order. Raises CameraNotFoundError."""
        cameras = list(self.task.cameras)
        unknown = [name for name in wanted or [] if name not in cameras]
        if unknown:
            raise CameraNotFoundError(
                f"This task has no camera {', '.join(unknown)}; it has {', '.join(cameras)}.",
                details={"missing": unknown, "available": cameras},
            )
        return cameras if wanted is None else [name for name in cameras if name in wanted]

    def chosen(self, wanted: list[str] | None) -> tuple[str, ...] | None:
        """For a view: None when it is all of them."""
        return None if wanted is None or wanted == list(self.task.cameras) else tuple(wanted)

    async def _read_clock(self) -> None:
        self.clock = await clock_of(self.feed, self.task.pk)
        self.clock_changed.set()

    async def _read_focus(self, asked_at: Any) -> None:
        task = self.task
        read = database_sync_to_async(lambda: focus_get(task))
        if asked_at == "opened":
            self.focus = await read()
        else:
            self.focus = await self.feed.shared.get(("focus", asked_at), read)
