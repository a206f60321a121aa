"""Tracklets: when they end, and which boxes they bridge."""

from __future__ import annotations

import pytest

from workers.tracking.tests.people import World, follow, walking
from workers.tracking.tracklets import Bridged, Tracklets

BOX = (0.0, 0.0, 10.0, 20.0)


@pytest.fixture
def tracklets() -> Tracklets:
    return Tracklets(["c01", "c02"], gap_s=2.0, bridge_s=1.0)


def moved(by: float) -> tuple[float, ...]:
    return tuple(v + by for v in BOX)


def frames(tracklets: Tracklets, camera: str, instants: range) -> None:
    for i in instants:
        tracklets.frame(camera, i, i + 100, 50.0 + i / 10, i / 10)


def test_one_person_in_one_camera_is_one_tracklet_until_a_long_break(tracklets):
    times = [0.0, 1.9, 4.5]
    ids = [tracklets.seen("c01", 7, 3, round(t * 10), t, BOX)[0] for t in times]
    assert ids == [1, 1, 2]
    assert tracklets.seen("c02", 7, 3, 45, 4.5, BOX)[0] == 1


def test_another_person_under_the_same_track_is_another_tracklet(tracklets):
    assert tracklets.seen("c01", 7, 3, 0, 0.0, BOX)[0] == 1
    assert tracklets.seen("c01", 7, 4, 1, 0.1, BOX)[0] == 2


def test_a_short_break_is_bridged_on_a_straight_line(tracklets):
    tracklets.seen("c01", 7, 3, 0, 0.0, BOX)
    frames(tracklets, "c01", range(5))
    _, bridged = tracklets.seen("c01", 7, 3, 4, 0.4, moved(8.0))
    assert [(b.instant, b.frame, b.captured_at) for b in bridged] == [
        (1, 101, 50.1),
        (2, 102, 50.2),
        (3, 103, 50.3),
    ]
    assert [b.box_px[0] for b in bridged] == pytest.approx([2.0, 4.0, 6.0])
    # not once more by what comes next
    assert tracklets.seen("c01", 7, 3, 5, 0.5, moved(10.0))[1] == []


def test_where_the_camera_had_no_frame_nothing_is_drawn_in(tracklets):
    tracklets.seen("c01", 7, 3, 0, 0.0, BOX)
    tracklets.frame("c01", 2, 102, 50.2, 0.2)
    tracklets.frame("c01", 4, 104, 50.4, 0.4)
    _, bridged = tracklets.seen("c01", 7, 3, 4, 0.4, moved(8.0))
    assert bridged == [Bridged(2, 102, 50.2, moved(4.0))]


def test_a_long_break_is_not_bridged(tracklets):
    tracklets.seen("c01", 7, 3, 0, 0.0, BOX)
    frames(tracklets, "c01", range(15))
    assert tracklets.seen("c01", 7, 3, 14, 1.4, BOX) == (1, [])


def test_another_tracker_goes_on_from_the_state(tracklets):
    tracklets.seen("c01", 7, 3, 0, 0.0, BOX)
    frames(tracklets, "c01", range(4))
    other = Tracklets(["c01", "c02"], gap_s=2.0, bridge_s=1.0)
    other.restore(tracklets.to_state())
    assert other.seen("c01", 7, 3, 3, 0.3, moved(3.0)) == tracklets.seen("c01", 7, 3, 3, 0.3, moved(3.0))


def test_the_tracker_bridges_what_one_camera_overlooks():
    """Ann walks on, seen by the north alone for half a second."""
    world = World(
        {"ann": walking((-3, 10), (0.8, 0.1))}, unseen=lambda camera, i: camera == "south" and 30 <= i < 35
    )
    rows = follow(world, 6)
    assert [(row[0], row[3], row[7]) for row in rows.bridged] == [(i, "south", 0.0) for i in range(30, 35)]
    ((_, seen, _),) = World(world.paths, jitter=0.0).at("south", 32)
    assert rows.bridged[2][6] == pytest.approx(seen, abs=4.0)
