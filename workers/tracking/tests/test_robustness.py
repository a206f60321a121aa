"""What goes wrong in real buildings: cables, clocks, screws, detectors, crowds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from calibration import CameraModel
from calibration.tests.cameras import looking_at_ground
from workers.observations import Observations
from workers.tracking import BatchTracks, MultiCameraTracker
from workers.tracking.tests.people import (
    CAMERAS,
    FPS,
    MODELS,
    SIZE,
    SOUTH,
    START_S,
    CameraView,
    World,
    follow,
    identities,
    join,
    plain,
    standing,
    walking,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

# one walks along, one across, one stands: never nearer than a metre
PATHS = {
    "ann": walking((-3, 10), (0.6, 0.0)),
    "bob": walking((2.5, 15.5), (-0.2, -0.3)),
    "cat": standing((-2, 14)),
}


def finite(rows: BatchTracks) -> None:
    """Every number of every row."""
    for instant, frame, captured_at, _, _, _, box_px, score, position_m in rows.detections:
        assert np.isfinite([instant, frame, captured_at, *box_px, score, *(position_m or ())]).all()
    for row in [*rows.positions, *rows.corrected]:
        assert np.isfinite(row).all()
    for _, instants, times_s, positions_m in rows.trajectories:
        assert positions_m.shape == (len(instants), 2)
        assert np.isfinite(times_s).all()
        assert np.isfinite(positions_m).all()
    for person in rows.persons:
        assert np.isfinite([person.first_s, person.last_s, person.weight, *person.appearance]).all()


def everybody(rows: BatchTracks) -> set[int]:
    return {row[2] for row in rows.positions} | {row[2] for row in rows.corrected}


def told(rows: BatchTracks) -> None:
    """Nobody is in a row of whom nothing is told."""
    numbers = {row[5] for row in (*rows.detections, *rows.bridged)} | {path[0] for path in rows.trajectories}
    assert everybody(rows) | numbers <= {person.number for person in (*rows.persons, *rows.looks)}


def farthest_m(world: World, rows: BatchTracks, since_s: float = 1.0) -> float:
    """The largest distance of a live position from the nearest person."""
    gaps = [
        min(np.hypot(*np.subtract(path(instant / FPS), (x, y))) for path in world.paths.values())
        for instant, _, _, x, y, *_ in rows.positions
        if instant >= since_s * FPS
    ]
    return float(max(gaps))


def themselves(world: World, rows: BatchTracks) -> None:
    """Everybody is one number of their own, and nobody else is there."""
    finite(rows)
    told(rows)
    given = identities(world, rows)
    numbers = [set(given[name]) for name in world.paths]
    assert all(len(n) == 1 for n in numbers)
    assert len(set.union(*numbers)) == len(world.paths)
    assert everybody(rows) == set.union(*numbers)


@dataclass
class Delivered(World):
    """Frames that do not arrive: (camera, instant)."""

    lost: frozenset[tuple[str, int]] = field(default_factory=frozenset)

    def observed(self, camera: str, number: int, instants: Sequence[int]) -> Observations:
        return super().observed(camera, number, [i for i in instants if (camera, i) not in self.lost])


# -- frames ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("camera", ["north", "south"])
def test_a_camera_drops_out_and_comes_back(camera):
    """For three of eight seconds."""
    world = Delivered(PATHS, lost=frozenset((camera, i) for i in range(30, 60)))
    rows = follow(world, 8)
    themselves(world, rows)
    assert {row[0] for row in rows.detections if row[3] == camera} == {*range(30), *range(60, 80)}
    # meanwhile the other one shows everybody in every frame
    assert {row[0] for row in rows.positions} == set(range(80))
    assert farthest_m(world, rows) < 0.5


def test_a_camera_that_never_delivers_anything():
    world = Delivered(PATHS, lost=frozenset(("north", i) for i in range(80)))
    rows = follow(world, 8)
    themselves(world, rows)
    assert {row[3] for row in rows.detections} == {"south"}


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_frames_missing_at_random(share):
    """In every camera by itself; half of all frames is much."""
    rng = np.random.default_rng(5)
    lost = frozenset((c, i) for c in ("north", "south") for i in range(80) if rng.random() < share)
    world = Delivered(PATHS, lost=lost)
    rows = follow(world, 8)
    themselves(world, rows)
    assert not {(row[3], row[0]) for row in rows.detections} & lost
    assert farthest_m(world, rows) < 0.6


# -- clocks and screws -----------------------------------------------------------------------------------------


@dataclass
class Late(World):
    """The northern camera's frames are older than they claim."""

    instants: int = 2

    def at(self, camera, instant):
        return super().at(camera, max(instant - self.instants, 0) if camera == "north" else instant)


def test_one_cameras_clock_is_200_ms_late():
    """Who walks 1 m/s is 20 cm elsewhere in that camera: people stay themselves, places suffer a little."""
    world = Late({**PATHS, "ann": walking((-3.5, 10), (1.0, 0.0))})
    rows = follow(world, 7)
    themselves(world, rows)
    assert farthest_m(world, rows) < 0.5


def turned(degrees: float) -> MultiCameraTracker:
    """The northern camera's model says that it looks this far beside where it does."""
    model = looking_at_ground(pan_deg=270.0 + degrees, centre_m=(0.0, 24.0))
    north = CameraView("north", SIZE, CameraModel.from_projection(model, SIZE))
    return MultiCameraTracker([north, CameraView("south", SIZE, SOUTH)])


@pytest.mark.parametrize("degrees", [2.0, -2.0])
def test_a_camera_is_turned_by_two_degrees_against_its_model(degrees):
    """At 12 m that is 42 cm, a quarter of a figure's height: people stay themselves, in between the two."""
    world = World(PATHS)
    rows = follow(world, 8, turned(degrees))
    themselves(world, rows)
    assert farthest_m(world, rows) < 0.6


# -- detectors -------------------------------------------------------------------------------------------------


@dataclass
class Doubled(World):
    """Every box twice, the second one a little larger and a little to the side."""

    def at(self, camera, instant):
        once = super().at(camera, instant)
        return once + [(name, box + [0.5, -1.0, 2.0, 1.5], look) for name, box, look in once]


def test_every_detection_doubled():
    world = Doubled(PATHS)
    rows = follow(world, 8)
    themselves(world, rows)
    # each person has one box of each camera at a time
    keys = [(row[0], row[3], row[5]) for row in rows.detections]
    assert len(set(keys)) == len(keys)


def test_boxes_of_nobody_everywhere():
    """Three in every frame of every camera, never twice in one place: nobody is taken for somebody else."""
    rng = np.random.default_rng(8)
    corners = {(i, c): rng.uniform([0, 0], [600, 250], (3, 2)) for i in range(80) for c in MODELS}
    boxes = {key: np.hstack([xy, xy + [30, 90]]) for key, xy in corners.items()}
    world = World(PATHS, false_boxes=boxes)
    rows = follow(world, 8)
    finite(rows)
    given = identities(world, rows)
    usual = {name: max(given[name], key=given[name].get) for name in PATHS}
    assert len(set(usual.values())) == len(PATHS)
    for name in PATHS:
        assert given[name][usual[name]] > 0.95 * sum(given[name].values())


# -- nothing, and very much ------------------------------------------------------------------------------------


def test_a_minute_of_empty_frames_then_somebody():
    """Nothing is left of the emptiness: a person who comes then is shown as soon as in a fresh run."""
    ann = walking((-3, 10), (0.8, 0.0), since=60.0)
    world = World({"ann": ann})
    rows = follow(world, 63)
    finite(rows)
    assert len(identities(world, rows)["ann"]) == 1
    assert everybody(rows) == set(identities(world, rows)["ann"])
    assert 600 <= min(row[0] for row in rows.positions) <= 605


def test_a_minute_of_empty_frames_keeps_the_state_small():
    tracker, quiet = MultiCameraTracker(CAMERAS), World({})
    sizes = []
    follow(quiet, 60, tracker, after=lambda t: sizes.append(len(t.state())) or t)
    assert max(sizes[20:]) <= 1.05 * sizes[20]


@dataclass
class Crowd(World):
    """A detector that finds even those who are hidden; without embeddings, because so many looks do not exist."""

    def at(self, camera, instant):
        rng = np.random.default_rng([self.seed, instant, len(camera)])
        people = np.array([path(instant / FPS) for path in self.paths.values()])
        boxes = MODELS[camera].person_boxes(people, 1.72)
        boxes += rng.normal(0, self.jitter, boxes.shape) * (boxes[:, 3:] - boxes[:, 1:2])
        return [(name, box, np.empty(0)) for name, box in zip(self.paths, boxes, strict=True)]


def test_a_thousand_people_for_a_few_instants():
    """Fifteen on every square metre: nobody can tell them apart, but every number is one."""
    rng = np.random.default_rng(3)
    paths = {str(k): standing(tuple(rng.uniform([-4, 8], [4, 16]))) for k in range(1000)}
    crowd = Crowd(paths, looks=dict.fromkeys(paths, np.empty(0)))
    tracker, rows = MultiCameraTracker(CAMERAS), BatchTracks()
    for number, instants in enumerate((range(0, 2), range(2, 3))):
        observed = [crowd.observed(camera, number, instants) for camera in MODELS]
        join(rows, tracker.process(observed, instants, [START_S + i / FPS for i in instants]))
        tracker.state()
    join(rows, tracker.finish())
    finite(rows)
    # nobody twice in one picture
    keys = [(row[0], row[3], row[5]) for row in rows.detections]
    assert len(set(keys)) == len(keys)


def test_everything_at_once_twice_gives_the_same_rows():
    """Late, turned, doubtful and with frames missing: still nothing is left to chance."""
    rng = np.random.default_rng(5)
    lost = frozenset((c, i) for c in ("north", "south") for i in range(50) if rng.random() < 0.3)

    def once() -> BatchTracks:
        return follow(Delivered(PATHS, jitter=0.06, lost=lost), 5, turned(2.0))

    first = once()
    finite(first)
    told(first)
    assert plain(first) == plain(once())
