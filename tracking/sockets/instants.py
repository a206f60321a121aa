"""Instants as the sockets of one process share them: every form of them is made once, however many viewers want it."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Self

import msgpack
from channels.db import database_sync_to_async

from tracking.models import ProcessingTask
from tracking.playback import Clock, clock_from, clock_key
from tracking.publish import updates_key
from tracking.replay import block_size, replayed_texts
from tracking.sockets.feed import Feed

ALWAYS = ("track_id", "global_id")


@dataclass(frozen=True)
class View:
    """What of an instant a viewer wants. Attributes: None for all; focus: a person's id."""

    cameras: tuple[str, ...] | None = None
    fields: frozenset[str] | None = None
    focus: str | None = None


ALL = View()


class Instant:
    """One synchronised instant: its JSON as published, and the forms made of it."""

    def __init__(self, payload: dict[str, Any], text: str | None = None) -> None:
        self._views: dict[View, dict[str, Any]] = {ALL: payload}
        self._texts: dict[Hashable, str] = {} if text is None else {ALL: text}
        self.index: int = payload["global_frame_index"]

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """From its JSON, which stays as it is for all who want everything."""
        text = text if isinstance(text, str) else text.decode()
        return cls(json.loads(text), text)

    def payload(self, view: View = ALL) -> dict[str, Any]:
        """The instant as `view` wants it; shared, not to be changed."""
        if view not in self._views:
            self._views[view] = _viewed(self._views[ALL], view)
        return self._views[view]

    def text(self, view: View = ALL) -> str:
        """Its JSON."""
        return self.form(view, lambda: self.payload(view))

    def form(self, key: Hashable, make: Callable[[], dict[str, Any]]) -> str:
        """The JSON of what `make` gives, made once for each key."""
        if key not in self._texts:
            self._texts[key] = json.dumps(make(), separators=(",", ":"))
        return self._texts[key]


async def published(feed: Feed, task_id: Any, number: int) -> list[Instant]:
    """The instants of a batch that was committed just now; none when Redis has forgotten them."""

    async def read() -> list[Instant]:
        data = await feed.redis.get(updates_key(task_id, number))
        return [Instant.read(text) for text in msgpack.unpackb(data)] if data else []

    return await feed.shared.get(("batch", number), read)


async def stored(feed: Feed, task: ProcessingTask, index: int) -> Instant:
    """An instant that was processed at some time, from its rows."""
    size = block_size(task)

    @database_sync_to_async
    def read() -> list[Instant]:
        return [Instant.read(text) for text in replayed_texts(task=task, block=index // size)]

    # what is still being processed fills its block from instant to instant
    grown = task.batches_done if task.is_active else None
    block = await feed.shared.get(("block", index // size, grown), read)
    return block[index % size]


async def clock_of(feed: Feed, task_id: Any) -> Clock | None:
    """The task's playback clock; None: it is followed."""
    return clock_from(await feed.redis.get(clock_key(task_id)))


def _viewed(payload: dict[str, Any], view: View) -> dict[str, Any]:
    cameras = {
        name: {**camera, "tracks": [_track(track, view) for track in camera["tracks"]]}
        for name, camera in payload["cameras"].items()
        if view.cameras is None or name in view.cameras
    }
    counts = payload["person_count_per_camera"]
    return {
        **payload,
        "cameras": cameras,
        "person_count_per_camera": {name: counts[name] for name in cameras},
        "focus_person_id": view.focus,
    }


def _track(track: dict[str, Any], view: View) -> dict[str, Any]:
    if view.focus is not None:
        track = {**track, "is_focused": track["global_id"] == view.focus}
    if view.fields is None:
        return track
    return {key: value for key, value in track.items() if key in ALWAYS or key in view.fields}
