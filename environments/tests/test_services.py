"""Loading definitions, floor plans, recordings, calibration and members, against the real database."""

from datetime import UTC, datetime, timedelta, timezone

import cv2
import numpy as np
import pytest
from celery import current_app
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from environments.errors import ConflictError, NotFoundError, ValidationFailedError
from environments.models import Camera, Environment, Membership, Recording, Zone
from environments.services import (
    camera_calibrate,
    environment_load,
    floor_plan_set,
    membership_set,
    recording_failed,
    recording_probed,
    recording_register,
)

pytestmark = pytest.mark.django_db
NINE = datetime(2026, 1, 5, 9, tzinfo=UTC)


# -- definitions ---------------------------------------------------------------------------------------------


def test_loading_stores_everything(yard):
    assert (yard.name, yard.timezone, yard.max_x_m, yard.max_y_m) == ("Yard", "Europe/Zurich", 20, 16)
    assert [c.slug for c in yard.cameras.all()] == ["c01", "c02"]
    assert yard.zones.get(slug="door").polygon == [[8, 14], [12, 14], [12, 16], [8, 16]]
    # an unturned plan of the bounds has its corner in the north-west
    assert yard.floor_plan_frame.origin_m == (0, 16)
    assert (yard.floor_plan_width_px, yard.floor_plan_height_px) == (200, 160)


def test_loading_twice_changes_nothing(yard, definition, png):
    before = Environment.objects.values().get(), list(Camera.objects.values()), list(Zone.objects.values())
    environment_load(definition=definition, floor_plan_image=png)
    after = Environment.objects.values().get(), list(Camera.objects.values()), list(Zone.objects.values())
    assert after == before


def test_loading_again_updates_in_place_and_keeps_what_it_does_not_know(yard, definition):
    camera_id = yard.cameras.get(slug="c01").pk
    yard.zones.create(slug="own", name="Drawn by hand", polygon=[[1, 1], [2, 1], [2, 2]])
    definition["cameras"][0]["name"] = "North gate"
    environment_load(definition=definition)
    assert Camera.objects.get(pk=camera_id).name == "North gate"
    assert yard.zones.filter(slug="own").exists()
    assert Environment.objects.get().floor_plan


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda d: d.pop("bounds_m"), "Environment yard has no `bounds_m`"),
        (lambda d: d.update(timezone="Europe/Zuerich"), "'Europe/Zuerich' is not a time zone"),
        (lambda d: d.update(bounds_m=[0, 0, -5, 10]), "east edge must lie east"),
        (
            lambda d: d["zones"][1].update(polygon_m=[[0, 0], [4, 3], [4, 0], [0, 3]]),
            "Zone lane of yard: The outline",
        ),
        (lambda d: d["zones"][1].update(kind="lava"), "Zone lane of yard"),
        (lambda d: d["zones"][1].update(polygon_m=[0, 0, 4, 3]), "Zone lane of yard"),
        (lambda d: d["zones"].append("pond"), "Zone number 3 of yard must be a JSON object"),
        (lambda d: d["cameras"][1].pop("slug"), "Camera number 2 of yard has no `slug`"),
        (
            lambda d: d["cameras"][0].update(calibration={"P": [[1, 2]], "width": 640, "height": 360}),
            "P must be 3x4",
        ),
        (lambda d: d["cameras"][0].update(image_size=[640, 640]), "the shapes differ"),
    ],
)
def test_a_wrong_definition_is_refused_whole_and_by_name(definition, break_it, says):
    break_it(definition)
    with pytest.raises(ValidationFailedError, match=says):
        environment_load(definition=definition)
    assert not Environment.objects.exists()


# -- floor plans ---------------------------------------------------------------------------------------------


def test_a_new_floor_plan_replaces_the_old_file(yard, django_capture_on_commit_callbacks):
    old = yard.floor_plan.name
    jpeg = cv2.imencode(".jpg", np.zeros((50, 80, 3), np.uint8))[1].tobytes()
    with django_capture_on_commit_callbacks(execute=True):
        floor_plan_set(environment=yard, image=jpeg, pixels_per_metre=5, origin_m=(1, 2))
    yard.refresh_from_db()
    assert (yard.floor_plan_width_px, yard.floor_plan_height_px) == (80, 50)
    assert yard.floor_plan_frame.origin_m == (1, 2)
    assert not default_storage.exists(old)


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"\x89PNG\r\n\x1a\nbroken"])
def test_what_is_no_picture_is_refused(yard, data):
    with pytest.raises(ValidationFailedError):
        floor_plan_set(environment=yard, image=data)


# -- recordings ----------------------------------------------------------------------------------------------


def probed(camera, start=NINE, seconds=60.0, uri="a.mp4", **info):
    return recording_register(camera=camera, uri=uri, started_at=start, duration_s=seconds, fps=10, **info)


def test_registering_twice_is_one_recording(camera):
    assert probed(camera) == probed(camera)
    # the same moment written in another zone is the same moment
    east = NINE.astimezone(timezone(timedelta(hours=5)))
    assert probed(camera, start=east) == Recording.objects.get()


def test_the_end_follows_from_the_duration(camera):
    recording = probed(camera, seconds=90)
    assert recording.ended_at == NINE + timedelta(seconds=90)
    recording.duration_s = 30
    recording.save(update_fields=["duration_s"])
    recording.refresh_from_db()
    assert recording.ended_at == NINE + timedelta(seconds=30)


@pytest.mark.parametrize("shift_s", [-59.9, 0.0, 30.0, 59.9])
def test_recordings_of_one_camera_may_not_overlap(camera, shift_s):
    probed(camera)
    with pytest.raises(ConflictError, match=r"b\.mp4 .* overlaps a\.mp4"):
        probed(camera, uri="b.mp4", start=NINE + timedelta(seconds=shift_s))


def test_recordings_may_touch_and_other_cameras_may_overlap(camera, yard):
    probed(camera)
    probed(camera, uri="b.mp4", start=NINE + timedelta(seconds=60))
    probed(yard.cameras.get(slug="c02"), uri="c.mp4")
    assert Recording.objects.count() == 3


def test_the_database_itself_refuses_overlaps(camera):
    probed(camera)
    with pytest.raises(IntegrityError, match="recording_spans_do_not_overlap"), transaction.atomic():
        Recording.objects.create(
            camera=camera, uri="b.mp4", started_at=NINE, duration_s=5, fps=10, status=Recording.Status.PROBED
        )


def test_a_start_without_time_zone_is_refused(camera):
    with pytest.raises(ValidationFailedError, match="time zone"):
        probed(camera, start=datetime(2026, 1, 5, 9))


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_durations_are_refused(camera, seconds):
    with pytest.raises(ValidationFailedError, match="duration_s must be above 0"):
        probed(camera, seconds=seconds)


def test_a_recording_of_unknown_length_is_probed_by_a_worker(camera, django_capture_on_commit_callbacks):
    queue = current_app.amqp.router.route({}, "workers.probe_recording")["queue"].name
    with current_app.connection_for_write() as connection:
        messages = connection.SimpleQueue(queue)
        messages.clear()
        with django_capture_on_commit_callbacks(execute=True):
            recording = recording_register(camera=camera, uri="a.mp4", started_at=NINE)
        message = messages.get(timeout=5)
        message.ack()
    assert message.headers["task"] == "workers.probe_recording"
    assert message.payload[1] == {"recording_id": str(recording.pk)}
    assert recording.status == Recording.Status.REGISTERED


def test_probe_reports_are_idempotent(camera):
    recording = recording_register(camera=camera, uri="a.mp4", started_at=NINE)
    facts = {
        "duration_s": 12.5,
        "fps": 7,
        "frame_count": 87,
        "image_size": (480, 360),
        "problems": ["frame 9"],
    }
    recording_probed(recording_id=recording.pk, **facts)
    stored = recording_probed(recording_id=str(recording.pk), **{**facts, "duration_s": 99})
    assert (stored.status, stored.duration_s, stored.image_size) == ("probed", 12.5, (480, 360))
    assert stored.problems == ["frame 9"]
    # a late message from a worker that gave up cannot undo it
    assert recording_failed(recording_id=recording.pk, error="timeout").status == "probed"


def test_a_source_found_to_overlap_is_kept_as_failed_with_the_reason(camera):
    probed(camera)
    late = recording_register(camera=camera, uri="b.mp4", started_at=NINE - timedelta(seconds=5))
    late = recording_probed(recording_id=late.pk, duration_s=10, fps=10, frame_count=100, image_size=None)
    assert late.status == "failed"
    assert "overlaps a.mp4" in late.error


def test_a_failed_recording_may_be_probed_again(camera):
    recording = recording_register(camera=camera, uri="a.mp4", started_at=NINE)
    recording_failed(recording_id=recording.pk, error="The disk is not mounted.")
    recording = recording_probed(
        recording_id=recording.pk, duration_s=10, fps=10, frame_count=100, image_size=None
    )
    assert (recording.status, recording.error) == ("probed", "")


def test_a_report_on_a_deleted_recording_says_so(camera):
    recording = recording_register(camera=camera, uri="a.mp4", started_at=NINE)
    recording_id = recording.pk
    recording.delete()
    with pytest.raises(NotFoundError):
        recording_failed(recording_id=recording_id, error="x")


# -- calibration and members ---------------------------------------------------------------------------------


def test_calibrating_from_points_finds_the_same_ground(camera, yard):
    pixels = np.array([[100, 350], [540, 350], [120, 200], [500, 210], [320, 260]], float)
    positions = camera.model.to_map(pixels)
    other = camera_calibrate(camera=yard.cameras.get(slug="c02"), points_px=pixels, positions_m=positions)
    assert other.calibration_error_m < 1e-6
    np.testing.assert_allclose(other.model.to_map(pixels), positions, atol=1e-6)


def test_points_on_a_line_do_not_calibrate(camera):
    line = [[i * 10, i * 10] for i in range(6)]
    with pytest.raises(ValidationFailedError, match="no three on one line"):
        camera_calibrate(camera=camera, points_px=line, positions_m=line)


def test_a_role_is_changed_not_added(yard, operator):
    membership_set(user=operator, environment=yard, role="admin")
    assert Membership.objects.get(user=operator).role == "admin"
    with pytest.raises(ValidationFailedError, match="no role 'owner'"):
        membership_set(user=operator, environment=yard, role="owner")
