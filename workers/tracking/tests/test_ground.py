"""Tracks of one plane over time: what is ambiguous is left open, and one person is one track."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from workers.tracking import BatchTracks, MultiCameraTracker
from workers.tracking.settings import TrackerSettings
from workers.tracking.tests.people import (
    CAMERAS,
    FPS,
    START_S,
    World,
    follow,
    identities,
    join,
    plain,
    standing,
    walking,
)
from workers.tracking.tracks import Tracks

# -- what is ambiguous now -----------------------------------------------------------------------------------


@dataclass
class Close(World):
    """Ann and Bob come so close that a camera's detector sees one of them, and crops show both.

    Attributes:
        merged_m: within this distance both have one box; mingled_m: and crops look like both.
    """

    merged_m: float = 0.5
    mingled_m: float = 1.0

    def at(self, camera: str, instant: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
        found = super().at(camera, instant)
        distance = np.linalg.norm(np.subtract(*(path(instant / FPS) for path in self.paths.values())))
        if distance < self.mingled_m:
            rng = np.random.default_rng([self.seed, instant, len(camera)])
            both = sum(self.looks.values())
            found = [(name, box, self._crop(both / np.linalg.norm(both), rng)) for name, box, _ in found]
        if distance >= self.merged_m or len(found) < 2:
            return found
        edges = np.array([box for _, box, _ in found])
        return [("both", np.concatenate([edges[:, :2].min(0), edges[:, 2:].max(0)]), found[0][2])]


def meeting(turning: bool) -> dict[str, Callable[[float], tuple[float, float]]]:
    """They stroll towards each other, meet after 3 s, and walk on or turn round."""

    def along(t: float) -> float:
        return 0.3 * (abs(t - 3) if turning else 3 - t)

    return {"ann": lambda t: (-along(t), 11.95), "bob": lambda t: (along(t), 12.05)}


def numbers(world: World, rows: BatchTracks, instants: range) -> dict[str, list[int]]:
    """Everybody's numbers at these instants, after all decisions that were revised."""
    chosen = BatchTracks()
    for row in rows.detections:
        if row[0] in instants:
            instant, person, camera = row[0], row[5], row[3]
            for since, old, new, cameras in rows.renamed:
                if person == old and instant >= since and camera in cameras:
                    person = new
            chosen.detections.append((*row[:5], person, *row[6:]))
    found = identities(world, chosen)
    return {name: sorted(found.get(name, {})) for name in world.paths}


def stay_themselves(turning: bool, **options) -> list[bool]:
    """Whether everybody has the number they had before they met, for some seeds."""
    result = []
    for seed in range(4):
        world = Close(meeting(turning), seed=seed)
        rows = follow(world, 7, MultiCameraTracker(CAMERAS, TrackerSettings(**options)))
        before, after = numbers(world, rows, range(15)), numbers(world, rows, range(60, 70))
        result.append(before == after and before["ann"] != before["bob"])
    return result


@pytest.mark.parametrize("turning", [False, True], ids=["walk on", "turn round"])
def test_what_is_ambiguous_now_is_resolved_later(turning):
    """For seconds both cameras see one box, and then two that could be either; only later do crops tell."""
    assert all(stay_themselves(turning))


@pytest.mark.parametrize("turning", [False, True], ids=["walk on", "turn round"])
def test_with_one_explanation_it_is_not(turning):
    assert not all(stay_themselves(turning, hypotheses=1))


def face_to_face(nearest_m: float) -> World:
    """They walk up to each other, all but touch, and go back where they came from. Nothing tells them apart."""

    def along(t: float) -> float:
        return nearest_m / 2 + 0.8 * abs(t - 3)

    paths = {"ann": lambda t: (-along(t), 11.95), "bob": lambda t: (along(t), 12.05)}
    return World(paths, looks=dict.fromkeys(paths, np.empty(0)))


@pytest.mark.parametrize(("repulsion", "themselves"), [(TrackerSettings.repulsion, True), (1e-3, False)])
def test_nobody_walks_through_anybody(repulsion, themselves):
    """To pass each other they would have to, but it would be the smoother way."""
    for seed in range(4):
        world = replace(face_to_face(0.4), seed=seed)
        rows = follow(world, 6, MultiCameraTracker(CAMERAS, TrackerSettings(repulsion=repulsion)))
        before, after = numbers(world, rows, range(15)), numbers(world, rows, range(45, 60))
        assert before["ann"] != before["bob"]
        assert (before == after) is themselves


def test_passing_closely_in_one_camera():
    """The south sees one box for a while; the north sees both all the time, looking alike."""

    class South(Close):
        def at(self, camera, instant):
            return super().at(camera, instant) if camera == "south" else World.at(self, camera, instant)

    paths = {"ann": walking((-3, 11.8), (1, 0)), "bob": walking((3, 12.2), (-1, 0))}
    for seed in range(2):
        world = South(paths, seed=seed)
        rows = follow(world, 6)
        before, after = numbers(world, rows, range(15)), numbers(world, rows, range(45, 60))
        assert before == after
        assert before["ann"] != before["bob"]
        assert len(rows.trajectories) == 2


def test_in_the_midst_of_it_a_checkpoint_changes_nothing():
    world, held = Close(meeting(turning=True)), []

    def reborn(tracker: MultiCameraTracker) -> MultiCameraTracker:
        (plane,) = tracker._trackers.values()
        held.append(len(plane.hypotheses))
        result = MultiCameraTracker(CAMERAS)
        result.restore(tracker.state())
        return result

    through = follow(world, 7)
    assert plain(follow(world, 7, after=reborn)) == plain(through)
    # there was something to lose
    assert max(held) > 1


# -- one person is one track ---------------------------------------------------------------------------------


def run(tracker: MultiCameraTracker, world: World, instants: range) -> BatchTracks:
    """Rows of one batch."""
    observed = [world.observed(camera, instants[0], instants) for camera in ("north", "south")]
    return tracker.process(observed, instants, [START_S + i / FPS for i in instants])


def tracks_of(tracker: MultiCameraTracker) -> Tracks:
    (plane,) = tracker._trackers.values()
    return plane.tracks


@pytest.mark.parametrize("beside_m", [0.05, 0.3])
def test_two_tracks_on_one_person_become_one(beside_m):
    """However the second came about, the older one stays, under its name."""
    world, tracker, rows = World({"ann": standing((0, 12))}), MultiCameraTracker(CAMERAS), BatchTracks()
    join(rows, run(tracker, world, range(20)))
    (plane,) = tracker._trackers.values()
    (older,) = plane.tracks.number
    second = plane.tracks.take(np.array([0]))
    second.number, second.person = second.number + 100, np.array([-1])
    second.mean[:, 0] += beside_m
    for hypothesis in plane.hypotheses:
        hypothesis.tracks.extend(second.take(np.array([0])))
    for first in range(20, 60, 10):
        join(rows, run(tracker, world, range(first, first + 10)))
    assert tracks_of(tracker).number.tolist() == [older]
    join(rows, tracker.finish())
    last = [row[5] for row in rows.detections if row[0] >= 50]
    assert len(last) == 20
    assert set(last) == {0}


@pytest.mark.parametrize(
    ("persons", "ended"), [((-1, 0), 0), ((0, -1), 1), ((0, 1), 1), ((-1, -1), 1)], ids=str
)
def test_of_two_that_no_camera_has_seen_apart_for_long_the_confirmed_or_older_one_stays(persons, ended):
    """Both have boxes, but never two of one camera."""
    tracker = MultiCameraTracker(CAMERAS)
    run(tracker, World({"ann": standing((0, 12))}), range(20))
    (plane,) = tracker._trackers.values()
    pair = plane.tracks.take(np.array([0, 0]))
    pair.number, pair.person = np.array([5, 6]), np.array(persons)
    for seconds, left in ((0.9, [5, 6]), (1.1, [[5, 6][1 - ended]])):
        (hypothesis, *_) = plane.hypotheses
        hypothesis.tracks = pair.take(np.array([0, 1]))
        hypothesis.close_pairs = {(5, 6): seconds * plane.settings.merge_s}
        plane.prune()
        assert plane.tracks.number.tolist() == left


def test_a_detector_that_sees_double_for_a_while_makes_nobody_for_good():
    """For a second each camera gives a second box half a metre beside; afterwards there is one person again."""

    class Double(World):
        def at(self, camera, instant):
            found = super().at(camera, instant)
            if 20 <= instant < 30:
                ghost = World({"": standing((0.5, 12))}, {"": self.looks["ann"]}, seed=7)
                found += ghost.at(camera, instant)
            return found

    world, tracker, rows = Double({"ann": standing((0, 12))}), MultiCameraTracker(CAMERAS), BatchTracks()
    for first in range(0, 60, 10):
        join(rows, run(tracker, world, range(first, first + 10)))
    assert len(tracks_of(tracker)) == 1
    assert identities(world, rows)["ann"][0] >= 118
    assert [p for i, _, p, *_ in rows.positions if i >= 50] == [0] * 10


def test_two_people_who_stand_close_together_stay_two():
    """60 cm apart for ten seconds."""
    world = World({"ann": standing((-0.3, 12)), "bob": standing((0.3, 12))})
    rows = follow(world, 10)
    assert len(rows.trajectories) == 2
    assert [len(found) for found in identities(world, rows).values()] == [1, 1]
