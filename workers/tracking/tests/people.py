"""Hand-made people for tests: they walk on the map, real camera models turn them into boxes, no video needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np

from calibration import CameraModel
from calibration.tests.cameras import SIZE, looking_at_ground
from workers.observations import Observations
from workers.tracking import BatchTracks, MultiCameraTracker
from workers.tracking.tracker import CameraView
from workers.tracking.views import covered

FPS = 10.0
START_S = 1_770_000_000.0
DIMENSION = 64
# every box of a frame has a score of its own, by which its row is recognised
SURE, MARK = 0.9, 0.001
# both cameras see the yard from x -4 to 4 m and y 8 to 16 m, from opposite sides
SOUTH = CameraModel.from_projection(looking_at_ground(), SIZE)
NORTH = CameraModel.from_projection(looking_at_ground(pan_deg=270.0, centre_m=(0.0, 24.0)), SIZE)
CAMERAS = (CameraView("north", SIZE, NORTH), CameraView("south", SIZE, SOUTH))
MODELS = {view.camera: view.model for view in CAMERAS}

# where somebody is at a time (s), or None while away
Path = Callable[[float], tuple[float, float] | None]


def walking(
    begin_m: tuple[float, float], speed: tuple[float, float], since: float = 0.0, until: float = 1e9
) -> Path:
    def place(t: float) -> tuple[float, float] | None:
        if not since <= t < until:
            return None
        return begin_m[0] + speed[0] * (t - since), begin_m[1] + speed[1] * (t - since)

    return place


def standing(place_m: tuple[float, float], since: float = 0.0, until: float = 1e9) -> Path:
    return walking(place_m, (0.0, 0.0), since, until)


def looks(count: int, seed: int = 0) -> np.ndarray:
    """(count, DIMENSION) unit rows: people resemble each other by about 0.55, as descriptors see them."""
    rng = np.random.default_rng(seed)
    own = np.linalg.qr(rng.normal(size=(DIMENSION, DIMENSION)))[0]
    rows = np.sqrt(0.55) * own[0] + np.sqrt(0.45) * own[1 : count + 1]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@dataclass
class World:
    """People and what the cameras' detector makes of them.

    Attributes:
        paths: of everybody, by name.
        looks: (d,) of everybody.
        jitter: of the boxes' edges, as a share of their height; crops: how much each crop differs.
        false_boxes: (instant, camera) to boxes that show nobody.
        unseen: camera and instant at which it finds nobody.
    """

    paths: Mapping[str, Path]
    looks: Mapping[str, np.ndarray] = field(default_factory=dict)
    jitter: float = 0.02
    crops: float = 0.04
    false_boxes: Mapping[tuple[int, str], Sequence[Sequence[float]]] = field(default_factory=dict)
    unseen: Callable[[str, int], bool] = lambda camera, instant: False
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.looks:
            self.looks = dict(zip(self.paths, looks(len(self.paths)), strict=True))

    def at(self, camera: str, instant: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """(name, box_px, embedding) of everybody this camera finds; false boxes are named ''."""
        rng = np.random.default_rng([self.seed, instant, sum(camera.encode())])
        there = {name: path(instant / FPS) for name, path in self.paths.items()}
        names = [name for name, place in there.items() if place is not None]
        found = []
        if names and not self.unseen(camera, instant):
            boxes = MODELS[camera].person_boxes(np.array([there[name] for name in names]), 1.72)
            width, height = SIZE
            inside = (boxes[:, 0] > 0) & (boxes[:, 1] > 0) & (boxes[:, 2] < width) & (boxes[:, 3] < height)
            names, boxes = [n for n, i in zip(names, inside, strict=True) if i], boxes[inside]
            clear = covered(boxes) < 0.7
            boxes = boxes + rng.normal(0, self.jitter, boxes.shape) * (boxes[:, 3:] - boxes[:, 1:2])
            for name, box in zip(np.array(names)[clear], boxes[clear], strict=True):
                found.append((str(name), box, self._crop(self.looks[name], rng)))
        for box in self.false_boxes.get((instant, camera), ()):
            found.append(("", np.array(box, float), self._crop(looks(60, seed=9)[instant % 60], rng)))
        return found

    def _crop(self, look: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        crop = look + rng.normal(0, self.crops, look.shape) if len(look) else look
        return crop / max(np.linalg.norm(crop), 1e-9)

    def observed(self, camera: str, number: int, instants: Sequence[int]) -> Observations:
        frames = [self.at(camera, i) for i in instants]
        rows = [row for frame in frames for row in frame]
        dimension = len(next(iter(self.looks.values()), np.empty(DIMENSION)))
        return Observations(
            camera=camera,
            number=number,
            instants=np.array(instants, np.int32),
            frames=np.array(instants, np.int32),
            captured_at=START_S + np.array(instants) / FPS,
            counts=np.array([len(frame) for frame in frames], np.int32),
            boxes_px=np.array([row[1] for row in rows], np.float32).reshape(-1, 4),
            scores=np.array([SURE - k * MARK for frame in frames for k in range(len(frame))], np.float32),
            embeddings=np.array([row[2] for row in rows], np.float16).reshape(len(rows), dimension),
        )


def batches(seconds: float, of: int = 10) -> list[range]:
    """Instants of the batches that cover so many seconds."""
    total = round(seconds * FPS)
    return [range(first, min(first + of, total)) for first in range(0, total, of)]


def follow(
    world: World,
    seconds: float,
    tracker: MultiCameraTracker | None = None,
    cameras: Sequence[str] = ("north", "south"),
    after: Callable[[MultiCameraTracker], MultiCameraTracker] = lambda tracker: tracker,
) -> BatchTracks:
    """All rows of a whole run, open trajectories included; `after` may put another tracker in after each batch."""
    tracker = tracker or MultiCameraTracker(CAMERAS)
    result = BatchTracks()
    for number, instants in enumerate(batches(seconds)):
        observed = [world.observed(camera, number, instants) for camera in cameras]
        times = [START_S + i / FPS for i in instants]
        join(result, tracker.process(observed, instants, times))
        tracker = after(tracker)
    join(result, tracker.finish())
    return result


def join(result: BatchTracks, more: BatchTracks) -> None:
    """Append a batch's rows. Persons are copied: what is said of them now is what would be recorded now."""
    for name in ("detections", "bridged", "positions", "corrected", "trajectories", "renamed"):
        getattr(result, name).extend(getattr(more, name))
    result.persons.extend(deepcopy(more.persons))


def plain(rows: BatchTracks) -> dict[str, list]:
    """Everything in the rows as numbers, text and lists, which compare exactly."""
    return {
        "detections": rows.detections,
        "bridged": rows.bridged,
        "positions": rows.positions,
        "corrected": rows.corrected,
        "renamed": rows.renamed,
        "trajectories": [
            (person, list(instants), times.tolist(), positions.tolist())
            for person, instants, times, positions in rows.trajectories
        ],
        "persons": [(p.number, p.first_s, p.last_s, p.appearance.tolist(), p.weight) for p in rows.persons],
    }


def identities(world: World, rows: BatchTracks) -> dict[str, dict[int, int]]:
    """For everybody ('' for false boxes): how often each person number was given to their boxes."""
    counted: dict[str, dict[int, int]] = {}
    for instant, _, _, camera, _, person, _, score, _ in rows.detections:
        name, *_ = world.at(camera, instant)[round((SURE - score) / MARK)]
        numbers = counted.setdefault(name, {})
        numbers[person] = numbers.get(person, 0) + 1
    return counted
