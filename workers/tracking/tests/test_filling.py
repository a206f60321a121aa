"""Boxes that come late: before somebody was sure, and where one camera overlooks whom another one sees."""

from __future__ import annotations

import numpy as np

from workers.mapping.projection import PersonProjection
from workers.tracking import MultiCameraTracker
from workers.tracking.cameras import CameraBank
from workers.tracking.filling import Box, Filling
from workers.tracking.settings import TrackerSettings
from workers.tracking.tests.people import CAMERAS, MODELS, NORTH, SOUTH, World, follow, standing, walking


def overlap(a, b) -> float:
    """Intersection over union of two xyxy boxes."""
    a, b = np.array(a), np.array(b)
    shared = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    return float(shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared))


def south_overlooks(since: int, until: int):
    return lambda camera, instant: camera == "south" and since <= instant < until


def test_whom_one_camera_sees_gets_a_box_in_the_other():
    path = walking((-2, 11), (0.5, 0))
    world = World({"ann": path}, unseen=south_overlooks(20, 50))
    rows = follow(world, 7)
    drawn = {row[0]: row for row in rows.bridged if row[3] == "south" and 20 <= row[0] < 50}
    assert set(drawn) == set(range(20, 50))
    for instant, row in drawn.items():
        assert row[7] == 0.0
        assert row[8] is None
        assert overlap(row[6], MODELS["south"].person_boxes(np.array([path(instant / 10)]), 1.72)[0]) > 0.6
    assert {row[5] for row in rows.bridged} == {row[5] for row in rows.detections}


def test_no_camera_sees_means_no_box():
    world = World({"ann": standing((0, 11))}, unseen=lambda camera, instant: 20 <= instant < 28)
    rows = follow(world, 5)
    assert [row for row in rows.bridged if row[3] == "south" and row[0] in range(20, 28) and row[7] > 0] == []
    # a break this short is bridged between two sightings of the same camera, once
    keys = [(row[0], row[3], row[5]) for row in [*rows.detections, *rows.bridged]]
    assert len(keys) == len(set(keys))


def test_who_stands_behind_somebody_gets_no_box():
    """Bob is right behind Ann for the south camera, which has a box of neither; the north camera has of both."""
    settings, filling = TrackerSettings(), Filling()
    projection = PersonProjection.of_map([SOUTH, NORTH], settings.height_m, settings.height_sigma_m)
    filling.begin(5)
    filling.shot("south", 0, 5, 0.5)
    filling.shot("north", 1, 5, 0.5)
    for number in (1, 2):
        filling.found("north", number, Box((0.0, 0.0, 1.0, 1.0), 0.9, (0.0, 10.0), True))
    means = np.array([[0, 10.0, 0, 0, 1.7], [0, 10.3, 0, 0, 1.7]])
    drawn = list(
        filling.oldest(
            CameraBank(projection, settings), np.array([1, 2]), means, np.tile(np.eye(5) * 1e-4, (2, 1, 1))
        )
    )
    assert [(late.camera, late.number, late.score) for late in drawn] == [("south", 1, 0.0)]


def test_who_may_be_anywhere_gets_no_box():
    settings, filling = TrackerSettings(), Filling()
    projection = PersonProjection.of_map([SOUTH, NORTH], settings.height_m, settings.height_sigma_m)
    for sigma_m, count in ((0.05, 1), (1.0, 0)):
        filling.begin(5)
        filling.shot("south", 0, 5, 0.5)
        filling.shot("north", 1, 5, 0.5)
        filling.found("north", 1, Box((0.0, 0.0, 1.0, 1.0), 0.9, (0.0, 10.0), True))
        covariance = np.eye(5)[None] * sigma_m**2
        mean = np.array([[0, 10.0, 0, 0, 1.7]])
        assert (
            len(list(filling.oldest(CameraBank(projection, settings), np.array([1]), mean, covariance)))
            == count
        )


def test_boxes_before_somebody_was_sure_are_recorded_as_they_were_seen():
    world = World({"ann": standing((0, 11), since=1.0)})
    rows = follow(world, 4, MultiCameraTracker([CAMERAS[1]]), cameras=["south"])
    late = [row for row in rows.bridged if row[7] > 0]
    seen = {(row[0], row[3]) for row in rows.detections}
    assert min(row[0] for row in late) == 10
    assert all(row[8] is not None and (row[0], row[3]) not in seen for row in late)


def test_a_person_has_one_tracklet_per_camera_drawn_boxes_included():
    world = World({"ann": standing((0, 11))}, unseen=south_overlooks(0, 20))
    rows = follow(world, 5)
    assert {row[4] for row in [*rows.detections, *rows.bridged] if row[3] == "south"} == {1}
