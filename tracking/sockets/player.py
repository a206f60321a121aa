"""Plays a task to one viewer by the task's clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from channels.db import database_sync_to_async

from tracking.models import ProcessingTask
from tracking.playback import Clock, state_of
from tracking.reel import Reel, reel
from tracking.sockets.instants import Instant

# a running task's reel grows: what there is to play is looked up this often
LOOK_EVERY_S = 1.0
# where nothing moves, the clock is looked at this often
IDLE_S = 0.25
# instants per second that a viewer of fast playback gets at most
MOST_RATE = 20.0

Show = Callable[[Instant, dict[str, Any]], Awaitable[None]]


class Watcher(Protocol):
    """Whoever is shown a task: keeps `clock` up to date and sets `clock_changed` when it is another one."""

    task: ProcessingTask
    clock: Clock | None
    clock_changed: asyncio.Event

    async def stored(self, index: int) -> Instant: ...


class Player:
    """Shows the instant of the clock whenever it is another one; skips those it is too late for."""

    def __init__(self, watcher: Watcher, show: Show) -> None:
        self._watcher, self._show = watcher, show

    async def run(self) -> None:
        """Runs until it is cancelled."""
        shown: tuple[int, int, bool] | None = None
        tape, looked_at = Reel((), 1.0), float("-inf")
        while True:
            watcher = self._watcher
            clock = watcher.clock
            if clock is None:
                shown = None
                await self._changed(None)
                continue
            if time.monotonic() - looked_at > LOOK_EVERY_S:
                tape, looked_at = await self._reel(), time.monotonic()
            if not tape.runs:
                await self._changed(IDLE_S)
                continue
            position_s = clock.at(time.time(), tape.duration_s)
            index = tape.instant(position_s)
            # that it is over is told too, though the last instant stays
            over = clock.playing and not watcher.task.is_active and position_s >= tape.duration_s
            if (index, clock.revision, over) == shown:
                await self._changed(self._pause_s(clock.playing, clock.speed, tape.fps))
                continue
            shown = (index, clock.revision, over)
            instant = await watcher.stored(index)
            await self._show(instant, state_of(watcher.task, clock, tape))

    def _pause_s(self, playing: bool, speed: float, fps: float) -> float | None:
        if not playing:
            return None
        return max(1 / MOST_RATE, min(IDLE_S, 1 / (fps * speed)))

    async def _changed(self, timeout_s: float | None) -> None:
        """Until the clock is another one, or for so long."""
        event = self._watcher.clock_changed
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return
        event.clear()

    @database_sync_to_async
    def _reel(self) -> Reel:
        task = self._watcher.task
        if task.is_active:
            task = self._watcher.task = ProcessingTask.objects.select_related("environment").get(pk=task.pk)
        return reel(task)
