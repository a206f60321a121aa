"""What one camera saw at one instant, ready for association."""

from __future__ import annotations

import itertools
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
# a box that covers all of somebody may be theirs as well, one that covers half of them hardly
MERGED_POWER = 5


@dataclass(frozen=True)
class Seen:
    """A camera's detections as they came.

    Attributes:
        camera: its name; index: its place among the cameras of its plane.
        boxes_px: (n, 4) xyxy; scores: (n,); embeddings: (n, d) float32 unit rows (d may be 0).
    """

    camera: str
    index: int
    boxes_px: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes_px)


class Boxes(NamedTuple):
    """The M boxes of V cameras at one instant, one camera after the other.

    Attributes:
        starts: (V + 1,) where each camera's boxes begin; cameras: (V,) their places among those of the plane.
        boxes_px: (M, 4) xyxy; scores: (M,).
        edges_px: (M, 3) column of the middle, rows of feet and head, cut at the image's borders.
        persons: (M, 3) x, y, height of whom each box most probably shows; covariances: (M, 3, 3).
        quality: (M,) 0..1, how much a crop tells about appearance; 0 for who was not described in this frame.
        doubts: (M,) nats by which the detector's own doubt makes a box less likely to be somebody.
        usable: (M,) bool, boxes that can show a person and do not repeat another one; seeds: those that may start a
            track.
    """

    starts: np.ndarray
    cameras: np.ndarray
    boxes_px: np.ndarray
    scores: np.ndarray
    edges_px: np.ndarray
    persons: np.ndarray
    covariances: np.ndarray
    quality: np.ndarray
    doubts: np.ndarray
    usable: np.ndarray
    seeds: np.ndarray

    @classmethod
    def of(cls, bank: CameraBank, seen: Sequence[Seen], settings: TrackerSettings) -> Boxes:
        """Locate what the cameras of a plane see."""
        starts = np.array([0, *itertools.accumulate(map(len, seen))])
        cameras = np.array([s.index for s in seen], int)
        whose = cameras.repeat(np.diff(starts))
        boxes = np.concatenate([np.empty((0, 4)), *(np.asarray(s.boxes_px).reshape(-1, 4) for s in seen)])
        scores = np.concatenate([np.empty(0), *(s.scores for s in seen)])
        persons, covariances, usable = bank.persons(whose, boxes)
        edges = bank.projection.edges(whose, np.where(usable[:, None], boxes, 0.0))
        quality = _look_at(starts, boxes, scores, usable)
        quality *= np.concatenate([np.empty(0, bool), *(has_look(s.embeddings) for s in seen)])
        seeds = usable & (scores >= settings.start_score)
        doubts = doubt(scores, settings)
        return cls(
            starts, cameras, boxes, scores, edges, persons, covariances, quality, doubts, usable, seeds
        )

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """(M,) values by camera."""
        return split(values, self.starts.tolist())


@dataclass(frozen=True)
class View:
    """n boxes of one camera at one instant.

    Attributes:
        camera: its name; index: its place among the cameras of its plane.
        boxes_px: (n, 4) xyxy; scores: (n,).
        persons: (n, 3) x, y, height of whom each box most probably shows.
        embeddings: (n, d) float32 unit rows (d may be 0).
        quality: (n,) 0..1, see `Boxes`.
    """

    camera: str
    index: int
    boxes_px: np.ndarray
    scores: np.ndarray
    persons: np.ndarray
    embeddings: np.ndarray
    quality: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes_px)


def views_of(seen: Sequence[Seen], boxes: Boxes) -> list[View]:
    """What each camera sees, located."""
    columns = (boxes.split(values) for values in (boxes.boxes_px, boxes.scores, boxes.persons, boxes.quality))
    return [
        View(s.camera, s.index, boxes_px, scores, persons, s.embeddings, quality)
        for s, boxes_px, scores, persons, quality in zip(seen, *columns, strict=True)
    ]


@compiled
def has_look(embeddings: np.ndarray) -> np.ndarray:
    """(n,) bool, of (n, d) rows those that are not zero; all where nothing is embedded at all."""
    n, d = embeddings.shape
    result = np.full(n, d == 0)
    for i in range(n):
        for k in range(d):
            if embeddings[i, k] != 0:
                result[i] = True
                break
    return result


@compiled
def _look_at(starts: np.ndarray, boxes_px: np.ndarray, scores: np.ndarray, placed: np.ndarray) -> np.ndarray:
    """(M,) quality of the boxes of V views; takes out of (M,) `placed` those that repeat another box."""
    quality = np.empty(len(scores))
    for v in range(len(starts) - 1):
        begin, end = starts[v], starts[v + 1]
        placed[begin:end] &= ~doubled(boxes_px[begin:end], scores[begin:end])
        quality[begin:end] = crop_quality(boxes_px[begin:end], scores[begin:end])
    return quality


def split(values: np.ndarray, starts: Sequence[int]) -> list[np.ndarray]:
    """Views of the rows from each start to the next."""
    return [values[a:b] for a, b in itertools.pairwise(starts)]


@compiled
def add_looks(
    tracks: np.ndarray, numbers: np.ndarray, embeddings: np.ndarray, quality: np.ndarray, looks: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Add what one camera shows of tracks to their looks.

    Args:
        tracks: (n,) their numbers, ascending; numbers: (m,) the track of each box, or -1.
        embeddings: (m, d) unit rows, zero for boxes without a look; quality: (m,).
        looks: (n, d) and weights: (n,), added to.

    Returns:
        (k,) the rows of those who are seen.
    """
    rows, k = np.empty(len(numbers), np.int64), 0
    width = embeddings.shape[1] if embeddings.shape[1] == looks.shape[1] else 0
    for j in range(len(numbers)):
        i = np.searchsorted(tracks, numbers[j])
        if i == len(tracks) or tracks[i] != numbers[j]:
            continue
        rows[k] = i
        k += 1
        known = embeddings.shape[1] == 0
        for c in range(width):
            looks[i, c] += embeddings[j, c] * quality[j]
            known |= embeddings[j, c] != 0
        if known:
            weights[i] += quality[j]
    return rows[:k]


@compiled
def doubled(boxes_px: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n,) bool: boxes that repeat a better one of the same camera (the first of equally good ones stays)."""
    order = np.argsort(-scores, kind="mergesort")
    repeats = np.zeros(len(boxes_px), np.bool_)
    for k in range(1, len(order)):
        for b in range(k):
            i, o = order[k], order[b]
            if not repeats[o]:
                shared = _shared(boxes_px, i, o)
                union = _size(boxes_px, i) + _size(boxes_px, o) - shared
                repeats[i] |= shared > DOUBLED * max(union, 1e-9)
    return repeats


@compiled
def crop_quality(boxes_px: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n,) 0..1: large, confident, uncovered crops count most."""
    quality = 1.0 - np.minimum(covered(boxes_px), 0.95)
    for i in range(len(boxes_px)):
        size = (boxes_px[i, 3] - boxes_px[i, 1]) / FULL_HEIGHT_PX
        quality[i] *= min(max(size, 0.1), 1.0) * min(max(scores[i], 0.05), 1.0)
    return quality


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


@compiled_lean
def merged(boxes, v: int, figure_px: np.ndarray) -> float:
    """0..1 how probably view `v` shows somebody, who should show as this (4,) box, in one box with somebody else.

    Detectors take two people who stand close together for one, and drop boxes that lie on one another.
    """
    x1, y1, x2, y2 = figure_px
    most = 0.0
    for box in range(boxes.starts[v], boxes.starts[v + 1]):
        other = boxes.boxes_px[box]
        width, height = min(x2, other[2]) - max(x1, other[0]), min(y2, other[3]) - max(y1, other[1])
        if width > 0 and height > 0:
            most = max(most, width * height)
    return min(most / max((x2 - x1) * (y2 - y1), 1e-9), 1.0) ** MERGED_POWER
