"""One camera's batch while it is perceived: its frames, what was found in them, and where the time went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from workers.batches import FrameBatch
from workers.observations import Observations, to_half


@dataclass(frozen=True)
class BatchFrame:
    """A frame that belongs to an instant of the batch."""

    instant: int
    index: int
    captured_at: float
    image: np.ndarray


@dataclass(frozen=True)
class KnownBackground:
    """A live camera's background, read only by those who do not have this version yet."""

    version: str
    read: Callable[[], bytes | None]


class BatchWork:
    """One batch while it is perceived: its rows, its problems, and where its time went."""

    def __init__(self, batch: FrameBatch, begun: float) -> None:
        self.batch = batch
        self.rows: list[tuple[BatchFrame, np.ndarray, np.ndarray, np.ndarray]] = []
        self.problems: list[dict] = []
        queued = max(0.0, begun - batch.queued_at) * 1e3
        self.clock_ms = {"queue": queued, "decode": 0.0, "detect": 0.0, "embed": 0.0}

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.clock_ms[stage] += (time.perf_counter() - begun) * 1e3

    def observations(self, dimension: int) -> Observations:
        frames = [row[0] for row in self.rows]
        boxes, scores, looks = ([row[i] for row in self.rows] for i in (1, 2, 3))
        return Observations(
            camera=self.batch.camera,
            number=self.batch.number,
            instants=np.array([f.instant for f in frames], np.int32),
            frames=np.array([f.index for f in frames], np.int32),
            captured_at=np.array([f.captured_at for f in frames], float),
            counts=np.array([len(s) for s in scores], np.int32),
            boxes_px=np.concatenate(boxes or [np.empty((0, 4))]).astype(np.float32),
            scores=np.concatenate(scores or [np.empty(0)]).astype(np.float32),
            embeddings=to_half(np.concatenate(looks or [np.empty((0, dimension))])),
            timings_ms={name: round(value, 3) for name, value in self.clock_ms.items()},
            problems=tuple(self.problems),
        )


@contextmanager
def shared_time(found: Sequence[tuple[BatchWork, BatchFrame]], stage: str) -> Iterator[None]:
    """What frames of several cameras took together counts for each in equal parts."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        each_ms = (time.perf_counter() - begun) * 1e3 / max(1, len(found))
        for one, _ in found:
            one.clock_ms[stage] += each_ms
