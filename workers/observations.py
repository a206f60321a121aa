"""What perception saw in one batch of one camera, and its form on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import accumulate
from typing import Any

import cv2
import msgpack
import numpy as np


@dataclass(frozen=True)
class Observations:
    """Detections of one camera over the instants of one batch, flattened: frame i has `counts[i]` of the rows.

    Attributes:
        instants: (m,) int32, numbers of the instants for which there is a frame, ascending.
        frames: (m,) int32, presentation index of each frame in its source.
        captured_at: (m,) float64, UNIX capture time of each frame.
        counts: (m,) int32, detections in each frame; their sum is n.
        boxes_px: (n, 4) float32 xyxy in the camera's image size.
        scores: (n,) float32.
        embeddings: (n, d) float16 unit rows, zero for who was not described in this frame; d is 0 when nobody ever is.
        timings_ms: sums over the batch for queue, decode, detect, embed.
        problems: [{"frame", "time_s", "message"}], what could not be read.
    """

    camera: str
    number: int
    instants: np.ndarray
    frames: np.ndarray
    captured_at: np.ndarray
    counts: np.ndarray
    boxes_px: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def nothing(cls, camera: str, number: int, problems: tuple[Mapping[str, Any], ...] = ()) -> Observations:
        """A batch without frames: lost, unreadable, or not delivered in time."""
        empty = np.empty(0, np.int32)
        return cls(
            camera,
            number,
            empty,
            empty,
            np.empty(0),
            empty,
            np.empty((0, 4), np.float32),
            np.empty(0, np.float32),
            np.empty((0, 0), np.float16),
            problems=problems,
        )

    def frame_of(self, instant: int) -> int | None:
        """Row of this instant among the frames, None when the camera has none for it."""
        return self._frames.get(instant)

    def rows_of(self, frame: int) -> slice:
        """Rows of the detections of frame number `frame` (an index into `instants`)."""
        return slice(self._starts[frame], self._starts[frame + 1])

    @cached_property
    def looks(self) -> np.ndarray:
        """(n, d) the embeddings as float32."""
        return from_half(self.embeddings)

    @cached_property
    def _frames(self) -> dict[int, int]:
        return {instant: frame for frame, instant in enumerate(self.instants.tolist())}

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(self.counts.tolist())]

    def to_bytes(self) -> bytes:
        return msgpack.packb({f.name: _pack(getattr(self, f.name)) for f in fields(self)})

    @classmethod
    def from_bytes(cls, data: bytes) -> Observations:
        """Raises ValueError when the bytes are not observations."""
        try:
            values = {name: _unpack(value) for name, value in msgpack.unpackb(data).items()}
            return cls(**{**values, "problems": tuple(values["problems"])})
        except (TypeError, KeyError, AttributeError, ValueError, msgpack.UnpackException) as error:
            raise ValueError(f"not observations: {error}") from error


def to_half(values: np.ndarray) -> np.ndarray:
    """float16 of (n, d) numbers. By OpenCV, which asks the processor: NumPy's own conversion takes 20 times as long."""
    if not values.size:
        return values.astype(np.float16)
    return cv2.convertFp16(np.ascontiguousarray(values, np.float32)).view(np.float16)


def from_half(values: np.ndarray) -> np.ndarray:
    """float32 of (n, d) float16 numbers; see `to_half`."""
    if not values.size:
        return values.astype(np.float32)
    return cv2.convertFp16(np.ascontiguousarray(values, np.float16).view(np.int16))


def _pack(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        return {"dtype": array.dtype.str, "shape": list(array.shape), "data": array.tobytes()}
    return value


def _unpack(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"dtype", "shape", "data"}:
        return np.frombuffer(value["data"], value["dtype"]).reshape(value["shape"])
    return value
