"""Live cameras, from a real stream over HTTP to rows in the database."""

from __future__ import annotations

import time

import pytest

from environments.redis import redis_client
from tracking import frames, picture_files, schedule, selectors
from tracking.models import Batch, Detection, Position, ProcessingTask, StoredCrop, Trajectory
from tracking.services import task_start, task_stop

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


def start(operator, square, **options) -> ProcessingTask:
    return task_start(
        user=operator, environment=square, mode="live", detector="motion", embedder="descriptor", **options
    )


def cameras_of(task: ProcessingTask) -> dict:
    """What people are shown of the task's cameras."""
    return selectors.task_details(ProcessingTask.objects.get(pk=task.pk))["camera_status"]


def batches(task: ProcessingTask) -> int:
    return Batch.objects.filter(task=task).count()


def test_live_cameras_become_people_on_the_map(ingesting, workers, operator, square):
    task = start(operator, square)
    workers.run_until(lambda: Position.objects.filter(task=task).exists() and batches(task) >= 8)
    task.refresh_from_db()
    assert task.status == "PROCESSING"
    status = cameras_of(task)
    for camera in ("c01", "c02"):
        assert status[camera]["frames"] > 5
        assert status[camera]["problems"] == []
    last = Detection.objects.filter(task=task).latest("captured_at")
    assert abs(last.captured_at.timestamp() - time.time()) < 10, "capture time is now"
    detections = Detection.objects.filter(task=task)
    assert detections.filter(map_x__isnull=False).exists()
    stored = frames.get(task_id=task.pk, camera=last.camera.slug, instant=last.instant)
    assert (stored.width, stored.height) == (640, 360)
    assert abs(stored.captured_at - last.captured_at.timestamp()) < 1e-3, "the picture belongs to the row"
    workers.run_until(lambda: StoredCrop.objects.filter(task=task).exists())
    crop = StoredCrop.objects.filter(task=task).first()
    assert detections.filter(
        captured_at=crop.captured_at, track_id=crop.track_id, person=crop.person_id
    ).exists()
    assert picture_files.read(crop.file)[:2] == b"\xff\xd8", "a JPEG that stays when the frame is gone"

    task_stop(user=operator, task=task)
    workers.run_waiting()
    assert Trajectory.objects.filter(task=task).exists(), "stopping closes the open tracks"
    before = batches(task)
    time.sleep(0.7)
    workers.run_waiting()
    assert batches(task) == before


def test_what_nobody_can_take_is_dropped_and_counted(ingesting, workers, operator, square, settings):
    """Perception stands still: the window fills, newer frames give way, and the count is shown."""
    settings.ENV = settings.ENV.model_copy(update={"window_batches": 1})
    task = start(operator, square)
    workers.run_until(lambda: ProcessingTask.objects.get(pk=task.pk).batches_scheduled >= 1)
    deadline = time.monotonic() + 10
    while not all(camera["dropped"] >= 6 for camera in cameras_of(task).values()):
        assert time.monotonic() < deadline, cameras_of(task)
        time.sleep(0.1)
    task.refresh_from_db()
    assert task.batches_scheduled - task.batches_done == 1, "nothing is queued"


def test_a_stream_that_goes_away_is_told_and_taken_up_again(ingesting, workers, streams, operator, square):
    task = start(operator, square)
    workers.run_until(lambda: batches(task) >= 2)
    streams.stop()
    workers.run_until(lambda: all(camera["problems"] for camera in cameras_of(task).values()), within_s=20)
    problem = cameras_of(task)["c01"]["problems"][0]
    assert set(problem) == {"message", "at"}
    assert "stream" in problem["message"] or "connect" in problem["message"]
    assert ProcessingTask.objects.get(pk=task.pk).status == "PROCESSING", "cameras come back"

    streams.start()
    before = {name: camera["frames"] for name, camera in cameras_of(task).items()}
    workers.run_until(
        lambda: all(c["frames"] > before[n] + 5 for n, c in cameras_of(task).items()), within_s=40
    )


def test_when_redis_has_lost_everything_the_task_goes_on(ingesting, workers, operator, square, monkeypatch):
    """Frames, batches under way and backgrounds are gone; the backgrounds are not learned anew."""
    monkeypatch.setattr("workers.edge.live_background.LEARN_EVERY_S", 600)
    task = start(operator, square)
    workers.run_until(lambda: Position.objects.filter(task=task).exists(), within_s=60)
    redis_client().flushall()
    before, lost = batches(task), Position.objects.filter(task=task).latest("captured_at").captured_at
    schedule.watch_tasks()
    monkeypatch.setattr(schedule, "STALL_SECONDS", 1)

    def found_again() -> bool:
        schedule.watch_tasks()
        return Position.objects.filter(task=task, captured_at__gt=lost).exists() and batches(task) > before

    workers.run_until(found_again, within_s=50)
    assert ProcessingTask.objects.get(pk=task.pk).status == "PROCESSING"


def test_hosts_that_are_not_allowed_are_told_and_the_others_go_on(ingesting, workers, operator, square):
    camera = square.cameras.get(slug="c02")
    camera.live_uri = "http://admin:hunter2@192.0.2.7/video.mjpg"
    camera.save()
    task = start(operator, square)
    workers.run_until(lambda: batches(task) >= 2)
    status = cameras_of(task)
    assert "SPOTON_STREAM_HOSTS" in status["c02"]["problems"][0]["message"]
    assert "hunter2" not in str(status)
    assert (status["c01"]["problems"], status["c02"]["frames"]) == ([], 0)
    assert status["c01"]["frames"] > 0


def test_troubles_stay_known_while_nothing_else_happens(ingesting, workers, operator, square, monkeypatch):
    """No camera can be read at all: there is no batch, and still the reason must not be forgotten."""
    monkeypatch.setattr("tracking.live.TTL_SECONDS", 3)
    square.cameras.update(live_uri="http://192.0.2.7/video.mjpg")
    task = start(operator, square)
    workers.run_until(lambda: all(camera["problems"] for camera in cameras_of(task).values()))
    time.sleep(4)
    assert all(camera["problems"] for camera in cameras_of(task).values())
    assert batches(task) == 0
