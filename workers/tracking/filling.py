"""Boxes that come late: of people who were not sure yet when they were seen, and of people whom a camera overlooked.

Both are known only once the following second has told who was there, and where: rows for earlier instants.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from workers.compiled import compiled
from workers.mapping.kalman import SEEN
from workers.tracking.cameras import CameraBank

# so much of a person must show for a box to be drawn where the detector found none
LEAST_VISIBLE = 0.3
# and their place must be known to this share of the figure's height, across the image (standard deviation)
LEAST_PRECISION = 0.08


class Box(NamedTuple):
    """A detection: box xyxy, score, place on the map (m) or None, and whether its row is written already."""

    box_px: tuple[float, ...]
    score: float
    place_m: tuple[float, float] | None
    written: bool


@dataclass
class Shots:
    """What the cameras of one plane showed at one instant.

    Attributes:
        shots: camera to its place among the cameras of the plane, the frame's index and its capture time.
        boxes: camera to track number to its box; None where the box is bridged.
        unwritten: whether there is a box whose row was not written.
    """

    instant: int
    shots: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    boxes: dict[str, dict[int, Box | None]] = field(default_factory=dict)
    unwritten: bool = False


class Late(NamedTuple):
    """A row for an earlier instant; score 0 where nothing was detected."""

    instant: int
    frame: int
    captured_at: float
    camera: str
    number: int
    box_px: tuple[float, ...]
    score: float
    place_m: tuple[float, float] | None


class Filling:
    """The shots of the last `lag_s` seconds of one plane, oldest first."""

    def __init__(self) -> None:
        self.recent: deque[Shots] = deque()

    def begin(self, instant: int) -> None:
        self.recent.append(Shots(instant))

    def shot(self, camera: str, index: int, frame: int, captured_at: float) -> None:
        """A camera has a frame at the newest instant."""
        self.recent[-1].shots[camera] = (index, frame, captured_at)
        self.recent[-1].boxes[camera] = {}

    def found(self, camera: str, number: int, box: Box) -> None:
        """A box of a track at the newest instant."""
        self.recent[-1].boxes[camera][number] = box
        self.recent[-1].unwritten |= not box.written

    def bridged(self, camera: str, number: int, instant: int) -> None:
        """The row of a box of an earlier instant is written."""
        for shots in self.recent:
            if shots.instant == instant and camera in shots.boxes:
                shots.boxes[camera][number] = None

    def oldest(
        self, bank: CameraBank | None, numbers: np.ndarray, means: np.ndarray, covariances: np.ndarray
    ) -> Iterator[Late]:
        """Take the oldest instant out: the boxes that are still to be written.

        Args:
            bank: of the plane's cameras; None draws no box where there was none.
            numbers: (n,) the tracks that were somebody then; means, covariances: (n, 5), (n, 5, 5) where.
        """
        then = self.recent.popleft()
        names = sorted(then.shots)
        # a place that no camera confirms is a guess
        elsewhere = {number for found in then.boxes.values() for number in found}
        overlooked = any(
            number in elsewhere and number not in found
            for found in then.boxes.values()
            for number in numbers.tolist()
        )
        drawable = np.zeros((len(names), 0), bool)
        if bank is not None and overlooked:
            sights = bank.sights(np.array([then.shots[name][0] for name in names], int), means[:, SEEN])
            drawable = _well_seen(sights, covariances)
        for k, name in enumerate(names):
            _, frame, captured_at = then.shots[name]
            boxes = then.boxes[name]
            for number in numbers.tolist() if then.unwritten else ():
                box = boxes.get(number)
                if box is not None and not box.written:
                    yield Late(
                        then.instant, frame, captured_at, name, number, box.box_px, box.score, box.place_m
                    )
            for i in np.flatnonzero(drawable[k]).tolist():
                number = int(numbers[i])
                if number not in boxes and number in elsewhere:
                    drawn = tuple(sights.boxes_px[k, i].tolist())
                    yield Late(then.instant, frame, captured_at, name, number, drawn, 0.0, None)

    # -- state -----------------------------------------------------------------------------------------------

    def to_state(self) -> list[Any]:
        # as they are: to be packed at once, before anything changes
        return [[then.instant, then.shots, then.boxes] for then in self.recent]

    def restore(self, state: list[Any]) -> None:
        self.recent = deque()
        for instant, shots, boxes in state:
            self.begin(instant)
            for camera, shot in shots.items():
                self.shot(camera, *shot)
                for number, box in boxes[camera].items():
                    if box is None:
                        self.recent[-1].boxes[camera][number] = None
                    else:
                        self.found(camera, number, _box(*box))


def _box(box_px: list[float], score: float, place_m: list[float] | None, written: bool) -> Box:
    return Box(tuple(box_px), score, None if place_m is None else (place_m[0], place_m[1]), written)


@compiled
def _well_seen(sights, covariances) -> np.ndarray:
    """(V, n) bool: who shows well enough to be drawn, of people with (n, 5, 5) covariances."""
    result = sights.visible >= LEAST_VISIBLE
    for v in range(len(result)):
        for i in range(len(covariances)):
            across = 0.0
            for k in range(3):
                for m in range(3):
                    spread = covariances[i, SEEN[k], SEEN[m]]
                    across += sights.jacobian[v, i, 0, k] * spread * sights.jacobian[v, i, 0, m]
            result[v, i] &= across <= LEAST_PRECISION**2
    return result
