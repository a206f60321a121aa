"""People who walk under calibrated cameras, and what a detector would make of them: no video needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration import CameraModel
from workers.observations import Observations
from workers.tracking.tracker import CameraView
from workers.tracking.views import covered

FPS = 10.0
START_S = 1_770_000_000.0
SIZE = (1280, 720)
HEIGHT_M, SPEED_M_S = 1.72, 1.2
# a busy square: one person in so many square metres
ROOM_M2 = 10.0
# how much more than its own part a camera of the grid sees, and the least (m)
OVERLAP, LEAST_VIEW_M = 1.7, 8.0
# what the detector does: jitter of the edges as a share of the height, misses, boxes of nobody per frame, people
# behind others, people further away than so many times the middle of the view
JITTER, MISSED, FALSE, HIDDEN, REACH = 0.02, 0.05, 0.1, 0.7, 1.5


def grid(count: int, side_m: float) -> list[CameraView]:
    """Square numbers of cameras that share a square: each looks at a part of its own and some of its neighbours'.

    A camera never sees less than `LEAST_VIEW_M`: many cameras above few people all see the same.
    """
    rows = round(count**0.5)
    if rows * rows != count:
        raise ValueError(f"cameras stand in a square, {count} do not")
    cell = side_m / rows
    spots = [(np.array([i % rows, i // rows]) + 0.5) * cell for i in range(count)]
    view = max(OVERLAP * cell, LEAST_VIEW_M)
    return [_camera(f"c{i:03d}", spot, 90.0 * (i % 4), view) for i, spot in enumerate(spots)]


def around(count: int, side_m: float) -> list[CameraView]:
    """Cameras around a square that all look at the whole of it."""
    middle = np.full(2, side_m / 2)
    return [_camera(f"c{i:03d}", middle, 360.0 * i / count, 1.4 * side_m) for i in range(count)]


def _camera(name: str, middle: np.ndarray, pan_deg: float, cell: float) -> CameraView:
    """A camera that looks at `middle`, obliquely from above, so that a square of `cell` metres fills its view."""
    distance, height = 0.6 * cell, max(3.0, 0.6 * cell)
    pan, tilt = np.deg2rad(pan_deg), np.arctan2(height, distance)
    heading = np.array([np.cos(pan), np.sin(pan)])
    forward = np.array([*(np.cos(tilt) * heading), -np.sin(tilt)])
    right = np.array([heading[1], -heading[0], 0.0])
    R = np.stack([right, np.cross(forward, right), forward])
    f = 0.75 * SIZE[0]
    K = np.array([[f, 0, SIZE[0] / 2], [0, f, SIZE[1] / 2], [0, 0, 1]])
    centre = np.array([*(middle - distance * heading), height])
    return CameraView(name, SIZE, CameraModel.from_projection(K @ np.column_stack([R, -R @ centre]), SIZE))


class Crowd:
    """Walkers in a square of a side that gives everybody the same room, and the boxes and looks that cameras have.

    Everything follows from the seed.

    Args:
        people: how many.
        dimension: of their embeddings.
    """

    def __init__(self, people: int, *, dimension: int = 512, seed: int = 1) -> None:
        self.people, self.dimension, self.seed = people, dimension, seed
        self.side_m = float(np.sqrt(people * ROOM_M2))
        rng = np.random.default_rng(seed)
        self._begin = rng.uniform(0, self.side_m, (people, 2))
        heading = rng.uniform(0, 2 * np.pi, people)
        self._velocity = rng.normal(SPEED_M_S, 0.2, (people, 1)) * np.stack(
            [np.cos(heading), np.sin(heading)], 1
        )
        self.looks = unit_looks(people, dimension, rng)

    def positions(self, time_s: float) -> np.ndarray:
        """(people, 2) metres: they turn round at the borders of the square."""
        there = np.mod(self._begin + self._velocity * time_s, 2 * self.side_m)
        return np.minimum(there, 2 * self.side_m - there)

    def boxes(self, view: CameraView, instant: int) -> tuple[np.ndarray, np.ndarray]:
        """(n, 4) exact boxes of those in full view of a camera, and (n,) who they are."""
        there = self.positions(instant / FPS)
        boxes = view.model.person_boxes(there, HEIGHT_M)
        centre, middle = view.model.centre_m(), view.model.to_map(np.array([[SIZE[0] / 2, SIZE[1] / 2]]))[0]
        near = np.linalg.norm(there - centre[:2], axis=1) < REACH * np.linalg.norm(middle - centre[:2])
        with np.errstate(invalid="ignore"):
            inside = (boxes[:, :2] > 0).all(1) & (boxes[:, 2:] < SIZE).all(1)
        who = np.flatnonzero(near & inside)
        seen = covered(boxes[who]) < HIDDEN
        return boxes[who[seen]], who[seen]

    def observed(self, view: CameraView, number: int, instants: Sequence[int]) -> Observations:
        """What a camera's detector and embedder say in a batch."""
        rng = np.random.default_rng([self.seed, number, sum(view.camera.encode())])
        boxes, looks, counts = [], [], []
        for instant in instants:
            found, who = self.boxes(view, instant)
            kept = rng.random(len(who)) >= MISSED
            nobody = rng.poisson(FALSE)
            boxes.append(
                found[kept] + rng.normal(0, JITTER, (kept.sum(), 4)) * (found[kept, 3:] - found[kept, 1:2])
            )
            boxes.append(_false_boxes(nobody, rng))
            looks.append(_crops(self.looks[who[kept]], rng))
            looks.append(unit_looks(nobody, self.dimension, rng))
            counts.append(kept.sum() + nobody)
        numbers = np.array(instants, np.int32)
        return Observations(
            camera=view.camera,
            number=number,
            instants=numbers,
            frames=numbers,
            captured_at=START_S + numbers / FPS,
            counts=np.array(counts, np.int32),
            boxes_px=np.concatenate(boxes).astype(np.float32),
            scores=np.full(sum(counts), 0.85, np.float32),
            embeddings=np.concatenate(looks).astype(np.float16),
        )


def unit_looks(count: int, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """(count, dimension) unit rows: people resemble each other by about 0.5, as networks see them."""
    common = np.ones(dimension) / np.sqrt(dimension)
    own = rng.normal(size=(count, dimension)) * 1 / np.sqrt(dimension)
    return _unit(common + own)


def _crops(looks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _unit(looks + rng.normal(0, 0.3 / np.sqrt(looks.shape[1]), looks.shape))


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _false_boxes(count: int, rng: np.random.Generator) -> np.ndarray:
    height = rng.uniform(60, 200, count)
    left, top = rng.uniform(0, SIZE[0] - 80, count), rng.uniform(0, SIZE[1] - 200, count)
    return np.column_stack([left, top, left + 0.4 * height, top + height])
