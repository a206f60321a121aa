"""Pause, resume, seek: seen in what is asked for and in the rows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.errors import PermissionDeniedError, ValidationFailedError
from environments.models import Role
from tracking import schedule
from tracking.commit import commit_ready_batches
from tracking.errors import TaskNotRunningError
from tracking.models import Batch, Checkpoint, Position, ProcessingTask
from tracking.services import task_start, task_stop
from tracking.steering import task_pause, task_resume, task_seek
from tracking.tests.factories import START, asked_for, perceived, person, prepared, walk

pytestmark = pytest.mark.django_db(transaction=True)
Status = ProcessingTask.Status


@pytest.fixture
def task(settings, yard, operator) -> ProcessingTask:
    """Ten batches of a second at full speed, two in flight."""
    settings.ENV = settings.ENV.model_copy(update={"window_batches": 2})
    return prepared(task_start(user=operator, environment=yard, pacing="max"))


def commit(task: ProcessingTask) -> int:
    done = commit_ready_batches(task_id=str(task.pk), associate=walk)
    task.refresh_from_db()
    return done


def numbers(task: ProcessingTask) -> list[int]:
    return list(Batch.objects.filter(task=task).order_by("number").values_list("number", flat=True))


def run_to_the_end(task: ProcessingTask) -> None:
    while task.status == Status.PROCESSING:
        perceived(task, *range(task.batches_done, task.batches_scheduled))
        assert commit(task), "stuck"


def test_a_paused_task_records_nothing_and_asks_for_nothing(task, operator):
    task_pause(user=operator, task=task)
    perceived(task, 0, 1)
    before = asked_for()
    assert commit(task) == 0
    assert schedule.schedule_batches(task_id=str(task.pk)) == 0
    schedule.watch_tasks()
    assert asked_for() == before
    assert (task.status, numbers(task)) == (Status.PAUSED, [])


def test_it_goes_on_as_if_nothing_had_been(task, yard, operator):
    run_to_the_end(task)
    expected = list(
        Position.objects.filter(task=task).order_by("captured_at", "y_m").values_list("x_m", "y_m")
    )
    other = prepared(task_start(user=operator, environment=yard, pacing="max"))
    perceived(other, 0)
    commit(other)
    task_pause(user=operator, task=other)
    perceived(other, 1, 2)
    task_resume(user=operator, task=other)
    run_to_the_end(other)
    got = list(Position.objects.filter(task=other).order_by("captured_at", "y_m").values_list("x_m", "y_m"))
    assert got == expected


def test_in_real_time_the_pause_is_not_made_up_for(yard, operator, monkeypatch):
    task = prepared(task_start(user=operator, environment=yard, pacing="realtime"))
    moment = task.started_at + timedelta(seconds=1.6)
    monkeypatch.setattr("django.utils.timezone.now", lambda: moment)
    task_pause(user=operator, task=task)
    moment = task.started_at + timedelta(seconds=100)
    asked = len(asked_for())
    task_resume(user=operator, task=task)
    assert len(asked_for()) - asked <= 2, "one batch of two cameras is due, not a hundred"


def test_only_what_is_under_way_can_be_paused_and_only_what_is_paused_resumed(task, operator):
    with pytest.raises(TaskNotRunningError, match="PROCESSING, not PAUSED"):
        task_resume(user=operator, task=task)
    task_stop(user=operator, task=task)
    for steer in (task_pause, task_resume):
        with pytest.raises(TaskNotRunningError, match="STOPPED"):
            steer(user=operator, task=task)


def test_seeking_leaves_out_what_lies_between(task, operator):
    perceived(task, 0)
    commit(task)
    task_seek(user=operator, task=task, at=START + timedelta(seconds=6.4))
    assert (6, "c01") in asked_for()
    run_to_the_end(task)
    assert (task.status, numbers(task)) == (Status.COMPLETED, [0, 6, 7, 8, 9])
    assert not Checkpoint.objects.exists()


def test_a_task_may_begin_in_the_middle(task, operator):
    """Nothing is done yet, so there is no state to go on from; what is under way already is not wanted any more."""
    perceived(task, 0, 1)
    task_seek(user=operator, task=task, at=START + timedelta(seconds=8))
    run_to_the_end(task)
    assert numbers(task) == [8, 9]


def test_seeking_works_while_paused(task, operator):
    task_pause(user=operator, task=task)
    task_seek(user=operator, task=task, at=START + timedelta(seconds=9.95))
    assert task.status == Status.PAUSED
    task_resume(user=operator, task=task)
    run_to_the_end(task)
    assert numbers(task) == [9]


def test_what_is_processed_already_is_not_processed_again(task, operator):
    perceived(task, 0, 1)
    commit(task)
    with pytest.raises(ValidationFailedError, match="processed already") as caught:
        task_seek(user=operator, task=task, at=START + timedelta(seconds=0.5))
    assert caught.value.details == {"processed_until": "2026-05-04T08:00:02.000Z"}


@pytest.mark.parametrize("seconds", [-1, 10, 1e6])
def test_outside_of_the_task_there_is_nothing(task, operator, seconds):
    with pytest.raises(ValidationFailedError, match="outside") as caught:
        task_seek(user=operator, task=task, at=START + timedelta(seconds=seconds))
    assert caught.value.details["end"] == "2026-05-04T08:00:10.000Z"


def test_live_is_always_now(yard, operator):
    yard.cameras.update(live_uri="rtsp://10.0.0.2/stream")
    live = prepared(task_start(user=operator, environment=yard, mode="live"))
    with pytest.raises(ValidationFailedError, match="always at now"):
        task_seek(user=operator, task=live, at=timezone.now())


def test_viewers_may_not_steer(task, yard):
    viewer = person("vera", yard, Role.VIEWER)
    for steer in (task_pause, task_resume, lambda **who: task_seek(**who, at=START)):
        with pytest.raises(PermissionDeniedError):
            steer(user=viewer, task=task)
