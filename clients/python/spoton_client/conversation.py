"""What is said over one socket: numbers, acknowledgements, options, deltas. No input or output happens here."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from spoton_client.delta import applied

# SpotOn is told what arrived about twice a second; it stops sending pictures 200 ahead of what it was told
ACK_EVERY_S, ACK_EVERY = 0.5, 50
_BY_CAMERA = ("cameras", "person_count_per_camera")


class FrameHeader(TypedDict):
    camera_id: str
    seq: int
    global_frame_index: int
    timestamp_captured_utc: str
    width: int
    height: int
    format: Literal["jpeg", "webp"]
    quality_level: str
    overlay: bool


@dataclass(frozen=True)
class Message:
    """Attributes: type such as `tracking_update`; seq numbers the messages of one connection."""

    type: str
    seq: int
    payload: Any


@dataclass(frozen=True)
class Picture:
    """Attributes: image is encoded as `header["format"]` says."""

    header: FrameHeader
    image: bytes


def picture_of(data: bytes) -> Picture:
    """A binary message taken apart. Raises ValueError."""
    begin = 4 + int.from_bytes(data[:4], "big")
    if not 4 < begin <= len(data):
        raise ValueError("not a frame message")
    return Picture(json.loads(data[4:begin]), data[begin:])


class Conversation:
    """One connection after the other.

    Attributes:
        options: of `subscribe`, sent again on every connection; empty: SpotOn's own.
        replies: what is to be sent now; whoever sends takes it out.
        error: the last one SpotOn told.
    """

    def __init__(self, options: Mapping[str, Any], *, pictures: bool = False) -> None:
        self.options = dict(options)
        self.replies: list[dict[str, Any]] = []
        self.error: dict[str, Any] | None = None
        self._pictures = pictures
        self._shown: tuple[Any, ...] | None = None
        self.opened()

    def opened(self) -> None:
        """A new connection: numbers begin again."""
        self.replies.clear()
        self.error = None
        self._seq = self._acknowledged = 0
        self._acknowledged_at = float("-inf")
        # full payloads that deltas may build on, by `seq`
        self._bases: dict[int, dict[str, Any]] = {}
        self._asked, self._agreed = False, not self.options
        self._snapshot = True
        self._healing = False

    def subscribe(self, options: Mapping[str, Any]) -> None:
        """Change the options."""
        self.options = {**self.options, **options}
        self._ask()

    def received(self, data: str | bytes) -> Iterator[Message | Picture]:
        """What the user is to see of a message of the server."""
        if isinstance(data, bytes):
            picture = picture_of(data)
            self._count(picture.header["seq"], whole=True)
            self._acknowledge(picture.header["seq"])
            if self._agreed:
                yield picture
            return
        message = json.loads(data)
        kind = message["type"]
        if kind == "error":
            self.error = message
        elif kind == "subscribed":
            self._agreed = self._agreed or self._asked
        elif kind == "batch":
            for inner in message["messages"]:
                yield from self._numbered(inner)
        elif kind != "pong":
            yield from self._numbered(message)
        if not self._asked and not self.error and self.options:
            # only now: before its first message the server does not know yet who is asking
            self._ask()

    def _ask(self) -> None:
        self._asked = True
        self.replies.append({"type": "subscribe", **self.options})

    def _numbered(self, message: dict[str, Any]) -> Iterator[Message]:
        kind, seq, payload = message["type"], message["seq"], message["payload"]
        self._count(seq, whole=not payload.get("delta"))
        if kind == "tracking_update":
            payload = self._full(seq, payload)
            if payload is None or self._seen(payload):
                return
        elif kind == "playback_frame":
            payload = {**payload, "frame_data": self._chosen(payload["frame_data"])}
        yield Message(kind, seq, payload)

    def _count(self, seq: int, *, whole: bool) -> None:
        if seq != self._seq + 1:
            self._heal()
        elif whole:
            self._healing = False
        self._seq = seq

    def _heal(self) -> None:
        if not self._healing:
            self._healing = self._snapshot = True
            self.replies.append({"type": "resync"})

    def _full(self, seq: int, payload: dict[str, Any]) -> dict[str, Any] | None:
        """The payload in full; None when it builds on what is not here."""
        if payload.get("delta"):
            base = self._bases.get(payload["base_seq"])
            if base is None:
                self._heal()
                return None
            self._bases = {s: kept for s, kept in self._bases.items() if s >= payload["base_seq"]}
            payload = applied(base, payload)
        if self.options.get("mode") == "delta" and self._agreed and self._acknowledge(seq):
            self._bases[seq] = payload
        return self._chosen(payload)

    def _chosen(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Before the options are known SpotOn sends every camera."""
        wanted = self.options.get("cameras")
        if wanted is None or self._agreed:
            return payload
        cut = {key: {c: v for c, v in payload[key].items() if c in wanted} for key in _BY_CAMERA}
        return {**payload, **cut}

    def _seen(self, payload: dict[str, Any]) -> bool:
        """Whether it is the instant that was shown last, told again by a snapshot."""
        instant = (payload["global_frame_index"], payload["timestamp_captured_utc"])
        again = self._snapshot and instant == self._shown
        self._snapshot, self._shown = False, instant
        return again

    def _acknowledge(self, seq: int) -> bool:
        """Tell the server, when it is time; whether it is."""
        now = time.monotonic()
        if now - self._acknowledged_at < ACK_EVERY_S and seq - self._acknowledged < ACK_EVERY:
            return False
        self._acknowledged, self._acknowledged_at = seq, now
        self.replies.append({"type": "ack", "seq": seq})
        return True
