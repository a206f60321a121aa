"""What there is to draw on a camera's picture."""

from __future__ import annotations

import json

import numpy as np
import pytest
from django.db.models import F

from calibration import CameraModel
from calibration.tests.cameras import looking_at_ground
from environments.redis import redis_client
from tracking.models import Detection
from tracking.overlay_scene import boxes_at, boxes_of_update, outline_in, scene_of, was_processed
from tracking.overlay_style import OverlayStyle
from tracking.planning import person_id
from tracking.publish import last_key

pytestmark = pytest.mark.django_db


def scene(task, instant=19, size=(640, 360), **style):
    boxes = boxes_at(task=task, camera="c01", instant=instant)
    return scene_of(
        task=task,
        camera="c01",
        instant=instant,
        boxes=boxes,
        size=size,
        style=OverlayStyle(**style),
        focus=None,
    )


def test_boxes_are_those_of_the_instant(running):
    ada, bob = boxes_at(task=running, camera="c01", instant=19)
    assert (ada.person, bob.person) == (person_id(running, 1), person_id(running, 2))
    assert ada.box_px == pytest.approx((220, 20, 260, 100))


def test_an_update_holds_the_same_boxes(running):
    update = json.loads(redis_client().get(last_key(running.pk)))
    recorded = boxes_at(task=running, camera="c01", instant=19)
    for told, box in zip(boxes_of_update(update, "c01"), recorded, strict=True):
        assert told.person == box.person
        assert told.box_px == pytest.approx(box.box_px)
    assert boxes_of_update(update, "c99") == []


def test_everything_is_scaled_to_the_picture(running):
    large, small = scene(running), scene(running, size=(320, 180))
    assert np.multiply(small.boxes[0].box_px, 2) == pytest.approx(large.boxes[0].box_px)


def test_ways_are_the_foot_points_of_the_last_seconds(running):
    (way,) = scene(running, trails_seconds=1).trails_px[person_id(running, 1)]
    assert way[0] == pytest.approx((150, 100))
    assert way[-1] == pytest.approx((240, 100))
    assert len(way) == 10
    assert scene(running).trails_px == {}


def test_ways_are_smooth_though_boxes_jump(running):
    for instant in range(1, 20, 2):
        Detection.objects.filter(task=running, instant=instant).update(y2=F("y2") + 12)
    (way,) = scene(running, trails_seconds=2).trails_px[person_id(running, 1)]
    jumps = np.abs(np.diff(way[:, 1]))
    assert jumps[6:-6].max() < 4
    assert way[-1] == pytest.approx((240, 112)), "it ends where the person stands"


def test_ways_are_cut_where_somebody_was_away(running):
    Detection.objects.filter(task=running, instant__range=(3, 15)).delete()
    pieces = scene(running, trails_seconds=5).trails_px[person_id(running, 1)]
    assert [len(piece) for piece in pieces] == [3, 4]


def test_zones_lie_where_the_camera_sees_them(running):
    door, lane = scene(running, size=(320, 180), zones=True).zones
    assert (door.name, door.kind, lane.name) == ("Door", "entrance", "Lane")
    # 2 x 4 m at 1 cm per pixel of the full picture, cut below the picture's edge
    assert door.outline_px.max(0) == pytest.approx((100, 200))
    assert scene(running).zones == ()


def test_cameras_without_calibration_show_no_zones(running):
    running.plan["cameras"][0]["calibration"] = None
    assert scene(running, zones=True).zones == []


@pytest.fixture
def camera() -> CameraModel:
    """Looks north from (0, 0), 5 m high, a little downwards: the horizon is in the picture."""
    return CameraModel.from_projection(looking_at_ground(tilt_deg=12), (640, 360))


def test_outlines_end_before_the_horizon(camera):
    """A zone all around the camera, also behind it, fills the ground and nothing above it."""
    outline = outline_in(camera, [[-200, -200], [200, -200], [200, 200], [-200, 200]])
    # 12 degrees above the middle of the picture
    horizon = 180 - 640 / 2 / np.tan(np.radians(65 / 2)) * np.tan(np.radians(12))
    assert np.isfinite(outline).all()
    assert outline[:, 1].min() > horizon
    assert outline[:, 1].min() < horizon + 15
    assert outline.min() >= -60
    assert (outline.max(0) <= (700, 420)).all()


def test_what_is_not_in_the_picture_has_no_outline(camera):
    behind, beside = [[-1, -9], [1, -9], [0, -5]], [[80, 10], [90, 10], [85, 15]]
    assert len(outline_in(camera, behind)) == len(outline_in(camera, beside)) == 0


def test_whether_it_is_known_who_was_there(running):
    assert was_processed(running, 19)
    assert not was_processed(running, 20)
    running.mode = "live"
    assert was_processed(running, 19)
    assert not was_processed(running, 20)
