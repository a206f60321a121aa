"""Motion JPEG: one camera's newest pictures, one after the other, for as long as the viewer stays.

Like the sockets it follows the task's notices, but it needs nothing of the browser: `<img src=...>` shows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.contrib.auth import get_user_model
from django.db import connections

from environments.errors import DomainError
from tracking import frames, media, selectors
from tracking.models import ProcessingTask
from tracking.overlay_config import style_for
from tracking.overlay_scene import boxes_of_update
from tracking.picture_threads import in_picture_thread
from tracking.publish import group_of, updates_key
from tracking.redis import async_redis_client
from tracking.rendering import Look, Rendered, rendered
from tracking.stores import STORES_AWAY, brief

log = logging.getLogger(__name__)

BOUNDARY = "frame"
MEDIA_TYPE = "multipart/x-mixed-replace"
CONTENT_TYPE = f"{MEDIA_TYPE}; boundary={BOUNDARY}"
# while a task is paused its last picture stays painted, also in browsers that show a part when the next one begins
REPAINT_S = 1.0
# whether the user may still see it is asked again this often; a restarted Redis has forgotten who listens
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
        # updates of the newest batch that are still to be shown
        self.waiting: deque[dict[str, Any]] = deque()
        self.wake, self.over = asyncio.Event(), False
        self.checked = self.sent = 0.0

    async def parts(self) -> AsyncIterator[bytes]:
        """The body. Ends when the task does, when the user may not see it any more, or when a store is away."""
        # a viewer who only looks keeps no connection of the database
        await sync_to_async(connections.close_all)()
        layer, group = get_channel_layer(), group_of(self.task.pk)
        self.redis, channel = async_redis_client(), await layer.new_channel()
        listening: asyncio.Task | None = None
        try:
            await layer.group_add(group, channel)
            listening = asyncio.create_task(self._listen(layer, channel))
            async with contextlib.aclosing(self._pictures(layer, group, channel)) as pictures:
                async for picture in pictures:
                    yield part_of(picture)
            yield f"--{BOUNDARY}--\r\n".encode()
        except STORES_AWAY as error:
            log.warning("a stream ends, its viewer may come back: %s", brief(error))
        finally:
            if listening is not None:
                listening.cancel()
            # what is away has already forgotten us
            with contextlib.suppress(*STORES_AWAY):
                await layer.group_discard(group, channel)
            await self.redis.aclose()

    async def _pictures(self, layer: Any, group: str, channel: str) -> AsyncIterator[Rendered]:
        last: Rendered | None = None
        while True:
            if time.monotonic() - self.checked >= RECHECK_S:
                await layer.group_add(group, channel)
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

    async def _listen(self, layer: Any, channel: str) -> None:
        """Notices of `tracking.publish`. What a slow viewer has not seen gives way to what is newer."""
        try:
            while True:
                notice = await layer.receive(channel)
                if notice["type"] == "batch.committed":
                    updates = await self.redis.get(updates_key(self.task.pk, notice["number"]))
                    step = self._step()
                    newest = [u for u in json.loads(updates or "[]") if u["global_frame_index"] % step == 0]
                    if newest:
                        self.waiting = deque(newest)
                else:
                    self.checked = 0.0
                self.wake.set()
        except STORES_AWAY as error:
            log.warning("a stream ends, its viewer may come back: %s", brief(error))
            self.over = True
            self.wake.set()

    async def _check(self) -> None:
        self.checked = time.monotonic()
        await self.redis.set(frames.watched_key(self.task.pk), 1, ex=frames.WATCH_SECONDS)
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
        self.focused = media.focused(self.focus)
        self.look = Look(style=style, width=self.width, quality=self.quality)
        return self.task.is_active

    async def _render(self, update: dict[str, Any] | None) -> Rendered | None:
        """The picture of an update, or the last one processed; None when it is not there."""

        def render() -> Rendered:
            instant = update["global_frame_index"] if update else media.instant_of(self.task, None)
            boxes = boxes_of_update(update, self.camera) if update else None
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
