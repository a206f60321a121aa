"""Starting, preparing, stopping and failing tasks: who may, what it takes, and what is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from environments.errors import (
    CameraNotFoundError,
    EnvironmentNotFoundError,
    PermissionDeniedError,
    RangeNotAvailableError,
    ValidationFailedError,
)
from tracking import services
from tracking.errors import TaskNotRunningError
from tracking.models import ProcessingTask
from tracking.tests.factories import CHOICE, EMBEDDER, START, asked_for, prepared, queued, record

pytestmark = pytest.mark.django_db
Status = ProcessingTask.Status


def start(user, environment, **options):
    return services.task_start(user=user, environment=environment, **options)


# -- starting ------------------------------------------------------------------------------------------------


def test_by_default_all_that_is_recorded_is_processed(operator, yard, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        task = start(operator, yard)
    assert (task.start, task.end) == (START, START + timedelta(seconds=10))
    assert (task.status, task.pacing, task.fps) == (Status.QUEUED, "realtime", 10.0)
    assert (task.cameras, task.batches_total) == (["c01", "c02"], 10)
    assert (task.detector, task.embedder) == ("auto", "auto")
    assert task.created_by == operator
    assert queued("cpu.0") == [("workers.prepare_task", [str(task.pk)])]


def test_nothing_is_asked_of_workers_before_the_row_is_there(
    operator, yard, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks() as waiting:
        start(operator, yard)
    assert queued("cpu.0") == []
    assert len(waiting) == 1


def test_a_span_is_cut_to_what_is_recorded(operator, yard):
    """Time before the first and after the last frame is not worth a batch."""
    task = start(operator, yard, start=START - timedelta(hours=1), end=START + timedelta(hours=1))
    assert (task.start, task.end) == (START, START + timedelta(seconds=10))
    part = start(
        operator, yard, start=START + timedelta(seconds=2), end=START + timedelta(seconds=4.5), fps=5
    )
    assert (part.end - part.start, part.batches_total) == (timedelta(seconds=2.5), 3)


def test_the_slowest_camera_sets_the_rate(operator, yard):
    yard.cameras.filter(slug="c02").update(fps=4)
    assert start(operator, yard).fps == 4
    yard.cameras.update(fps=60)
    assert start(operator, yard).fps == 10, "more than ten instants per second tell nothing new"
    assert start(operator, yard, fps=25).fps == 25


def test_only_operators_may_start(viewer, stranger, yard):
    with pytest.raises(PermissionDeniedError, match="Operator"):
        start(viewer, yard)
    with pytest.raises(EnvironmentNotFoundError):
        start(stranger, yard)
    assert not ProcessingTask.objects.exists()


def test_unknown_cameras_are_named(operator, yard):
    with pytest.raises(CameraNotFoundError, match="no active camera c99; it has c01, c02"):
        start(operator, yard, cameras=["c01", "c99"])
    assert start(operator, yard, cameras=["c02"]).cameras == ["c02"]


@pytest.mark.parametrize(
    ("since", "until", "message"),
    [
        (3600, 3700, "recorded anything from 2026-05-04T09:00:00.000Z"),
        (-20, -10, "recorded anything"),
        (5, 5, "`end` must lie after `start`"),
        (7, 3, "`end` must lie after `start`"),
    ],
)
def test_an_empty_range_tells_what_there_is(operator, yard, since, until, message):
    with pytest.raises(RangeNotAvailableError, match=message) as raised:
        start(operator, yard, start=START + timedelta(seconds=since), end=START + timedelta(seconds=until))
    assert raised.value.status == 422
    assert raised.value.details == {
        "available": {"start": "2026-05-04T08:00:00.000Z", "end": "2026-05-04T08:00:10.000Z"}
    }


def test_without_recordings_the_message_says_what_to_do(operator, yard):
    for camera in yard.cameras.all():
        camera.recordings.all().delete()
    with pytest.raises(RangeNotAvailableError, match="add recordings") as raised:
        start(operator, yard)
    assert raised.value.details == {"available": None}


def test_a_camera_without_recordings_may_take_part(operator, yard):
    """It simply has no frames; one with recordings among the chosen is enough."""
    yard.cameras.get(slug="c02").recordings.all().delete()
    assert start(operator, yard).cameras == ["c01", "c02"]
    with pytest.raises(RangeNotAvailableError):
        start(operator, yard, cameras=["c02"])


# -- live ----------------------------------------------------------------------------------------------------


def test_live_takes_cameras_with_a_live_address(operator, yard):
    yard.cameras.filter(slug="c02").update(live_uri="rtsp://10.0.0.2/stream")
    task = start(operator, yard, mode="live", pacing="max")
    assert (task.cameras, task.end, task.batches_total, task.pacing) == (["c02"], None, None, "realtime")
    assert prepared(task).status == Status.PROCESSING
    assert asked_for() == [], "frames come from ingest, not from a schedule"


def test_live_without_live_cameras_is_refused(operator, yard):
    with pytest.raises(ValidationFailedError, match="No camera of Yard has a live address"):
        start(operator, yard, mode="live")


def test_live_has_no_span(operator, yard):
    yard.cameras.update(live_uri="rtsp://10.0.0.2/stream")
    with pytest.raises(ValidationFailedError, match="no `start` and no `end`"):
        start(operator, yard, mode="live", start=START)


# -- models --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["motion", "auto", "fasterrcnn", "fasterrcnn:rcnn.pth", "yolox:nano 416.onnx"]
)
def test_detectors_that_may_be_asked_for(operator, yard, name):
    assert start(operator, yard, detector=name).detector == name


@pytest.mark.parametrize("name", ["descriptor", "auto", "clip", "clip:vit.pt", "onnx:osnet_x0_25.onnx"])
def test_embedders_that_may_be_asked_for(operator, yard, name):
    assert start(operator, yard, embedder=name).embedder == name


@pytest.mark.parametrize(
    "file",
    [
        "/etc/passwd",
        "../secrets.onnx",
        "a/../../b.onnx",
        "sub/b.onnx",
        "..",
        ".hidden.onnx",
        "C:\\b.onnx",
        "file:///b.onnx",
        "~/b.onnx",
        "b.onnx\n",
        "b\x00.onnx",
        "//host/share.onnx",
        "%2e%2e%2fb.onnx",
    ],
)
@pytest.mark.parametrize("what", ["detector", "embedder"])
def test_users_cannot_name_files_outside_the_models_folder(operator, yard, what, file):
    name = {"detector": "yolox", "embedder": "onnx"}[what]
    with pytest.raises(ValidationFailedError, match="plain name of a file in the models folder") as raised:
        start(operator, yard, **{what: f"{name}:{file}"})
    assert list(raised.value.details["fields"]) == [what]
    assert not ProcessingTask.objects.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"detector": "yolo99"},
            "There is no detector 'yolo99'.*motion, yolox:FILE, yolov8:FILE, fasterrcnn.*auto",
        ),
        ({"embedder": "magic"}, "There is no embedder 'magic'.*descriptor, onnx:FILE, clip.*auto"),
        ({"detector": "descriptor"}, "There is no detector"),
        ({"detector": ""}, "There is no detector ''"),
        ({"detector": "MOTION"}, "There is no detector"),
        ({"detector": "yolox"}, "yolox:FILE"),
        ({"detector": "fasterrcnn:"}, "fasterrcnn:FILE"),
        ({"detector": "motion:weights.onnx"}, "takes no file"),
        ({"embedder": "auto:/etc/passwd"}, "takes no file"),
    ],
)
def test_unknown_models_are_refused_with_the_names_that_exist(operator, yard, options, message):
    with pytest.raises(ValidationFailedError, match=message):
        start(operator, yard, **options)


# -- preparing -----------------------------------------------------------------------------------------------


def test_a_prepared_task_begins(task):
    assert task.status == Status.PROCESSING
    assert task.choices["detector"] == {"requested": "motion", "chosen": "motion", "reason": "asked for"}
    assert task.started_at is not None
    assert task.seed is not None


def test_preparing_twice_changes_nothing(task, django_capture_on_commit_callbacks):
    before = (task.started_at, task.seed, task.batches_scheduled)
    other = services.Choice("auto", "yolox:x.onnx", "a second worker thinks otherwise")
    with django_capture_on_commit_callbacks(execute=True):
        services.task_prepared(task_id=str(task.pk), detector=other, embedder=EMBEDDER)
    task.refresh_from_db()
    assert (task.started_at, task.seed, task.batches_scheduled) == before
    assert task.choices["detector"]["chosen"] == "motion"


def test_one_worker_prepares_others_see_that_it_is_needed_or_not(operator, yard):
    task = start(operator, yard)
    assert services.task_initializing(task_id=str(task.pk))
    assert services.task_initializing(task_id=str(task.pk)), "after a crash the next worker must go on"
    prepared(task)
    assert not services.task_initializing(task_id=str(task.pk))


def test_a_task_stopped_before_it_was_prepared_stays_stopped(operator, yard):
    task = start(operator, yard)
    services.task_stop(user=operator, task=task)
    services.task_prepared(task_id=str(task.pk), detector=CHOICE, embedder=EMBEDDER)
    task.refresh_from_db()
    assert task.status == Status.STOPPED
    assert asked_for() == []


# -- ending --------------------------------------------------------------------------------------------------


def test_stopping(operator, task):
    stopped = services.task_stop(user=operator, task=task)
    assert (stopped.status, stopped.is_active) == (Status.STOPPED, False)
    assert stopped.finished_at is not None
    assert ("workers.associate", [str(task.pk)]) in queued("associate"), "open tracks are still to be written"
    with pytest.raises(TaskNotRunningError, match="already ended") as raised:
        services.task_stop(user=operator, task=task)
    assert (raised.value.status, raised.value.details) == (409, {"status": "STOPPED"})


def test_only_operators_may_stop(viewer, stranger, task):
    with pytest.raises(PermissionDeniedError):
        services.task_stop(user=viewer, task=task)
    with pytest.raises(EnvironmentNotFoundError):
        services.task_stop(user=stranger, task=task)
    task.refresh_from_db()
    assert task.status == Status.PROCESSING


def test_failing_keeps_the_first_reason(operator, task):
    services.task_fail(task_id=str(task.pk), code="model_unavailable", message="No weights.")
    services.task_fail(task_id=str(task.pk), code="internal_error", message="A later worker's trouble.")
    task.refresh_from_db()
    assert (task.status, task.error_code, task.error_message) == (
        Status.FAILED,
        "model_unavailable",
        "No weights.",
    )
    with pytest.raises(TaskNotRunningError):
        services.task_stop(user=operator, task=task)


def test_a_stopped_task_cannot_fail_any_more(operator, task):
    services.task_stop(user=operator, task=task)
    services.task_fail(task_id=str(task.pk), code="internal_error", message="Late.")
    task.refresh_from_db()
    assert (task.status, task.error_message) == (Status.STOPPED, "")


def test_recordings_added_later_do_not_change_a_task(operator, yard, task):
    """What a task reads is fixed when it is made, so that it can be repeated."""
    before = task.plan
    record(yard.cameras.get(slug="c01"), at_s=20)
    task.refresh_from_db()
    assert task.plan == before
