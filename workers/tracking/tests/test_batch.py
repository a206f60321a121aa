"""Rows of a batch that is not handed out yet follow a revised decision."""

from __future__ import annotations

import numpy as np

from workers.tracking.batch import BatchTracks, rename_rows

BOX = (0.0, 0.0, 9.0, 30.0)
FROM_5 = {"since": 5, "old": 1, "new": 0}


def box(instant: int, camera: str, person: int) -> tuple:
    return (instant, instant, instant / 10, camera, 3, person, BOX, 0.9, None)


def persons(rows: list[tuple], place: int) -> list[tuple]:
    return [(row[0], row[place]) for row in rows]


def test_rows_from_then_on_in_those_cameras():
    rows = BatchTracks(detections=[box(4, "a", 1), box(5, "a", 1), box(5, "b", 1), box(6, "a", 2)])
    rename_rows(rows, **FROM_5, cameras=("a",), on_map=False)
    assert persons(rows.detections, 5) == [(4, 1), (5, 0), (5, 1), (6, 2)]


def test_positions_and_trajectories_where_the_plane_is_the_map():
    path = (1, [5, 6], np.array([0.5, 0.6]), np.zeros((2, 2)))
    rows = BatchTracks(positions=[(4, 0.4, 1, 0, 0), (5, 0.5, 1, 0, 0)], trajectories=[path])
    rename_rows(rows, **FROM_5, cameras=("a",), on_map=True)
    assert persons(rows.positions, 2) == [(4, 1), (5, 0)]
    assert rows.trajectories[0][0] == 0


def test_nobody_is_at_two_places_at_once():
    """The other track overlaps a moment: the one that goes on counts."""
    rows = BatchTracks(positions=[(5, 0.5, 0, 9.0, 9.0), (5, 0.5, 1, 1.0, 1.0), (6, 0.6, 1, 1.0, 1.0)])
    rename_rows(rows, **FROM_5, cameras=("a",), on_map=True)
    assert rows.positions == [(5, 0.5, 0, 1.0, 1.0), (6, 0.6, 0, 1.0, 1.0)]


def test_nor_twice_in_one_picture():
    other, goes_on = box(5, "a", 0), (*box(5, "a", 1)[:6], (50.0, 0.0, 60.0, 30.0), 0.8, None)
    rows = BatchTracks(detections=[other, goes_on, box(5, "b", 0)], bridged=[box(4, "a", 0)])
    rename_rows(rows, **FROM_5, cameras=("a",), on_map=False)
    assert [(row[0], row[3], row[5], row[6][0]) for row in rows.detections] == [
        (5, "a", 0, 50.0),
        (5, "b", 0, 0.0),
    ]
    assert len(rows.bridged) == 1


def test_a_batch_in_which_two_change_places_is_named_once():
    """Its own rows bear the new names already; only what came before it is renamed."""
    rows = BatchTracks(detections=[box(4, "a", 1), box(4, "a", 2)], positions=[(4, 0.4, 1, 0, 0)])
    places = [(0, 1, 9, ("a",)), (0, 2, 1, ("a",)), (0, 9, 2, ("a",))]
    rows.follow(
        BatchTracks(detections=[box(10, "a", 1)], positions=[(10, 1.0, 1, 0, 0)], renamed=places), on_map=True
    )
    assert persons(rows.detections, 5) == [(4, 2), (4, 1), (10, 1)]
    assert persons(rows.positions, 2) == [(4, 2), (10, 1)]
