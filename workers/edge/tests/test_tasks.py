"""The Celery tasks themselves: messages that come twice, late or at the wrong moment, and stores that are away."""

from __future__ import annotations

import pytest
from django.db import connection

from environments.redis import redis_client
from environments.services import recording_register
from tracking import observations, services
from tracking.models import Batch, Detection, ProcessingTask
from tracking.planning import batch_message
from tracking.queues import lists_of
from tracking.services import task_start
from tracking.tests.factories import START
from workers import tasks
from workers.associate import associate as real_associate

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


@pytest.fixture
def recorded(square, small_scene):
    for camera in square.cameras.all():
        recording_register(
            camera=camera,
            uri=str(small_scene.folder / f"{camera.slug}.mp4"),
            started_at=START,
            duration_s=2.0,
            fps=10,
        )
    return square


@pytest.fixture
def task(recorded, operator, workers) -> ProcessingTask:
    """Two batches of two cameras, prepared; nothing is perceived yet."""
    task = task_start(
        user=operator, environment=recorded, pacing="max", detector="motion", embedder="descriptor"
    )
    redis_client().delete(*lists_of("cpu.0"))
    tasks.prepare_task.apply((str(task.pk),), throw=True)
    task.refresh_from_db()
    return task


def finished(task: ProcessingTask) -> bool:
    task.refresh_from_db()
    return task.status in ProcessingTask.FINAL


def rows(task: ProcessingTask) -> list[tuple]:
    names = "captured_at", "camera_id", "track_id", "person_id", "x1", "y1", "x2", "y2", "confidence"
    return list(Detection.objects.filter(task=task).order_by(*names[:3]).values_list(*names))


def lose_the_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_duplicated_late_and_reordered_messages_change_nothing(task, workers):
    messages = [batch_message(task, number, camera) for number in (1, 0) for camera in ("c02", "c01")]
    for message in messages * 2:
        tasks.perceive.apply(([message],), throw=True)
        tasks.associate.apply((str(task.pk),), throw=True)
    workers.run_until(lambda: finished(task))
    before = rows(task)
    assert (task.status, Batch.objects.filter(task=task).count(), len(before) > 0) == ("COMPLETED", 2, True)
    for message in messages:
        tasks.perceive.apply(([message],), throw=True)
    tasks.associate.apply((str(task.pk),), throw=True)
    tasks.prepare_task.apply((str(task.pk),), throw=True)
    workers.run_waiting()
    assert rows(task) == before
    task.refresh_from_db()
    assert task.status == "COMPLETED"
    late = observations.missing(task_id=str(task.pk), numbers=[0, 1], cameras=["c01", "c02"])
    assert len(late) == 4, "nothing is perceived that nobody wants any more"


@pytest.mark.parametrize("moment", ["perceiving", "associating"])
def test_a_database_that_goes_away_in_the_middle_fails_no_task(task, workers, monkeypatch, moment):
    lost = []

    def once(real):
        def function(*args, **kwargs):
            if not lost:
                lost.append(1)
                lose_the_database()
            return real(*args, **kwargs)

        return function

    if moment == "perceiving":
        monkeypatch.setattr(services, "batch_wanted", once(services.batch_wanted))
    else:
        monkeypatch.setattr("workers.associate.associate", once(real_associate))
    workers.run_until(lambda: finished(task))
    assert (task.status, lost) == ("COMPLETED", [1])


def test_errors_of_our_own_still_fail_the_task_with_words(task, workers, monkeypatch):
    def wrong(*args, **kwargs):
        raise TypeError("a mistake in the program")

    monkeypatch.setattr("workers.associate.associate", wrong)
    for number in (0, 1):
        for camera in ("c01", "c02"):
            tasks.perceive.apply(([batch_message(task, number, camera)],), throw=True)
    tasks.associate.apply((str(task.pk),), retries=tasks.associate.max_retries, throw=True)
    task.refresh_from_db()
    assert (task.status, task.error_code) == ("FAILED", "internal_error")
    assert task.error_message == "Association failed: TypeError. See the worker's log."
