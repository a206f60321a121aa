"""Pause, resume and seek: what is processed next. In effect within one batch, on every host."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from environments.errors import ValidationFailedError
from environments.models import Role
from environments.selectors import require_role
from tracking import publish, schedule
from tracking.commit import own_task
from tracking.coverage import coverage
from tracking.errors import TaskNotRunningError
from tracking.messages import isoformat
from tracking.models import Checkpoint, ProcessingTask
from tracking.planning import batch_instants, instant_at, instant_time, utc

Mode, Status = ProcessingTask.Mode, ProcessingTask.Status


def task_pause(*, user: Any, task: ProcessingTask) -> ProcessingTask:
    """Stop asking for batches. What is under way is finished and recorded when the task goes on.

    Raises:
        TaskNotRunningError: it is not processing.
    """
    require_role(user=user, environment=task.environment, role=Role.OPERATOR)
    _switch(task, Status.PROCESSING, Status.PAUSED, {})
    publish.task_changed(task_id=task.pk)
    return task


def task_resume(*, user: Any, task: ProcessingTask) -> ProcessingTask:
    """Go on where the task was paused; in real time the pause is not made up for.

    Raises:
        TaskNotRunningError: it is not paused.
    """
    require_role(user=user, environment=task.environment, role=Role.OPERATOR)
    now = timezone.now()
    clock = {"clock_at": now, "clock_batch": task.batches_done, "progressed_at": now}
    _switch(task, Status.PAUSED, Status.PROCESSING, clock)
    publish.task_changed(task_id=task.pk)
    # live cameras are taken up by the ingest process, which looks for itself
    schedule.schedule_batches(task_id=str(task.pk))
    schedule.associate_later(str(task.pk))
    task.refresh_from_db()
    return task


def task_seek(*, user: Any, task: ProcessingTask, at: datetime) -> ProcessingTask:
    """Go on with the batch that holds `at`; what lies between is left out.

    People keep their identities across the gap as across any absence.

    Raises:
        TaskNotRunningError: it has not begun or has ended.
        ValidationFailedError: a live task, a time outside the task, or one that is processed already.
    """
    require_role(user=user, environment=task.environment, role=Role.OPERATOR)
    if task.mode != Mode.RECORDED:
        raise ValidationFailedError("A live task is always at now; only recordings can be sought in.")
    if not task.start <= at < task.end:
        raise ValidationFailedError(
            "`timestamp` lies outside the task.",
            details={"start": isoformat(task.start), "end": isoformat(task.end)},
        )
    number = min(max(instant_at(task, at), 0) // task.plan["batch_instants"], task.batches_total - 1)
    number = coverage(task).following(number)
    with transaction.atomic():
        own_task(str(task.pk))
        task.refresh_from_db()
        if task.status not in (Status.PROCESSING, Status.PAUSED):
            raise TaskNotRunningError(
                f"Only a task under way can be sought in; this one is {task.status}.",
                details={"status": task.status},
            )
        if number < task.batches_done:
            done = utc(instant_time(task, batch_instants(task, task.batches_done)[0]))
            raise ValidationFailedError(
                f"Everything before {isoformat(done)} is processed already: look at it instead.",
                details={"processed_until": isoformat(done)},
            )
        if number > task.batches_done:
            # whatever is under way for batches before is not wanted any more and ends by itself
            Checkpoint.objects.get_or_create(task=task, defaults={"batch": -1, "state": b""})
            Checkpoint.objects.filter(task=task).update(batch=number - 1)
            task.batches_done = task.batches_scheduled = number
        now = timezone.now()
        task.clock_at, task.clock_batch, task.progressed_at = now, task.batches_done, now
        task.save(
            update_fields=["batches_done", "batches_scheduled", "clock_at", "clock_batch", "progressed_at"]
        )
    publish.task_changed(task_id=task.pk)
    schedule.schedule_batches(task_id=str(task.pk))
    schedule.associate_later(str(task.pk))
    task.refresh_from_db()
    return task


def _switch(task: ProcessingTask, before: str, after: str, fields: dict[str, Any]) -> None:
    changed = ProcessingTask.objects.filter(pk=task.pk, status=before).update(status=after, **fields)
    task.refresh_from_db()
    if not changed:
        raise TaskNotRunningError(
            f"The task is {task.status}, not {before}.", details={"status": task.status}
        )
