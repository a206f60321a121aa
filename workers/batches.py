"""What one perceive message asks for: a reference to frames of one camera, never their pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from calibration import CameraModel


@dataclass(frozen=True)
class Segment:
    """Part of a batch that lies in one source.

    Attributes:
        uri: the source; for live cameras empty, the frames then lie in the frame store.
        started_at: UNIX time of the source's first frame, corrected by the camera's clock offset.
        duration_s: length of the source, None for live.
        instants: numbers of the synchronised instants, ascending.
        times_s: their times on the source's clock, seconds since its first frame.
        fps: frames per second of an image folder, which does not tell by itself.
    """

    uri: str
    started_at: float
    duration_s: float | None
    instants: tuple[int, ...]
    times_s: tuple[float, ...]
    fps: float | None = None


@dataclass(frozen=True)
class FrameBatch:
    """One camera's share of one batch of one task. The same reference always gives the same observations.

    Attributes:
        tolerance_s: a frame belongs to an instant when their times differ by at most this much.
        image_size: (width, height) that the calibration and all boxes refer to.
        fps: instants per second of the task, 0 where that is not known.
    """

    task_id: str
    number: int
    camera: str
    segments: tuple[Segment, ...]
    tolerance_s: float
    image_size: tuple[int, int]
    calibration: Mapping[str, Any] | None
    detector: str
    embedder: str
    score_threshold: float | None
    queued_at: float
    live: bool = False
    fps: float = 0.0

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> FrameBatch:
        """From the JSON that the scheduler sends."""
        values = dict(message)
        values["segments"] = tuple(
            Segment(**{**s, "instants": tuple(s["instants"]), "times_s": tuple(s["times_s"])})
            for s in message["segments"]
        )
        values["image_size"] = tuple(message["image_size"])
        return cls(**values)

    @property
    def instants(self) -> tuple[int, ...]:
        return tuple(i for segment in self.segments for i in segment.instants)

    def camera_model(self) -> CameraModel | None:
        """The camera's geometry at `image_size`, None when it is not calibrated."""
        if not self.calibration:
            return None
        return CameraModel.from_mapping(self.calibration).scaled_to(self.image_size)
