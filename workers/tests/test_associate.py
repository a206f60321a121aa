"""Associate: bytes of all cameras and the state before, to rows and the state after."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from calibration import CameraModel
from workers.associate import Associated, Associator, associate, tracker_after, tracker_for
from workers.observations import Observations
from workers.perceive import Perceiver
from workers.sources import SourcePolicy
from workers.tests import walkers
from workers.tracking import BatchTracks
from workers.tracking.tests.people import (
    CAMERAS,
    FPS,
    SIZE,
    SOUTH,
    START_S,
    World,
    batches,
    follow,
    identities,
    join,
    plain,
    standing,
    walking,
)


def planned(name: str, model: CameraModel | None, image_size: tuple[int, int] = SIZE) -> dict[str, Any]:
    """A camera as the task's plan has it, after its way through JSON."""
    entry = {"camera": name, "image_size": image_size, "calibration": model and model.to_mapping()}
    return json.loads(json.dumps(entry))


PLAN = [planned(view.camera, view.model) for view in CAMERAS]


def yard() -> World:
    """Ann and Bob cross, Cat leaves and comes back."""
    return World(
        {
            "ann": walking((-3, 12), (1, 0)),
            "bob": walking((3, 12), (-1, 0)),
            "cat": lambda t: None if 2 <= t < 5 else (-1.5 + 0.2 * t, 14.5),
        },
        jitter=0.04,
    )


def run(
    world: World,
    number: int,
    instants: range,
    state: bytes | None,
    cameras: list[dict[str, Any]] = PLAN,
    **options: Any,
) -> Associated:
    """One batch of both cameras."""
    observations = [world.observed(camera, number, instants).to_bytes() for camera in ("south", "north")]
    values = {
        "tracker": tracker_for(cameras, state),
        "observations": observations,
        "instants": instants,
        "times_s": [START_S + i / FPS for i in instants],
        "last": False,
    }
    return associate(**{**values, **options})


def test_batch_by_batch_is_the_same_as_one_tracker_that_never_stops():
    world, rows, state = yard(), BatchTracks(), None
    plan = batches(7)
    for number, instants in enumerate(plan):
        result = run(world, number, instants, state, last=number == len(plan) - 1)
        state = result.state()
        join(rows, result.rows)
    assert plain(rows) == plain(follow(world, 7))
    assert {len(numbers) for numbers in identities(world, rows).values()} == {1}


def test_the_same_batch_again_gives_the_same_rows_and_state():
    """A message that is delivered twice, or taken over by another worker after a crash."""
    world = yard()
    first = run(world, 0, range(10), None)
    before = first.state()
    second, again = (run(world, 1, range(10, 20), before) for _ in range(2))
    assert first.state() == before
    assert plain(second.rows) == plain(again.rows)
    assert second.state() == again.state() != before


def test_only_the_last_batch_closes_open_tracks():
    world = World({"ann": standing((0, 12))})
    going_on, ending = (run(world, 0, range(10), None, last=last).rows for last in (False, True))
    assert going_on.trajectories == []
    ((person, instants, _, positions_m),) = ending.trajectories
    assert {person} == {row[2] for row in ending.positions}
    assert list(instants) == [row[0] for row in ending.positions]
    np.testing.assert_allclose(positions_m, [(0, 12)] * len(instants), atol=0.3)
    assert plain(going_on)["positions"] == plain(ending)["positions"]


def test_the_last_batch_tells_how_looks_varied():
    """Everybody is seen by two cameras, in each in a light of its own."""
    world = yard()
    middle = run(world, 0, range(20), None)
    assert middle.rows.variation is None
    last = run(world, 1, range(20, 80), middle.state(), last=True)
    directions, less = last.rows.variation
    assert len(directions) == len(less) > 0
    np.testing.assert_allclose(directions @ directions.T, np.eye(len(less)), atol=1e-4)
    assert ((less > 0) & (less < 1)).all()


def test_a_stopped_task_is_closed_from_its_state_alone():
    result = run(World({"ann": standing((0, 12))}), 0, range(10), None)
    rows = tracker_for(PLAN, result.state()).finish()
    assert len(rows.trajectories) == 1
    assert rows.trajectories[0][1] == [row[0] for row in result.rows.positions]
    assert tracker_for(PLAN, None).finish().trajectories == []


@dataclass
class Past:
    """What a worker finds that did not associate the batches before."""

    state: bytes | None
    since: list[Any]


@dataclass
class Once:
    observations: list[bytes | None]
    instants: range
    times_s: list[float]


def once(world: World, number: int, instants: range) -> Once:
    seen: list[bytes | None] = [world.observed(c, number, instants).to_bytes() for c in ("south", "north")]
    return Once(seen, instants, [START_S + i / FPS for i in instants])


def test_whoever_takes_over_goes_on_from_the_last_state_and_the_batches_since():
    """One worker does all batches, another comes in for the fourth, with a state after the first."""
    world, plan = yard(), batches(7)
    parts = [once(world, number, instants) for number, instants in enumerate(plan)]
    steady, other = Associator(), Associator()

    def batch(worker: Associator, number: int, known: Callable[[], Past]) -> Associated:
        values = {"cameras": PLAN, "task_id": "t", "number": number, "known": known, "last": False}
        # with the state, and in between not
        return worker.associate(**values, **vars(parts[number]), looks=number in (0, 3))

    def never() -> Past:
        raise AssertionError("it is at hand")

    first = batch(steady, 0, lambda: Past(None, []))
    state = first.state()
    for number in (1, 2):
        batch(steady, number, never)
    expected = batch(steady, 3, never)
    got = batch(other, 3, lambda: Past(state, parts[1:3]))
    assert plain(got.rows) == plain(expected.rows)
    assert [p.number for p in got.rows.looks] == [p.number for p in expected.rows.looks] != []
    assert got.state() == expected.state()


def test_after_a_failure_the_tracker_is_not_the_one_that_went_ahead():
    """The batch was associated but not committed: the next attempt begins with what is known."""
    world, worker, asked = yard(), Associator(), []
    part = once(world, 0, range(10))

    def known() -> Past:
        asked.append(1)
        return Past(None, [])

    values = {
        "cameras": PLAN,
        "task_id": "t",
        "number": 0,
        "known": known,
        "last": False,
        "looks": True,
        **vars(part),
    }
    first, second = worker.associate(**values), worker.associate(**values)
    assert plain(first.rows) == plain(second.rows)
    assert len(asked) == 2


def test_observations_that_were_lost_are_frames_that_never_came():
    world = yard()
    parts = [once(world, number, instants) for number, instants in enumerate(batches(7)[:3])]
    parts[1].observations = [None, None]
    tracker = tracker_after(PLAN, Past(None, parts[:2]))
    result = associate(tracker=tracker, last=False, **vars(parts[2]))
    assert result.rows.positions


def test_what_each_camera_contributed():
    problem = {"frame": 3, "time_s": 0.3, "message": "the frame cannot be decoded"}
    world = World({"ann": standing((0, 12)), "bob": standing((2, 13), since=0.5)})
    seen = world.observed("south", 0, range(10))
    result = associate(
        tracker=tracker_for(PLAN, None),
        observations=[seen.to_bytes(), Observations.nothing("north", 0, (problem,)).to_bytes()],
        instants=range(10),
        times_s=[START_S + i / FPS for i in range(10)],
        last=False,
    )
    assert result.cameras == {
        "south": {"frames": 10, "detections": 15, "problems": [], "timings_ms": {}},
        "north": {"frames": 0, "detections": 0, "problems": [problem], "timings_ms": {}},
    }
    json.dumps(result.cameras)
    assert result.associate_ms > 0


def test_a_calibration_of_another_image_size_is_scaled():
    """Calibrated on the full picture, recorded at half its size: boxes are in the recording's size."""
    full = CameraModel.from_projection(np.diag([2, 2, 1]) @ SOUTH.projection, (2 * SIZE[0], 2 * SIZE[1]))
    world = World({"ann": walking((-2, 11), (0.6, 0.2))})
    observations = [world.observed("south", 0, range(20)).to_bytes()]
    scaled, exact = (
        run(world, 0, range(20), None, cameras=[planned("south", model)], observations=observations).rows
        for model in (full, SOUTH)
    )
    assert len(exact.positions) > 15
    np.testing.assert_allclose(scaled.positions, exact.positions, atol=1e-6)


def test_a_camera_that_knows_no_more_than_its_homography():
    plane = SOUTH.image_to_map.tolist()
    entry = {
        "camera": "south",
        "image_size": SIZE,
        "calibration": {"homography_image_to_map": plane, "width": SIZE[0], "height": SIZE[1]},
    }
    world = World({"ann": standing((1, 11))})
    rows = run(
        world,
        0,
        range(20),
        None,
        cameras=[entry],
        observations=[world.observed("south", 0, range(20)).to_bytes()],
    ).rows
    np.testing.assert_allclose(rows.positions[-1][3:5], (1, 11), atol=0.3)


def test_a_camera_without_calibration_places_nobody():
    world = World({"ann": standing((1, 11))})
    plan = [planned("north", None), planned("south", None)]
    rows = run(world, 0, range(20), None, cameras=plan).rows
    assert rows.positions == []
    assert {row[-1] for row in rows.detections} == {None}
    assert {row[3] for row in rows.detections} == {"north", "south"}


def test_a_batch_in_which_nobody_was_seen():
    result = run(World({}), 0, range(10), None)
    assert plain(result.rows) == plain(BatchTracks())
    assert plain(run(yard(), 1, range(10, 20), result.state()).rows)["detections"]


def test_what_does_not_fit_is_refused():
    state = run(yard(), 0, range(10), None).state()
    with pytest.raises(ValueError, match="not a tracker state"):
        run(yard(), 1, range(10, 20), state[:-9])
    with pytest.raises(ValueError, match="other cameras"):
        run(yard(), 1, range(10, 20), state, cameras=PLAN[:1])
    with pytest.raises(ValueError, match="not observations"):
        run(yard(), 1, range(10, 20), state, observations=[b"seen"])
    with pytest.raises(ValueError, match="shorter"):
        run(yard(), 1, range(10, 20), state, times_s=[START_S + 1])


def test_from_a_recording_to_one_person(tmp_path):
    """Perceived and associated, as the two workers do it: the walker is one person from end to end."""
    path = walkers.record(tmp_path / "walk.mp4")
    perceiver = Perceiver(policy=SourcePolicy(allowed_roots=(tmp_path,)))
    plan = [planned("yard", None, walkers.SIZE)]
    rows, state = BatchTracks(), None
    for number, first in enumerate(range(0, walkers.FRAMES, 10)):
        instants = range(first, first + 10)
        seen = perceiver.perceive(walkers.batch(walkers.segment(path, instants), number=number))
        result = associate(
            tracker=tracker_for(plan, state),
            observations=[seen.to_bytes()],
            instants=instants,
            times_s=[walkers.STARTED_AT + i / walkers.FPS for i in instants],
            last=first + 10 == walkers.FRAMES,
        )
        state = result.state()
        join(rows, result.rows)
    perceiver.close()
    assert {(row[4], row[5]) for row in rows.detections} == {(1, 0)}
    shown = {row[1]: row[6] for row in rows.detections}
    assert len(shown) >= walkers.FRAMES - 5
    for frame, box_px in shown.items():
        np.testing.assert_allclose(box_px, walkers.person_box(frame), atol=12)
