"""Motion JPEG: one camera's newest pictures, one after the other, for as long as the viewer stays.

Like the sockets it follows the task's notices, or its playback clock while it has one, but it needs nothing of the
browser: `<img src=...>` shows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.db import connections

from environments.errors import DomainError
from tracking import frames, media, selectors
from tracking.cancelling import cancelled
from tracking.models import ProcessingTask
from tracking.overlay_config import style_for
from tracking.overlay_scene import boxes_of_update
from tracking.picture_threads import in_picture_thread
from tracking.playback import Clock
from tracking.publish import group_of
from tracking.rendering import Look, Rendered, rendered
from tracking.sockets.feed import LOST, Mailbox, following
from tracking.sockets.instants import Instant, clock_of, published, stored
from tracking.sockets.player import Player
from tracking.stores import STORES_AWAY, brief

log = logging.getLogger(__name__)

BOUNDARY = "frame"
MEDIA_TYPE = "multipart/x-mixed-replace"
CONTENT_TYPE = f"{MEDIA_TYPE}; boundary={BOUNDARY}"
# while a task is paused its last picture stays painted, also in browsers that show a part when the next one begins
REPAINT_S = 1.0
# whether the user may still see it is asked again this often
RECHECK_S = 5.0
# a batch is played a little faster than it was filmed, so that it is over when the next one comes
HASTE = 0.9


class Stream:
    """One viewer of one camera.

    Args:
        signed_in: asks whether the user still is; blocks.
    """

    def __init__(
        self,
        *,
        user: Any,
        signed_in: Callable[[], bool],
        task: ProcessingTask,
        camera: str,
        max_rate: float,
        overlay: bool,
        width: int | None = None,
        quality: int | None = None,
        focus: UUID | None = None,
    ) -> None:
        self.signed_in = signed_in
        self.user_id, self.task, self.camera, self.overlay, self.focus = user.pk, task, camera, overlay, focus
        self.interval_s, self.width, self.quality = 1 / max_rate, width, quality
        # instants of the newest batch that are still to be shown
        self.waiting: deque[Instant] = deque()
        self.wake, self.over = asyncio.Event(), False
        self.clock: Clock | None = None
        self.clock_changed = asyncio.Event()
        self.checked = self.sent = 0.0

    async def parts(self) -> AsyncIterator[bytes]:
        """The body. Ends when the task does, when the user may not see it any more, or when a store is away."""
        # a viewer who only looks keeps no connection of the database
        await sync_to_async(connections.close_all)()
        mailbox = Mailbox()
        try:
            async with following(group_of(self.task.pk), mailbox) as self.feed:
                self.clock = await clock_of(self.feed, self.task.pk)
                playing = asyncio.create_task(Player(self, self._show).run())
                listening = asyncio.create_task(self._listen(mailbox))
                try:
                    async with contextlib.aclosing(self._pictures()) as pictures:
                        async for picture in pictures:
                            yield part_of(picture)
                finally:
                    await cancelled(listening, playing)
            yield f"--{BOUNDARY}--\r\n".encode()
        except STORES_AWAY as error:
            log.warning("a stream ends, its viewer may come back: %s", brief(error))

    async def _pictures(self) -> AsyncIterator[Rendered]:
        last: Rendered | None = None
        while True:
            if time.monotonic() - self.checked >= RECHECK_S:
                await self._check()
            if self.over:
                return
            picture = await self._next()
            if picture is None and last is None:
                picture = await self._render(None)
            if picture is None and last is not None and time.monotonic() - self.sent >= REPAINT_S:
                picture = last
            if picture is not None:
                self.sent = time.monotonic()
                yield picture
                if last is None:
                    yield picture
                last = picture
            await self._rest()

    async def _next(self) -> Rendered | None:
        """The next picture that is there; those that are not are left out."""
        while self.waiting:
            picture = await self._render(self.waiting.popleft())
            if picture is not None:
                return picture
        return None

    async def _rest(self) -> None:
        """Until the next picture is due, or news wake us."""
        if self.waiting:
            await asyncio.sleep(max(0.0, self.sent + self._pace_s() - time.monotonic()))
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), REPAINT_S)
        self.wake.clear()
        await asyncio.sleep(max(0.0, self.sent + self.interval_s - time.monotonic()))

    def _pace_s(self) -> float:
        return max(self.interval_s, HASTE * self._step() / self.task.fps)

    def _step(self) -> int:
        """Of so many instants one is shown, to keep to the rate."""
        return max(1, round(self.interval_s * self.task.fps))

    async def _listen(self, mailbox: Mailbox) -> None:
        """Notices of `tracking.publish`. What a slow viewer has not seen gives way to what is newer."""
        try:
            while (notice := await mailbox.take()) is not LOST:
                if notice["type"] == "playback.changed":
                    self.clock = await clock_of(self.feed, self.task.pk)
                    self.clock_changed.set()
                if notice["type"] != "batch.committed":
                    self.checked = 0.0
                elif self.clock is None:
                    instants = await published(self.feed, self.task.pk, notice["number"])
                    step = self._step()
                    newest = [instant for instant in instants if instant.index % step == 0]
                    if newest:
                        self.waiting = deque(newest)
                self.wake.set()
        except STORES_AWAY as error:
            log.warning("a stream ends, its viewer may come back: %s", brief(error))
        self.over = True
        self.wake.set()

    async def stored(self, index: int) -> Instant:
        return await stored(self.feed, self.task, index)

    async def _show(self, instant: Instant, controls: dict[str, Any]) -> None:
        """The instant of the task's playback clock."""
        self.waiting = deque([instant])
        self.wake.set()

    async def _check(self) -> None:
        self.checked = time.monotonic()
        await self.feed.redis.set(frames.watched_key(self.task.pk), 1, ex=frames.WATCH_SECONDS)
        self.over = self.over or not await in_picture_thread(self._still_there)

    def _still_there(self) -> bool:
        # the user as they are now: they may have been deactivated or signed out, or have left the environment
        user = get_user_model().objects.filter(pk=self.user_id).first()
        if user is None or not self.signed_in():
            return False
        try:
            self.task = selectors.task_get(user=user, task_id=self.task.pk)
        except DomainError:
            return False
        style = style_for(user=user, task=self.task) if self.overlay else None
        self.focused = media.focused(self.task, self.focus)
        self.look = Look(style=style, width=self.width, quality=self.quality)
        return self.task.is_active or self.clock is not None

    async def _render(self, shown: Instant | None) -> Rendered | None:
        """The picture of an instant, or the last one processed; None when it is not there."""

        def render() -> Rendered:
            instant = shown.index if shown else media.instant_of(self.task, None)
            boxes = boxes_of_update(shown.payload(), self.camera) if shown else None
            return rendered(
                task=self.task,
                camera=self.camera,
                instant=instant,
                look=self.look,
                focus=self.focused,
                boxes=boxes,
            )

        try:
            return await in_picture_thread(render)
        except DomainError:
            return None


def part_of(picture: Rendered) -> bytes:
    """One part of the body, with the boundary before it."""
    head = (
        f"--{BOUNDARY}\r\nContent-Type: {picture.content_type}\r\nContent-Length: {len(picture.data)}\r\n\r\n"
    )
    return head.encode() + picture.data + b"\r\n"
