"""`/ws/frames/{task_id}`: pictures, one binary message each."""

from __future__ import annotations

import json
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self
from uuid import UUID

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async

from environments.errors import ValidationFailedError
from tracking import frames
from tracking.errors import FrameNotAvailableError, MediaTimeoutError
from tracking.frames import frame_key
from tracking.messages import from_seconds
from tracking.models import ProcessingTask
from tracking.overlay_config import style_for
from tracking.overlay_scene import boxes_of_update
from tracking.overlay_style import OverlayStyle
from tracking.picture_threads import in_picture_thread
from tracking.publish import last_key
from tracking.rendering import Look, Rendered, rendered
from tracking.replay import block_size
from tracking.sockets.base import Handler, SlowReaderError
from tracking.sockets.feed import Notice
from tracking.sockets.instants import Instant, published
from tracking.sockets.levels import LEVELS, Level, Pace
from tracking.sockets.player import Player
from tracking.sockets.protocol import Ack, Close, SubscribeFrames, parse
from tracking.sockets.task import TaskSocket

# pictures sent to a viewer who has not acknowledged them: 5 s of four cameras at 10 per second
MOST_UNACKNOWLEDGED = 200
# a viewer who acknowledges nothing for this long while behind is told to come back
BEHIND_S = 20.0
STYLE_EVERY_S = 1.0


@dataclass(frozen=True)
class Picture:
    """An encoded picture. Attributes: captured_at in UNIX seconds; width and height in pixels."""

    data: bytes
    format: str
    width: int
    height: int
    captured_at: float

    @classmethod
    def stored(cls, frame: frames.StoredFrame) -> Self:
        return cls(frame.jpeg, "jpeg", frame.width, frame.height, frame.captured_at)

    @classmethod
    def rendered(cls, made: Rendered) -> Self:
        kind = made.content_type.removeprefix("image/")
        return cls(made.data, kind, made.width, made.height, made.captured_at)


class FramesSocket(TaskSocket):
    """One viewer of a task's cameras: of the instants that were committed last, or of those of the playback clock.

    A viewer acknowledges what arrived (`{"type": "ack", "seq": n}`, now and then). One that cannot keep up gets
    smaller pictures, then skips: beyond a bound of unacknowledged pictures nothing is sent, and waiting batches give
    way to the newest; one that stays behind is closed with 4408.
    """

    acknowledged = 0
    _behind_since: float | None = None
    _style_now: OverlayStyle
    _style_read = float("-inf")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.options = SubscribeFrames(type="subscribe")
        self.pace = Pace(MOST_UNACKNOWLEDGED)

    async def opened(self) -> None:
        await super().opened()
        await self.send_options()
        await self.end_if_over()
        await self.keep_watching()
        last = await self.feed.redis.get(last_key(self.task.pk))
        if last is not None and self.clock is None:
            await self.send_instant(Instant.read(last))

    def beside(self) -> AbstractAsyncContextManager[None]:
        return self.with_task(Player(self, self.send_played).run)

    def requests(self) -> dict[str, Handler]:
        return {"subscribe": self.on_subscribe, "ack": self.on_ack}

    async def on_subscribe(self, message: dict[str, Any]) -> None:
        options = parse(SubscribeFrames, message)
        self.options = options.model_copy(update={"cameras": self.some_cameras(options.cameras)})
        await self.send_options()

    async def send_options(self) -> None:
        cameras = self.some_cameras(self.options.cameras)
        await self.send_json(
            {"type": "subscribed", **self.options.model_dump(exclude={"type"}), "cameras": cameras}
        )

    async def on_ack(self, message: dict[str, Any]) -> None:
        seq = parse(Ack, message).seq
        if not self.acknowledged <= seq <= self.seq:
            raise ValidationFailedError("`seq` must be the number of a picture that was sent.")
        self.acknowledged, self._behind_since = seq, None
        self.pace.acknowledged(seq)

    async def notified(self, notice: Notice) -> None:
        await super().notified(notice)
        if notice["type"] == "batch.committed":
            await self.on_batch(notice)
        elif notice["type"] in ("task.changed", "playback.changed"):
            await self.end_if_over()

    async def on_batch(self, notice: Notice) -> None:
        await self.keep_watching()
        if self.clock is not None:
            return
        newest = self.mailbox.take_newest("batch.committed", notice)
        for instant in await published(self.feed, self.task.pk, newest["number"]):
            if instant.index % self.step() == 0:
                await self.send_instant(instant)

    async def keep_watching(self) -> None:
        """Perception puts the pictures of tasks that somebody watches into the frame store."""
        await self.feed.redis.set(frames.watched_key(self.task.pk), 1, ex=frames.WATCH_SECONDS)

    async def end_if_over(self) -> None:
        if self.task.status in ProcessingTask.FINAL and self.clock is None:
            await self.end(Close.TASK_ENDED)

    # -- sending -------------------------------------------------------------------------------------------------

    @database_sync_to_async
    def _style(self) -> OverlayStyle:
        return style_for(user=self.scope["user"], task=self.task)

    async def style(self) -> OverlayStyle:
        """The caller's, read again now and then: it may be changed while they watch."""
        if time.monotonic() - self._style_read > STYLE_EVERY_S:
            self._style_now, self._style_read = await self._style(), time.monotonic()
        return self._style_now

    @property
    def level(self) -> Level:
        return self.pace.level if self.options.quality == "auto" else LEVELS[self.options.quality]

    def step(self) -> int:
        """Every how many instants a picture is sent, so that capture times keep to the wanted rate."""
        return max(1, round(self.task.fps / (self.options.max_rate * self.level.rate)))

    async def send_played(self, instant: Instant, controls: dict[str, Any]) -> None:
        await self.decode_ahead(instant.index)
        await self.keep_watching()
        await self.send_instant(instant)

    async def decode_ahead(self, index: int) -> None:
        """Ask for the pictures of this second and the next; whoever asks again asks for nothing."""
        if self.task.mode == ProcessingTask.Mode.LIVE:
            return
        task, size, cameras = self.task, block_size(self.task), self.some_cameras(self.options.cameras)
        ask = sync_to_async(frames.prefetch, thread_sensitive=False)
        for first in (index // size * size, (index // size + 1) * size):
            wish = partial(ask, task_id=task.pk, cameras=cameras, first=first, end=first + size)
            await self.feed.shared.get(("ahead", first, tuple(cameras)), wish)

    async def send_instant(self, instant: Instant) -> None:
        for camera in self.some_cameras(self.options.cameras):
            if self.keeps_up() and (picture := await self.picture(camera, instant)):
                await self.send_picture(camera, instant, picture)

    def keeps_up(self) -> bool:
        """Whether the viewer can take another picture. Raises SlowReaderError for one that stays behind."""
        if self.seq - self.acknowledged < MOST_UNACKNOWLEDGED:
            return True
        now = time.monotonic()
        self._behind_since = self._behind_since or now
        if now - self._behind_since > BEHIND_S:
            raise SlowReaderError("Pictures arrive faster than you take them; subscribe to fewer.")
        return False

    async def picture(self, camera: str, instant: Instant) -> Picture | None:
        """As this viewer wants it; None where the camera has none, or none any more."""
        level, options, stored_at = self.level, self.options, frame_key(self.task.pk, camera, instant.index)
        if not options.overlay and options.format == "jpeg" and level.quality is None:
            # nothing to draw: as it lies in the store
            kept = await self.feed.pictures.get(("stored", stored_at), partial(self._kept, stored_at))
            if kept is not None:
                return kept
        if self.clock is None and not await self.feed.redis.exists(stored_at):
            # what is processed now is there or was left out; only what is played back can be decoded again
            return None
        style = await self.style() if options.overlay else None
        look = Look(style=style, width=level.width, quality=level.quality, format=options.format)
        focus = UUID(self.focus.person_id) if self.focus and style else None
        task = self.task

        def draw() -> Picture | None:
            boxes = boxes_of_update(instant.payload(), camera) if style else None
            wanted = {"task": task, "camera": camera, "instant": instant.index, "look": look, "focus": focus}
            try:
                return Picture.rendered(rendered(**wanted, boxes=boxes))
            except (FrameNotAvailableError, MediaTimeoutError):
                return None

        key = (camera, instant.index, look.key, focus)
        return await self.feed.pictures.get(key, partial(in_picture_thread, draw))

    async def _kept(self, key: str) -> Picture | None:
        data = await self.feed.redis.get(key)
        return Picture.stored(frames.StoredFrame.from_bytes(data)) if data else None

    async def send_picture(self, camera: str, instant: Instant, picture: Picture) -> None:
        self.seq += 1
        header = json.dumps(
            {
                "camera_id": camera,
                "seq": self.seq,
                "global_frame_index": instant.index,
                "timestamp_captured_utc": from_seconds(picture.captured_at),
                "width": picture.width,
                "height": picture.height,
                "format": picture.format,
                "quality_level": self.level.name,
                "overlay": self.options.overlay,
            }
        ).encode()
        self.pace.sent(self.seq)
        await self.send(bytes_data=len(header).to_bytes(4, "big") + header + picture.data)
