"""What one camera saw at one instant, ready for association."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.tracking.cameras import CameraBank
from workers.tracking.likelihood import doubt
from workers.tracking.settings import TrackerSettings

# two boxes of one camera that share this much of their union show one person twice: a detector that can tell two
# people apart there does not exist
DOUBLED = 0.75
# a crop this high (pixels) tells as much about appearance as it ever will
FULL_HEIGHT_PX = 100.0


@dataclass(frozen=True)
class Seen:
    """A camera's detections as they came.

    Attributes:
        camera: its name; index: its place among the cameras of its plane.
        boxes_px: (n, 4) xyxy; scores: (n,); embeddings: (n, d) unit rows (d may be 0).
    """

    camera: str
    index: int
    boxes_px: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray


@dataclass(frozen=True)
class View:
    """n detections of one camera at one instant.

    Attributes:
        camera: its name; index: its place among the cameras of its plane.
        boxes_px: (n, 4) xyxy; scores: (n,).
        edges_px: (n, 3) column of the middle, rows of feet and head, cut at the image's borders.
        persons: (n, 3) x, y, height of whom each box most probably shows; covariances: (n, 3, 3).
        placed: (n,) bool, boxes that can show a person and do not repeat another box.
        embeddings: (n, d) float64 unit rows (d may be 0).
        quality: (n,) 0..1, how much a crop tells about appearance.
    """

    camera: str
    index: int
    boxes_px: np.ndarray
    scores: np.ndarray
    edges_px: np.ndarray
    persons: np.ndarray
    covariances: np.ndarray
    placed: np.ndarray
    embeddings: np.ndarray
    quality: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes_px)


class Boxes(NamedTuple):
    """The M boxes of V views, one view after the other.

    Attributes:
        starts: (V + 1,) where each view's boxes begin.
        edges_px: (M, 3) as in `View`; persons, covariances: (M, 3), (M, 3, 3).
        doubts: (M,) nats by which the detector's own doubt makes a box less likely to be somebody.
        usable: (M,) bool, boxes that can be matched; seeds: those that may start a track.
    """

    starts: np.ndarray
    edges_px: np.ndarray
    persons: np.ndarray
    covariances: np.ndarray
    doubts: np.ndarray
    usable: np.ndarray
    seeds: np.ndarray

    @classmethod
    def of(cls, views: Sequence[View], settings: TrackerSettings) -> Boxes:
        def joined(name: str, *shape: int) -> np.ndarray:
            return np.concatenate([np.empty((0, *shape)), *(getattr(view, name) for view in views)])

        scores = joined("scores")
        usable = joined("placed").astype(bool)
        return cls(
            starts=np.cumsum([0, *(len(view) for view in views)]),
            edges_px=joined("edges_px", 3),
            persons=joined("persons", 3),
            covariances=joined("covariances", 3, 3),
            doubts=doubt(scores, settings),
            usable=usable,
            seeds=usable & (scores >= settings.start_score),
        )

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """(M,) values by view."""
        return np.split(values, self.starts[1:-1]) if len(self.starts) > 1 else []


def views_of(bank: CameraBank, seen: Sequence[Seen]) -> list[View]:
    """Locate the boxes of all cameras of a plane at once."""
    if not seen:
        return []
    cameras = np.repeat([s.index for s in seen], [len(s.boxes_px) for s in seen]).astype(int)
    boxes = np.concatenate([np.asarray(s.boxes_px, float).reshape(-1, 4) for s in seen])
    persons, covariances, placed = bank.persons(cameras, boxes)
    edges = bank.projection.edges(cameras, np.where(placed[:, None], boxes, 0.0))
    ends = np.cumsum([len(s.boxes_px) for s in seen])[:-1]
    parts = [np.split(values, ends) for values in (boxes, edges, persons, covariances, placed)]
    return [
        View(
            s.camera,
            s.index,
            boxes_px,
            np.asarray(s.scores, float),
            edges_px,
            persons,
            covariances,
            placed & ~doubled(boxes_px, np.asarray(s.scores, float)),
            np.asarray(s.embeddings, float),
            crop_quality(boxes_px, np.asarray(s.scores, float)),
        )
        for s, boxes_px, edges_px, persons, covariances, placed in zip(seen, *parts, strict=True)
    ]


def doubled(boxes_px: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n,) bool: boxes that repeat a better one of the same camera (the first of equally good ones stays)."""
    return _doubled(boxes_px, np.argsort(-scores, kind="stable"))


@compiled
def _doubled(boxes_px: np.ndarray, order: np.ndarray) -> np.ndarray:
    """See `doubled`; (n,) `order` is from the best on."""
    repeats = np.zeros(len(boxes_px), np.bool_)
    for k in range(1, len(order)):
        for b in range(k):
            i, o = order[k], order[b]
            if not repeats[o]:
                shared = _shared(boxes_px, i, o)
                union = _size(boxes_px, i) + _size(boxes_px, o) - shared
                repeats[i] |= shared > DOUBLED * max(union, 1e-9)
    return repeats


def crop_quality(boxes_px: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n,) 0..1: large, confident, uncovered crops count most."""
    if len(boxes_px) == 0:
        return np.empty(0)
    height = boxes_px[:, 3] - boxes_px[:, 1]
    size = np.clip(height / FULL_HEIGHT_PX, 0.1, 1.0)
    return size * np.clip(scores, 0.05, 1.0) * (1.0 - np.minimum(covered(boxes_px), 0.95))


@compiled
def covered(boxes_px: np.ndarray) -> np.ndarray:
    """(n,) largest share of each box that one other box in front of it covers.

    In front is whose feet are lower in the image: on one ground plane that person is nearer.
    """
    result = np.zeros(len(boxes_px))
    for i in range(len(boxes_px)):
        for o in range(len(boxes_px)):
            if boxes_px[o, 3] > boxes_px[i, 3]:
                result[i] = max(result[i], _shared(boxes_px, i, o) / max(_size(boxes_px, i), 1e-9))
    return result


@compiled_lean
def _shared(boxes_px, i, o) -> float:
    """Pixels that two boxes share."""
    width = min(boxes_px[i, 2], boxes_px[o, 2]) - max(boxes_px[i, 0], boxes_px[o, 0])
    height = min(boxes_px[i, 3], boxes_px[o, 3]) - max(boxes_px[i, 1], boxes_px[o, 1])
    return max(width, 0.0) * max(height, 0.0)


@compiled_lean
def _size(boxes_px, i) -> float:
    """Pixels of a box, 0 for one that is turned inside out."""
    return max(boxes_px[i, 2] - boxes_px[i, 0], 0.0) * max(boxes_px[i, 3] - boxes_px[i, 1], 0.0)
