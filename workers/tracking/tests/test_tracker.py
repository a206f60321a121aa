"""What the tracker promises, whatever it does inside: observations in, rows out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from workers.observations import Observations
from workers.tracking import BatchTracks, MultiCameraTracker
from workers.tracking.tests.people import (
    CAMERAS,
    FPS,
    SIZE,
    SOUTH,
    START_S,
    CameraView,
    World,
    batches,
    follow,
    identities,
    join,
    plain,
    standing,
    walking,
)

# so long may it take until somebody new is shown
CONFIRMED_AFTER_S = 0.5
# somebody walks along the yard, seen by both cameras all the time
ALONG = walking((-3, 10), (0.8, 0.1))


def persons(rows: BatchTracks) -> set[int]:
    """Everybody that any row speaks of."""
    shown = {row[5] for row in rows.detections} | {row[2] for row in rows.positions}
    return shown | {row[0] for row in rows.trajectories} | {person.number for person in rows.persons}


def tracks(rows: BatchTracks) -> dict[str, set[int]]:
    """The track ids that each camera gave."""
    found: dict[str, set[int]] = {}
    for _, _, _, camera, track, *_ in rows.detections:
        found.setdefault(camera, set()).add(track)
    return found


def number_of(world: World, rows: BatchTracks, name: str) -> int:
    """The one number that all of somebody's boxes have."""
    (number,) = identities(world, rows)[name]
    return number


def crossing(**options) -> World:
    """Ann and Bob walk towards each other and meet in the middle after 3 s."""
    return World({"ann": walking((-3, 12), (1, 0)), "bob": walking((3, 12), (-1, 0))}, **options)


def busy(**options) -> World:
    """Three people, one of whom leaves and comes back, with poor boxes and some that show nobody."""

    def comes_back(t: float) -> tuple[float, float] | None:
        return None if 2 <= t < 5 else (-1.5 + 0.2 * t, 14.5)

    paths = {"ann": walking((-3, 12), (1, 0)), "bob": walking((3, 12), (-1, 0)), "cat": comes_back}
    nobody = {(i, "north"): [[40 + 9 * i, 150, 70 + 9 * i, 240]] for i in range(0, 60, 5)}
    return World(paths, jitter=0.04, false_boxes=nobody, **options)


# -- one person ----------------------------------------------------------------------------------------------


def test_one_person_seen_by_two_cameras_is_one():
    world = World({"ann": ALONG})
    rows = follow(world, 6)
    assert persons(rows) == {number_of(world, rows, "ann")}
    assert {camera: len(ids) for camera, ids in tracks(rows).items()} == {"north": 1, "south": 1}
    assert len(rows.trajectories) == 1
    assert max(Counter(instant for instant, *_ in rows.positions).values()) == 1


def test_somebody_new_is_shown_soon_and_then_in_every_frame():
    rows = follow(World({"ann": ALONG}), 6)
    first = min(instant for instant, *_ in rows.positions)
    assert first <= CONFIRMED_AFTER_S * FPS
    everywhere = list(range(first, 60))
    assert [instant for instant, *_ in rows.positions] == everywhere
    for camera in ("north", "south"):
        assert [row[0] for row in rows.detections if row[3] == camera] == everywhere


@pytest.mark.parametrize("path", [ALONG, standing((1, 11)), walking((2.5, 15), (-0.7, -0.9))])
@pytest.mark.parametrize("cameras", [("north", "south"), ("south",)], ids="+".join)
def test_positions_are_where_the_person_is(path, cameras):
    """As live rows say it, and as the smoothed trajectory does."""
    rows = follow(World({"ann": path}), 6, cameras=cameras)
    live = {instant: (x, y) for instant, _, _, x, y, *_ in rows.positions}
    (_, instants, times_s, smoothed) = rows.trajectories[0]
    # live from where it is sure, afterwards from the first detection on
    assert 50 < len(live) <= len(instants) == 60
    np.testing.assert_allclose(times_s, START_S + np.array(instants) / FPS, atol=1e-6)
    for instant, xy in [*live.items(), *zip(instants, smoothed, strict=True)]:
        assert np.linalg.norm(np.subtract(xy, path(instant / FPS))) < 0.3, instant


def test_velocity_and_its_certainty():
    rows = follow(World({"ann": walking((-3, 10), (0.8, 0.4))}), 6)
    *_, vx, vy, sigma_m = rows.positions[-1]
    assert (vx, vy) == pytest.approx((0.8, 0.4), abs=0.25)
    assert 0 < sigma_m < 0.3


def test_a_detection_says_what_was_seen_when_and_where():
    world = World({"ann": standing((0, 12))}, jitter=0.0)
    rows = follow(world, 3)
    for instant, frame, captured_at, camera, _, _, box_px, score, position_m in rows.detections:
        ((_, seen, _),) = world.at(camera, instant)
        assert (frame, captured_at) == (instant, START_S + instant / FPS)
        assert box_px == pytest.approx(seen, abs=1.0)
        assert score == pytest.approx(0.9)
        assert position_m == pytest.approx((0, 12), abs=1.0)


def test_boxes_do_not_jitter_where_the_detector_does():
    """What is written down lies closer to the truth, and moves less from frame to frame, than what was detected."""
    rough, true = World({"ann": ALONG}, jitter=0.05), World({"ann": ALONG}, jitter=0.0)
    written = [(row[0], row[3], np.array(row[6])) for row in follow(rough, 6).detections]
    off = {"written": [], "detected": []}
    for instant, camera, box in written:
        ((_, truly, _),), ((_, seen, _),) = true.at(camera, instant), rough.at(camera, instant)
        off["written"].append(box - truly)
        off["detected"].append(seen - truly)
    deviation = {which: float(np.std(errors)) for which, errors in off.items()}
    assert deviation["written"] < 0.75 * deviation["detected"]


def test_a_box_that_always_lies_beside_the_figure_stays_there():
    """A bag, or an error of the calibration: half a shoulder to the right is no jitter."""
    world = World({"ann": ALONG}, jitter=0.0)
    beside = World({"ann": ALONG}, jitter=0.0)
    beside.at = lambda camera, instant: [
        (name, box + [8, 0, 8, 0] if camera == "north" else box, look)
        for name, box, look in world.at(camera, instant)
    ]
    rows = follow(beside, 6)
    late = [row for row in rows.detections if row[3] == "north" and row[0] >= 30]
    for instant, *_, box, _, _ in late:
        ((_, seen, _),) = beside.at("north", instant)
        assert np.abs(np.subtract(box, seen)).max() < 2.0
    assert len(late) >= 25


def test_the_person_tells_since_when_and_how_they_look():
    world = World({"ann": walking((-3, 10), (0.8, 0), since=1.0, until=4.0)})
    *_, ann = follow(world, 6).persons
    assert ann.first_s == pytest.approx(START_S + 1.0)
    assert ann.last_s == pytest.approx(START_S + 3.9)
    look = ann.appearance / np.linalg.norm(ann.appearance)
    assert look @ world.looks["ann"] > 0.95


# -- several -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_people_who_cross_stay_themselves(seed):
    """At the instant at which both stand on the same spot the one box that shows may be either's."""
    world = crossing(seed=seed)
    rows = follow(world, 6)
    rows.detections = [row for row in rows.detections if row[0] != 3 * FPS]
    assert number_of(world, rows, "ann") != number_of(world, rows, "bob")
    assert len(persons(rows)) == len(rows.trajectories) == 2
    assert {camera: len(ids) for camera, ids in tracks(rows).items()} == {"north": 2, "south": 2}


def test_people_who_walk_side_by_side_are_two():
    world = World({"ann": walking((-3, 12), (1, 0)), "bob": walking((-3, 12.9), (1, 0))})
    rows = follow(world, 6)
    assert number_of(world, rows, "ann") != number_of(world, rows, "bob")
    assert len(persons(rows)) == 2


def test_single_false_boxes_are_nobody():
    """Every second somewhere else, as reflections and shadows are."""
    boxes = {(i, "south"): [[60.0 + 6 * i, 80, 100.0 + 6 * i, 190]] for i in range(5, 80, 10)}
    world = World({"ann": ALONG}, false_boxes=boxes)
    rows = follow(world, 8)
    assert set(identities(world, rows)) == {"ann"}
    assert persons(rows) == {number_of(world, rows, "ann")}
    assert persons(follow(World({}, false_boxes=boxes), 8)) == set()


def test_the_same_observations_twice_are_one_camera():
    """A message delivered twice."""
    world, tracker, rows = World({"ann": ALONG}), MultiCameraTracker(CAMERAS), BatchTracks()
    for number, instants in enumerate(batches(6)):
        observed = [world.observed(camera, number, instants) for camera in ("north", "south", "north")]
        join(rows, tracker.process(observed, instants, [START_S + i / FPS for i in instants]))
    join(rows, tracker.finish())
    assert plain(rows) == plain(follow(world, 6))


@dataclass
class Doubled(World):
    """The detector finds everybody twice, the second box a little to the side."""

    shift_px: float = 0.0

    def at(self, camera, instant):
        once = super().at(camera, instant)
        return once + [(name, box + self.shift_px, crop) for name, box, crop in once]


@pytest.mark.parametrize("shift_px", [0.0, 2.0])
def test_boxes_found_twice_do_not_double_anybody(shift_px):
    rows = follow(Doubled(crossing().paths, shift_px=shift_px), 6)
    assert len(persons(rows)) == 2


@dataclass
class Merging(World):
    """The detector takes everybody for one person for a second."""

    def at(self, camera, instant):
        found = super().at(camera, instant)
        if not 30 <= instant < 40:
            return found
        boxes = np.array([box for _, box, _ in found])
        around = np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])
        return [(found[0][0], around, found[0][2])]


def test_people_whom_the_detector_takes_for_one_are_two_all_the_time():
    world = Merging({"ann": walking((-2, 12), (0.5, 0)), "bob": walking((-1.2, 12), (0.5, 0))})
    rows = follow(world, 6, cameras=["south"])
    assert len(persons(rows)) == 2
    shown = Counter(row[0] for row in rows.positions)
    assert {shown[instant] for instant in range(round(CONFIRMED_AFTER_S * FPS), 60)} == {2}


# -- missed, hidden, gone ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cameras", [("north", "south"), ("south",)], ids="+".join)
def test_half_a_second_unseen_by_a_camera_breaks_nothing(cameras):
    world = World({"ann": ALONG}, unseen=lambda camera, i: camera == "south" and 30 <= i < 35)
    rows = follow(world, 6, cameras=cameras)
    assert tracks(rows) == {camera: {1} for camera in cameras}
    assert len(rows.trajectories) == 1
    assert persons(rows) == {number_of(world, rows, "ann")}
    assert not any(row[3] == "south" and 30 <= row[0] < 35 for row in rows.detections)


def test_half_a_second_unseen_by_all_cameras_breaks_nothing():
    rows = follow(World({"ann": ALONG}, unseen=lambda camera, i: 30 <= i < 35), 6)
    assert tracks(rows) == {"north": {1}, "south": {1}}
    assert len(rows.trajectories) == 1


def test_half_a_second_unseen_by_all_cameras_changes_nobodys_identity():
    world = World({"ann": ALONG}, unseen=lambda camera, i: 30 <= i < 35)
    rows = follow(world, 6)
    assert persons(rows) == {number_of(world, rows, "ann")}


def test_who_left_is_not_shown_any_more():
    rows = follow(World({"ann": walking((-3, 10), (0.8, 0), until=3)}), 8)
    assert max(instant for instant, *_ in rows.positions) < 3 * FPS + 5
    assert max(row[0] for row in rows.detections) < 3 * FPS


def test_coming_back_under_the_same_identity():
    """Ann leaves for eight seconds and comes in somewhere else; Bob and Cat stay, Dan comes when she is away."""

    def path(t: float) -> tuple[float, float] | None:
        if 4 <= t < 12:
            return None
        return (-2 + 0.5 * t, 10.0) if t < 4 else (-1 + 0.5 * (t - 12), 13.0)

    paths = {"ann": path, "bob": standing((3, 13.5)), "cat": standing((-3, 14.5))}
    world = World({**paths, "dan": standing((1, 9), since=6)})
    rows = follow(world, 16)
    numbers = [number_of(world, rows, name) for name in world.paths]
    assert len(set(numbers)) == 4
    assert persons(rows) == set(numbers)
    assert [row[0] for row in rows.trajectories].count(numbers[0]) == 2


def test_somebody_else_in_the_same_place_is_somebody_else():
    world = World({"ann": standing((0, 12), until=4), "bob": standing((0, 12), since=9)})
    rows = follow(world, 14)
    assert number_of(world, rows, "ann") != number_of(world, rows, "bob")


# -- described now and then ----------------------------------------------------------------------------------


class Glanced(World):
    """Looks are known in every third frame only."""

    def at(self, camera, instant):
        found = super().at(camera, instant)
        return found if instant % 3 == 0 else [(name, box, 0 * look) for name, box, look in found]


@pytest.mark.parametrize("first", range(3))
def test_who_is_described_now_and_then_is_recognised(first):
    """Ann comes in, leaves and comes back whenever looks are known or not; somebody else comes meanwhile."""
    away = 4 + first / FPS, 12 + first / FPS

    def path(t: float) -> tuple[float, float] | None:
        return None if away[0] <= t < away[1] else (-2 + 0.1 * t, 10.0)

    paths = {"ann": path, "bob": standing((3, 13.5)), "cat": standing((1, 9), since=6)}
    world = Glanced({**paths, "dan": standing((-3, 14.5))})
    rows = follow(world, 16)
    numbers = [max(found, key=found.get) for found in identities(world, rows).values()]
    assert len(set(numbers)) == 4
    assert {person.number for person in rows.persons if person.last_s > START_S + 15} == set(numbers)


def test_frames_without_looks_say_nothing_of_looks():
    path = walking((-3, 10), (0.8, 0), since=1.0, until=4.0)
    *_, ann = follow(Glanced({"ann": path}), 6).persons
    *_, always = follow(World({"ann": path}), 6).persons
    assert ann.weight == pytest.approx(always.weight / 3, rel=0.1)
    assert ann.appearance @ always.appearance > 0.98 * np.linalg.norm(ann.appearance) * np.linalg.norm(
        always.appearance
    )


@pytest.mark.parametrize("seed", range(2))
def test_people_who_cross_stay_themselves_by_where_they_go(seed):
    world = Glanced({"ann": walking((-3, 12), (1, 0)), "bob": walking((3, 12.6), (-1, 0))}, seed=seed)
    rows = follow(world, 6)
    assert number_of(world, rows, "ann") != number_of(world, rows, "bob")


# -- nothing to see ------------------------------------------------------------------------------------------


def test_an_empty_yard_has_no_rows():
    assert plain(follow(World({}), 20)) == plain(BatchTracks())


def test_an_empty_minute_ends_the_track_and_keeps_the_person():
    world = World({"ann": lambda t: (0.0, 10 + t % 60 / 2) if t % 60 < 3 else None})
    rows = follow(world, 64)
    assert persons(rows) == {number_of(world, rows, "ann")}
    assert len(rows.trajectories) == 2
    assert not any(35 < instant < 600 for instant, *_ in rows.positions)


def test_a_batch_without_instants_changes_nothing():
    tracker = MultiCameraTracker(CAMERAS)
    follow_on = World({"ann": ALONG})
    instants = range(10)
    times = [START_S + i / FPS for i in instants]
    tracker.process([follow_on.observed(c, 0, instants) for c in ("north", "south")], instants, times)
    before = tracker.state()
    empty = tracker.process([Observations.nothing(c, 1) for c in ("north", "south")], [], [])
    assert plain(empty) == plain(BatchTracks())
    assert tracker.state() == before


@pytest.mark.parametrize("told", [False, True], ids=["no observations", "observations without frames"])
def test_a_camera_that_fails_leaves_the_other_alone(told):
    """From the second batch on nothing comes from the north."""
    world, tracker, rows = World({"ann": ALONG}), MultiCameraTracker(CAMERAS), BatchTracks()
    for number, instants in enumerate(batches(6)):
        observed = [world.observed("south", number, instants)]
        if number == 0:
            observed.append(world.observed("north", number, instants))
        elif told:
            observed.append(Observations.nothing("north", number))
        join(rows, tracker.process(observed, instants, [START_S + i / FPS for i in instants]))
    join(rows, tracker.finish())
    assert persons(rows) == {number_of(world, rows, "ann")}
    assert tracks(rows) == {"north": {1}, "south": {1}}
    assert len(rows.trajectories) == 1
    assert max(instant for instant, *_ in rows.positions) == 59


def test_a_camera_that_skips_frames():
    """The north delivers every third frame: its other instants have no row, and nobody counts them as misses."""
    world, tracker, rows = World({"ann": ALONG}), MultiCameraTracker(CAMERAS), BatchTracks()
    for number, instants in enumerate(batches(6)):
        observed = [
            world.observed("north", number, [i for i in instants if i % 3 == 0]),
            world.observed("south", number, instants),
        ]
        join(rows, tracker.process(observed, instants, [START_S + i / FPS for i in instants]))
    assert persons(rows) == {number_of(world, rows, "ann")}
    assert {row[0] % 3 for row in rows.detections if row[3] == "north"} == {0}
    assert tracks(rows) == {"north": {1}, "south": {1}}


# -- other cameras, other embedders --------------------------------------------------------------------------


def test_without_calibration_people_are_followed_but_not_placed():
    cameras = [CameraView("north", SIZE, None), CameraView("south", SIZE, None)]
    world = crossing()
    rows = follow(world, 6, MultiCameraTracker(cameras))
    assert rows.positions == rows.trajectories == []
    assert {row[-1] for row in rows.detections} == {None}
    assert number_of(world, rows, "ann") != number_of(world, rows, "bob")
    assert len(persons(rows)) == 2


def test_one_calibrated_and_one_not_meet_by_their_looks():
    cameras = [CameraView("north", SIZE, None), CameraView("south", SIZE, SOUTH)]
    world = World({"ann": ALONG, "bob": standing((2, 14))})
    rows = follow(world, 6, MultiCameraTracker(cameras))
    assert len({number_of(world, rows, name) for name in world.paths}) == len(persons(rows)) == 2
    assert {row[3] for row in rows.detections if row[-1] is None} == {"north"}


@pytest.mark.parametrize("look", [np.empty(0), np.zeros(64)], ids=["no embeddings", "empty embeddings"])
def test_without_looks_places_are_enough(look):
    paths = {"ann": walking((-3, 10), (0.8, 0)), "bob": standing((2, 14))}
    world = World(paths, looks=dict.fromkeys(paths, look), crops=0.0)
    rows = follow(world, 6)
    assert number_of(world, rows, "ann") != number_of(world, rows, "bob")
    assert len(persons(rows)) == 2


# -- same input, same output ---------------------------------------------------------------------------------


def restored(tracker: MultiCameraTracker) -> MultiCameraTracker:
    """Another tracker, as another worker makes it from the checkpoint."""
    other = MultiCameraTracker(CAMERAS)
    other.restore(tracker.state())
    return other


def test_the_same_input_gives_the_same_rows():
    assert plain(follow(busy(), 6)) == plain(follow(busy(), 6))


def test_cameras_may_come_in_any_order():
    assert plain(follow(busy(), 6)) == plain(
        follow(busy(), 6, MultiCameraTracker(CAMERAS[::-1]), cameras=("south", "north"))
    )


def test_a_checkpoint_after_every_batch_changes_nothing():
    undisturbed = follow(busy(), 6)
    assert len(persons(undisturbed)) >= 3
    assert plain(follow(busy(), 6, after=restored)) == plain(undisturbed)


def test_a_checkpoint_read_and_written_again_is_the_same():
    states = []

    def compare(tracker: MultiCameraTracker) -> MultiCameraTracker:
        states.append(tracker.state())
        assert restored(tracker).state() == states[-1]
        return tracker

    follow(busy(), 4, after=compare)
    assert len(set(states)) == 4


def test_a_checkpoint_is_left_alone_by_those_who_go_on_from_it():
    """Two workers may take over the same one: neither sees what the other made of it."""
    world, instants = busy(), range(10)
    tracker = MultiCameraTracker(CAMERAS)
    observed = [world.observed(camera, 0, instants) for camera in ("north", "south")]
    tracker.process(observed, instants, [START_S + i / FPS for i in instants])
    kept = tracker.state()
    then = range(10, 20)
    observed = [world.observed(camera, 1, then) for camera in ("north", "south")]
    one, two = (
        restored(tracker).process(observed, then, [START_S + i / FPS for i in then]) for _ in range(2)
    )
    assert plain(one) == plain(two)
    assert tracker.state() == kept


@pytest.mark.parametrize("data", [b"", b"no state", b"\x80\x04K\x01."], ids=["empty", "text", "pickle"])
def test_what_is_no_checkpoint_is_refused(data):
    with pytest.raises(ValueError, match="not a tracker state"):
        MultiCameraTracker(CAMERAS).restore(data)


def test_a_checkpoint_of_other_cameras_is_refused():
    state = MultiCameraTracker(CAMERAS).state()
    with pytest.raises(ValueError, match="other cameras"):
        MultiCameraTracker(CAMERAS[:1]).restore(state)


# -- numbers -------------------------------------------------------------------------------------------------

# what detectors do at the image's edges and when they are confused: cut, tiny, huge, empty
STRANGE_PX = [(0, 0, 640, 360), (5, 5, 5, 5), (-50, -50, -10, -10), (300, 340, 340, 360), (0, 300, 9, 360)]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_every_number_is_finite():
    """Whatever the boxes are; and the person among them is not lost."""
    strange = {(i, camera): STRANGE_PX for i in range(30) for camera in ("north", "south")}
    world = World({"ann": ALONG}, false_boxes=strange)
    rows = follow(world, 3)
    for instant, frame, captured_at, _, _, _, box_px, score, position_m in rows.detections:
        assert np.isfinite([instant, frame, captured_at, *box_px, score, *position_m]).all()
    for row in rows.positions:
        assert np.isfinite(row).all()
        assert row[-1] > 0
    for _, instants, times_s, positions_m in rows.trajectories:
        assert positions_m.shape == (len(instants), 2)
        assert np.isfinite(times_s).all()
        assert np.isfinite(positions_m).all()
    for person in rows.persons:
        assert np.isfinite([person.first_s, person.last_s, person.weight, *person.appearance]).all()
    assert len(identities(world, rows)["ann"]) == 1


def test_a_box_without_numbers_is_nobody():
    nowhere = {(i, "north"): [[np.nan] * 4] for i in range(60)}
    with_it, without = (follow(World({"ann": ALONG}, false_boxes=boxes), 6) for boxes in (nowhere, {}))
    assert [row[:6] for row in with_it.detections] == [row[:6] for row in without.detections]
    np.testing.assert_allclose(with_it.positions, without.positions, atol=1e-6)
