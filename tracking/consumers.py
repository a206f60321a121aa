"""The sockets that follow a processing task: thin, the messages are made elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from typing import Any
from uuid import uuid4

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from environments.errors import DomainError
from tracking import frames, metrics, selectors, tracing
from tracking.messages import from_seconds, isoformat
from tracking.models import ProcessingTask
from tracking.publish import group_of, last_key, updates_key
from tracking.redis import async_redis_client
from tracking.stores import STORES_AWAY, brief

log = logging.getLogger(__name__)

NOT_AUTHENTICATED, UNKNOWN, TOO_SLOW, TASK_ENDED, UNAVAILABLE = 4401, 4404, 4408, 4409, 4503
# by the protocol's words an internal error, under a number that a server is free to send
BROKEN = 4500
# the state is sent again at most this often while batches arrive
STATUS_EVERY_S = 1.0
# whether the user may still listen is asked again at most this often
RECHECK_EVERY_S = 5.0
# a restarted Redis has forgotten who listens: everybody says so again this often
JOIN_AGAIN_EVERY_S = 5.0
# pictures sent to a viewer who has not acknowledged them: 5 s of four cameras at 10 per second
MOST_UNACKNOWLEDGED = 200
# a viewer who acknowledges nothing for this long while behind is told to come back
PATIENCE_S = 20.0
# messages larger than this are no requests of ours
MOST_BYTES = 16 * 1024


class TaskConsumer(AsyncWebsocketConsumer):
    """What both sockets share: who may listen, the group, requests and errors.

    Subclasses handle `batch_committed` and `task_changed` and may add to `requests`.
    """

    task: ProcessingTask
    _joined: asyncio.Task | None = None
    _checked = 0.0
    _turned_away = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The socket's whole life: a store that is away ends it with a close code that says "come back"."""
        try:
            await super().__call__(scope, receive, send)
        except STORES_AWAY as error:
            log.warning("a socket is closed, its viewer may come back: %s", brief(error))
            await self.turn_away()
        finally:
            await self.clean_up()

    async def connect(self) -> None:
        user = self.scope.get("user")
        # accepted first: browsers are only told the close code of an open socket
        await self.accept(subprotocol=self.scope.get("accepted_subprotocol"))
        if user is None or not user.is_authenticated:
            await self.refuse("not_authenticated", "Send a valid access token.", NOT_AUTHENTICATED)
            return
        self.redis = async_redis_client()
        try:
            self.task = await self.find_task()
        except DomainError as error:
            await self.refuse(error.code, error.message, UNKNOWN)
            return
        # joined before the snapshot is taken, so that nothing falls between the two
        await self.channel_layer.group_add(group_of(self.task.pk), self.channel_name)
        self._joined = asyncio.create_task(self.stay_joined())
        await self.opened()

    async def stay_joined(self) -> None:
        """Runs until the socket closes."""
        try:
            while True:
                await asyncio.sleep(JOIN_AGAIN_EVERY_S)
                await self.channel_layer.group_add(group_of(self.task.pk), self.channel_name)
        except STORES_AWAY:
            await self.turn_away()

    async def turn_away(self) -> None:
        if self._turned_away:
            return
        self._turned_away = True
        await self.refuse(
            "service_unavailable", "The database or Redis is restarting; connect again.", UNAVAILABLE
        )

    async def clean_up(self) -> None:
        """Leave nothing behind, however the socket ended."""
        if self._joined is not None:
            self._joined.cancel()
            # what is away has already forgotten us
            with contextlib.suppress(*STORES_AWAY):
                await self.channel_layer.group_discard(group_of(self.task.pk), self.channel_name)
        if hasattr(self, "redis"):
            await self.redis.aclose()

    async def opened(self) -> None:
        """The snapshot."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data is None or len(text_data) > MOST_BYTES:
            await self.send_error("malformed_message", "Send JSON text of at most 16 kB.")
            return
        try:
            message = json.loads(text_data)
            kind = message["type"]
        except (ValueError, TypeError, KeyError, RecursionError):
            await self.send_error("malformed_message", 'Send a JSON object with a "type".')
            return
        handler = {"ping": self.on_ping, **self.requests()}.get(kind) if isinstance(kind, str) else None
        if handler is None:
            known = ", ".join(["ping", *self.requests()])
            await self.send_error("unknown_message", f"This socket understands: {known}.")
            return
        await handler(message)

    def requests(self) -> dict[str, Any]:
        """Further message types and their handlers."""
        return {}

    async def on_ping(self, message: dict[str, Any]) -> None:
        await self.send_json({"type": "pong"})

    async def send_json(self, content: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(content))

    async def send_error(self, code: str, message: str) -> None:
        await self.send_json(
            {
                "type": "error",
                "success": False,
                "error": {"code": code, "message": message, "details": {}},
                "timestamp": isoformat(timezone.now()),
                "request_id": uuid4().hex,
            }
        )

    async def refuse(self, code: str, message: str, close_code: int) -> None:
        await self.send_error(code, message)
        await self.close(code=close_code)

    @database_sync_to_async
    def find_task(self) -> ProcessingTask:
        self._checked = time.monotonic()
        # the user as they are now: they may have been deactivated or signed out, or have left the environment
        user = get_user_model().objects.filter(pk=self.scope["user"].pk).first()
        if user is None or not self.scope.get("session_open", lambda: True)():
            user = AnonymousUser()
        return selectors.task_get(user=user, task_id=self.scope["url_route"]["kwargs"]["task_id"])

    async def still_allowed(self) -> bool:
        """Whether the user may go on listening; closes the socket if not. Asks every few seconds at most."""
        if time.monotonic() - self._checked < RECHECK_EVERY_S:
            return True
        return await self.reload_task()

    async def reload_task(self) -> bool:
        """The task as it is now; closes the socket when the user may not see it any more."""
        try:
            self.task = await self.find_task()
        except DomainError as error:
            await self.refuse(error.code, error.message, UNKNOWN)
            return False
        return True


class TrackingConsumer(TaskConsumer):
    """`/ws/tracking/{task_id}`: `task_status` and `tracking_update`, numbered by `seq`."""

    seq = 0
    _status_sent = 0.0

    async def opened(self) -> None:
        await self.send_status()
        last = await self.redis.get(last_key(self.task.pk))
        if last is not None:
            await self.send_numbered("tracking_update", json.loads(last))
        if self.task.status in ProcessingTask.FINAL:
            await self.close(code=TASK_ENDED)

    async def batch_committed(self, event: dict[str, Any]) -> None:
        """A notice of `tracking.publish`."""
        if not await self.still_allowed():
            return
        updates = await self.redis.get(updates_key(self.task.pk, event["number"]))
        for update in json.loads(updates) if updates else []:
            await self.send_numbered("tracking_update", update)
        if updates:
            metrics.deliveries.add(committed_at=event["committed_at"], captured_s=event["live_captured_s"])
            tracing.delivered(
                task_id=event["task_id"], number=event["number"], committed_at=event["committed_at"]
            )
        if time.monotonic() - self._status_sent >= STATUS_EVERY_S:
            await self.send_status()

    async def task_changed(self, event: dict[str, Any]) -> None:
        """A notice of `tracking.publish`."""
        if not await self.reload_task():
            return
        await self.send_status()
        if self.task.status in ProcessingTask.FINAL:
            await self.close(code=TASK_ENDED)

    async def send_status(self) -> None:
        self._status_sent = time.monotonic()
        await self.send_numbered("task_status", await self.status())

    async def send_numbered(self, kind: str, payload: dict[str, Any]) -> None:
        self.seq += 1
        await self.send_json({"type": kind, "seq": self.seq, "payload": payload})

    @database_sync_to_async
    def status(self) -> dict[str, Any]:
        self.task = ProcessingTask.objects.select_related("environment").get(pk=self.task.pk)
        return selectors.task_details(self.task)


class FramesConsumer(TaskConsumer):
    """`/ws/frames/{task_id}`: the pictures of committed instants, one binary message each.

    A viewer acknowledges what arrived (`{"type": "ack", "seq": n}`, now and then). One that cannot keep up skips:
    beyond a bound of unacknowledged pictures nothing is sent, and waiting batches give way to the newest; one that
    stays behind is closed with 4408.
    """

    seq = 0
    acknowledged = 0
    _behind_since: float | None = None
    _sent_away = False
    max_rate = 10.0

    async def opened(self) -> None:
        self.cameras = list(self.task.cameras)
        self._newest: dict[str, Any] | None = None
        self._wake = asyncio.Event()
        if self.task.status in ProcessingTask.FINAL:
            await self.close(code=TASK_ENDED)
            return
        self._sender = asyncio.create_task(self.send_frames())
        await self.keep_watching()

    async def clean_up(self) -> None:
        if hasattr(self, "_sender"):
            self._sender.cancel()
        await super().clean_up()

    def requests(self) -> dict[str, Any]:
        return {"subscribe": self.on_subscribe, "ack": self.on_ack}

    async def on_ack(self, message: dict[str, Any]) -> None:
        seq = message.get("seq")
        if isinstance(seq, bool) or not isinstance(seq, int) or not self.acknowledged <= seq <= self.seq:
            await self.send_error("validation_error", "`seq` must be the number of a picture that was sent.")
            return
        self.acknowledged, self._behind_since = seq, None

    async def on_subscribe(self, message: dict[str, Any]) -> None:
        cameras, rate = message.get("cameras", self.cameras), message.get("max_rate", self.max_rate)
        known = isinstance(cameras, list) and all(c in self.task.cameras for c in cameras)
        if not known or isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 60:
            await self.send_error(
                "validation_error",
                f"`cameras` must be some of {', '.join(self.task.cameras)}, `max_rate` above 0 and at most 60.",
            )
            return
        # in the task's order, each once, however often it was named
        self.cameras = [camera for camera in self.task.cameras if camera in cameras]
        self.max_rate = float(rate)
        await self.send_json({"type": "subscribed", "cameras": self.cameras, "max_rate": self.max_rate})

    async def batch_committed(self, event: dict[str, Any]) -> None:
        """A notice of `tracking.publish`."""
        if not await self.still_allowed():
            return
        self._newest = event
        self._wake.set()
        await self.keep_watching()

    async def task_changed(self, event: dict[str, Any]) -> None:
        """A notice of `tracking.publish`."""
        if await self.reload_task() and self.task.status in ProcessingTask.FINAL:
            await self.close(code=TASK_ENDED)

    async def keep_watching(self) -> None:
        await self.redis.set(frames.watched_key(self.task.pk), 1, ex=frames.WATCH_SECONDS)

    async def send_frames(self) -> None:
        """Runs until the socket closes."""
        try:
            await self._send_newest_batches()
        except asyncio.CancelledError:
            raise
        except STORES_AWAY:
            await self.turn_away()
        except Exception:
            log.exception("the pictures of task %s broke off for one viewer", self.task.pk)
            await self.close(code=BROKEN)

    async def keeps_up(self) -> bool:
        """Whether the viewer can take another picture; closes the socket of one that stays behind."""
        if self.seq - self.acknowledged < MOST_UNACKNOWLEDGED:
            return True
        now = time.monotonic()
        self._behind_since = self._behind_since or now
        if now - self._behind_since > PATIENCE_S:
            self._sent_away = True
            await self.refuse(
                "too_slow", "Pictures arrive faster than you take them; subscribe to fewer.", TOO_SLOW
            )
        return False

    async def _send_newest_batches(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            event, self._newest = self._newest, None
            updates = await self.redis.get(updates_key(self.task.pk, event["number"]))
            instants = [u["global_frame_index"] for u in json.loads(updates)] if updates else []
            for instant in self.thinned(instants):
                for camera in self.cameras:
                    if not await self.keeps_up():
                        if self._sent_away:
                            return
                        continue
                    data = await self.redis.get(frames.frame_key(self.task.pk, camera, instant))
                    if data:
                        await self.send_frame(camera, frames.StoredFrame.from_bytes(data))

    def thinned(self, instants: list[int]) -> list[int]:
        """So many that the capture times keep to `max_rate`."""
        step = max(1, round(self.task.fps / self.max_rate))
        return [i for i in instants if i % step == 0]

    async def send_frame(self, camera: str, frame: frames.StoredFrame) -> None:
        self.seq += 1
        header = json.dumps(
            {
                "camera_id": camera,
                "seq": self.seq,
                "global_frame_index": frame.instant,
                "timestamp_captured_utc": from_seconds(frame.captured_at),
                "width": frame.width,
                "height": frame.height,
                "format": "jpeg",
                "quality_level": "full",
                "overlay": False,
            }
        ).encode()
        await self.send(bytes_data=len(header).to_bytes(4, "big") + header + frame.jpeg)
