"""`/ws/tracking/{task_id}`: `task_status`, `tracking_update` and `playback_frame`, numbered by `seq`."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from contextlib import AbstractAsyncContextManager
from typing import Any

from channels.db import database_sync_to_async

from environments.errors import ValidationFailedError
from tracking import metrics, selectors, tracing
from tracking.models import ProcessingTask
from tracking.publish import last_key
from tracking.sockets.base import Handler
from tracking.sockets.delta import delta
from tracking.sockets.feed import Notice
from tracking.sockets.instants import Instant, View, published
from tracking.sockets.levels import LEVELS
from tracking.sockets.pictures import Wanted, with_pictures
from tracking.sockets.player import Player
from tracking.sockets.protocol import Ack, Close, SubscribeTracking, parse
from tracking.sockets.task import TaskSocket

# the state is sent again at most this often while batches arrive
STATUS_EVERY_S = 1.0
# instants that a delta may build on; who acknowledges later gets full ones
MOST_UNACKNOWLEDGED = 200


class TrackingSocket(TaskSocket):
    """One viewer of a task's results.

    While the task has a playback clock, `playback_frame`s follow that clock; `tracking_update`s always follow what is
    processed.
    """

    acknowledged = 0
    _status_sent = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.options = SubscribeTracking(type="subscribe")
        # payloads by the `seq` under which they were sent
        self._sent: OrderedDict[int, dict[str, Any]] = OrderedDict()

    async def opened(self) -> None:
        await super().opened()
        self._sent.clear()
        await self.send_status()
        last = await self.feed.redis.get(last_key(self.task.pk))
        if last is not None:
            await self.send_instants([Instant.read(last)], thin=False)
        await self.end_if_over()

    def beside(self) -> AbstractAsyncContextManager[None]:
        return self.with_task(Player(self, self.send_played).run)

    def requests(self) -> dict[str, Handler]:
        return {"subscribe": self.on_subscribe, "ack": self.on_ack}

    async def on_subscribe(self, message: dict[str, Any]) -> None:
        options = parse(SubscribeTracking, message)
        cameras = self.some_cameras(options.cameras)
        self.options = options.model_copy(update={"cameras": cameras})
        self._sent.clear()
        await self.send_json({"type": "subscribed", **self.options.model_dump(exclude={"type"})})

    async def on_ack(self, message: dict[str, Any]) -> None:
        seq = parse(Ack, message).seq
        if not self.acknowledged <= seq <= self.seq:
            raise ValidationFailedError("`seq` must be the number of a message that was sent.")
        self.acknowledged = seq

    async def notified(self, notice: Notice) -> None:
        await super().notified(notice)
        kind = notice["type"]
        if kind == "batch.committed":
            await self.on_batch(notice)
        elif kind == "task.changed":
            await self.send_status(notice["at"])
        if kind in ("task.changed", "playback.changed"):
            await self.end_if_over()

    async def on_batch(self, notice: Notice) -> None:
        instants = await published(self.feed, self.task.pk, notice["number"])
        await self.send_instants(instants)
        if instants:
            metrics.deliveries.add(committed_at=notice["committed_at"], captured_s=notice["live_captured_s"])
            tracing.delivered(
                task_id=notice["task_id"], number=notice["number"], committed_at=notice["committed_at"]
            )
        if time.monotonic() - self._status_sent >= STATUS_EVERY_S:
            await self.send_status(int(time.monotonic() / STATUS_EVERY_S))

    async def end_if_over(self) -> None:
        """An ended task has no more to say, unless it is played back."""
        if self.task.status in ProcessingTask.FINAL and self.clock is None:
            await self.end(Close.TASK_ENDED)

    # -- sending -------------------------------------------------------------------------------------------------

    async def send_status(self, moment: Any = None) -> None:
        """The task as it is now; at one moment all viewers of this process are told the same."""
        self._status_sent = time.monotonic()
        task_id = self.task.pk

        @database_sync_to_async
        def read() -> str:
            task = ProcessingTask.objects.select_related("environment").get(pk=task_id)
            return json.dumps(selectors.task_details(task))

        text = await (read() if moment is None else self.feed.shared.get(("status", moment), read))
        await self.send_numbered("task_status", text)

    async def send_instants(self, instants: list[Instant], *, thin: bool = True) -> None:
        """The instants that this viewer wants, as it wants them."""
        step = max(1, round(self.task.fps / self.options.max_rate)) if thin else 1
        view, texts = self.view(), []
        for instant in instants:
            if instant.index % step:
                continue
            shown = await self.illustrated(instant, view)
            text = self._text(shown, view)
            self.seq += 1
            texts.append(self.numbered("tracking_update", self.seq, text))
            self._remember(shown.payload(view))
        if self.options.batching and len(texts) > 1:
            texts = [f'{{"type":"batch","messages":[{",".join(texts)}]}}']
        for text in texts:
            await self.send(text_data=text)

    async def send_played(self, instant: Instant, controls: dict[str, Any]) -> None:
        """An instant of the playback clock."""
        view = self.view()
        text = (await self.illustrated(instant, view)).text(view)
        timestamp = json.dumps(instant.payload()["timestamp_captured_utc"])
        shown = {key: controls[key] for key in ("position", "duration", "can_seek", "state")}
        await self.send_numbered(
            "playback_frame",
            f'{{"timestamp":{timestamp},"playback_speed":{controls["speed"]},"frame_data":{text},'
            f'"playback_controls":{json.dumps(shown)}}}',
        )

    def view(self) -> View:
        options = self.options
        fields = None if options.fields is None else frozenset(options.fields)
        return View(self.chosen(options.cameras), fields, self.focus.person_id if self.focus else None)

    async def illustrated(self, instant: Instant, view: View) -> Instant:
        """The instant with the pictures that were asked for."""
        if not (self.options.images or self.options.crops):
            return instant
        level = LEVELS[self.options.quality]
        wanted = Wanted(
            view.cameras or tuple(self.task.cameras), self.options.images, self.options.crops, level
        )
        return await self.feed.shared.get(
            (instant.index, wanted), lambda: with_pictures(self.task, instant, wanted)
        )

    def _text(self, instant: Instant, view: View) -> str:
        base = self._sent.get(self.acknowledged)
        if self.options.mode == "full" or base is None:
            return instant.text(view)
        key = (view, base["global_frame_index"])
        changes = instant.form(key, lambda: delta(base, instant.payload(view)))
        # viewers number for themselves; what changed is the same for all
        return f'{{"base_seq":{self.acknowledged},{changes[1:]}'

    def _remember(self, payload: dict[str, Any]) -> None:
        """What is sent under the present `seq`: later deltas may build on it."""
        if self.options.mode == "delta":
            self._sent[self.seq] = payload
            while len(self._sent) > MOST_UNACKNOWLEDGED:
                self._sent.popitem(last=False)
