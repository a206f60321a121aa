"""What flows between the engine's stages. Frozen, with units in the names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from workers.jpeg import Jpeg


class EngineError(Exception):
    """Something a user can mend: an unreadable source, missing weights, a wrong name. The message says how."""


@dataclass(frozen=True)
class Detections:
    """Persons found in one image.

    Attributes:
        boxes_px: (n, 4) float32 xyxy, pixels of the image that was given, origin top left.
        scores: (n,) float32 in 0..1.
    """

    boxes_px: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "boxes_px", np.asarray(self.boxes_px, np.float32).reshape(-1, 4))
        object.__setattr__(self, "scores", np.asarray(self.scores, np.float32).reshape(-1))
        if len(self.boxes_px) != len(self.scores):
            raise ValueError(f"{len(self.boxes_px)} boxes but {len(self.scores)} scores")

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def empty(cls) -> Detections:
        return cls(np.empty((0, 4)), np.empty(0))


@runtime_checkable
class Detector(Protocol):
    """Finds persons in images. Stateless between calls: same images, same detections."""

    name: str

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """One `Detections` per image, in order.

        Args:
            images: uint8 BGR arrays (height, width, 3); sizes may differ.
        """
        ...


@runtime_checkable
class Embedder(Protocol):
    """Describes how persons look, so that the same person is alike in every view."""

    name: str
    dimension: int

    def embed(self, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        """(n, dimension) float32 rows of unit length for (n, 4) xyxy boxes; boxes may reach outside the image.

        Args:
            image: uint8 BGR (height, width, 3).
            boxes_px: (n, 4) xyxy pixels; n may be 0.
        """
        ...


@dataclass(frozen=True)
class SourceInfo:
    """What a source says of itself, known before the first frame is read.

    Attributes:
        image_size: (width, height) in pixels.
        fps: nominal frames per second.
        duration_s: seconds, None for live sources.
        frame_count: None where unknown (live).
    """

    image_size: tuple[int, int]
    fps: float
    duration_s: float | None
    frame_count: int | None
    live: bool = False


@dataclass(frozen=True)
class SourceFrame:
    """One frame.

    Attributes:
        index: zero-based presentation index within the source.
        time_s: seconds since the source's first frame (recordings), or UNIX capture time (live).
        picture: uint8 BGR (height, width, 3), or what a live camera sent that sends JPEGs.
        name: file name for image sequences, else None.
    """

    index: int
    time_s: float
    picture: np.ndarray | Jpeg = field(repr=False)
    name: str | None = None

    @property
    def image(self) -> np.ndarray:
        """uint8 BGR (height, width, 3); decoded now, if it was not.

        Raises:
            DamagedJpegError: it cannot be.
        """
        return self.picture.image if isinstance(self.picture, Jpeg) else self.picture
