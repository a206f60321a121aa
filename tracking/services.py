"""Everything that changes processing tasks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from environments.errors import RangeNotAvailableError, ValidationFailedError
from environments.models import Camera, Environment, Role
from environments.selectors import cameras_of, date_ranges, require_role
from tracking import planning, publish, schedule
from tracking.errors import TaskNotRunningError
from tracking.messages import isoformat
from tracking.model_names import check_detector, check_embedder
from tracking.models import ProcessingTask
from tracking.timeseries import partitions_ensure

log = logging.getLogger(__name__)
Mode, Status = ProcessingTask.Mode, ProcessingTask.Status


@dataclass(frozen=True)
class Choice:
    """A model asked for, the one taken, and why."""

    requested: str
    chosen: str
    reason: str


def task_start(
    *,
    user: Any,
    environment: Environment,
    mode: str = Mode.RECORDED,
    cameras: Sequence[str] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    pacing: str = ProcessingTask.Pacing.REALTIME,
    detector: str | None = None,
    embedder: str | None = None,
    fps: float | None = None,
    score_threshold: float | None = None,
) -> ProcessingTask:
    """Start processing a recorded span or live cameras.

    Args:
        cameras: slugs; None means all active cameras.
        start, end: the span; None means all that is recorded.
        fps: synchronised instants per second; None means the slowest camera's rate, at most 10.

    Raises:
        PermissionDeniedError, EnvironmentNotFoundError: the user may not start tasks there.
        CameraNotFoundError: a camera is unknown.
        RangeNotAvailableError: nothing is recorded in the span; details hold what is.
        ValidationFailedError: live without live cameras, or a model that may not be asked for.
    """
    require_role(user=user, environment=environment, role=Role.OPERATOR)
    check_detector(detector)
    check_embedder(embedder)
    chosen = cameras_of(environment, cameras)
    if not chosen:
        raise ValidationFailedError(
            f"{environment.name} has no active camera; add one in the administration."
        )
    begin = _begin_live if mode == Mode.LIVE else _begin_recorded
    fields = begin(environment, chosen, start, end, fps)
    # before the first batch can arrive: rows in the default partition keep its day's own from being made
    partitions_ensure(start=fields["start"], end=fields["end"] or fields["start"])
    with transaction.atomic():
        task = ProcessingTask.objects.create(
            environment=environment,
            created_by=user if getattr(user, "pk", None) else None,
            mode=mode,
            pacing=ProcessingTask.Pacing.REALTIME if mode == Mode.LIVE else pacing,
            detector=detector or settings.ENV.detector,
            embedder=embedder or settings.ENV.embedder,
            score_threshold=score_threshold,
            **fields,
        )
        schedule.prepare_later(task)
    return task


def task_prepared(*, task_id: str, detector: Choice, embedder: Choice) -> None:
    """A device worker has chosen the models: begin. Repeated calls change nothing."""
    with transaction.atomic():
        task = ProcessingTask.objects.select_for_update().select_related("environment").get(pk=task_id)
        if task.status not in (Status.QUEUED, Status.INITIALIZING):
            return
        task.choices = {"detector": vars(detector), "embedder": vars(embedder)}
        task.seed = planning.person_seed(task)
        task.status, task.started_at = Status.PROCESSING, timezone.now()
        task.save()
    publish.task_changed(task_id=task_id)
    schedule.schedule_batches(task_id=task_id)


def task_initializing(*, task_id: str) -> bool:
    """Whether the task still waits to be prepared; marks that somebody is at it."""
    ProcessingTask.objects.filter(pk=task_id, status=Status.QUEUED).update(status=Status.INITIALIZING)
    return ProcessingTask.objects.filter(pk=task_id, status=Status.INITIALIZING).exists()


def task_stop(*, user: Any, task: ProcessingTask) -> ProcessingTask:
    """Stop a task; what was recorded stays.

    Raises:
        TaskNotRunningError: it has already ended.
    """
    require_role(user=user, environment=task.environment, role=Role.OPERATOR)
    stopped = ProcessingTask.objects.filter(pk=task.pk, status__in=ProcessingTask.ACTIVE).update(
        status=Status.STOPPED, finished_at=timezone.now()
    )
    task.refresh_from_db()
    if not stopped:
        raise TaskNotRunningError(
            f"This task has already ended ({task.status}).", details={"status": task.status}
        )
    _ended(str(task.pk))
    return task


def task_fail(*, task_id: str, code: str, message: str) -> None:
    """End a task because of an error that repeating would not mend."""
    failed = ProcessingTask.objects.filter(pk=task_id, status__in=ProcessingTask.ACTIVE).update(
        status=Status.FAILED, error_code=code, error_message=message, finished_at=timezone.now()
    )
    if failed:
        log.error("task %s failed: %s", task_id, message)
        publish.task_changed(task_id=task_id)


def batch_wanted(*, task_id: str, number: int) -> list[str]:
    """The task's cameras, if the batch's observations are still asked for: it runs and has not committed them."""
    task = (
        ProcessingTask.objects.only("plan")
        .filter(pk=task_id, status__in=(Status.PROCESSING, Status.PAUSED), batches_done__lte=number)
        .first()
    )
    return task.cameras if task else []


def _ended(task_id: str) -> None:
    publish.task_changed(task_id=task_id)
    schedule.associate_later(task_id)


def _begin_recorded(
    environment: Environment,
    cameras: list[Camera],
    start: datetime | None,
    end: datetime | None,
    fps: float | None,
) -> dict[str, Any]:
    ranges = date_ranges(environment)
    available = ranges.available()
    if ranges.start is None:
        raise RangeNotAvailableError(
            f"Nothing is recorded for {environment.name} yet; add recordings in the administration.",
            details=available,
        )
    start, end = start or ranges.start, end or ranges.end
    if end <= start:
        raise RangeNotAvailableError("`end` must lie after `start`.", details=available)
    fps = fps or _default_fps(cameras)
    plan = planning.plan_recorded(cameras=cameras, start=start, end=end, fps=fps)
    if not any(entry["segments"] for entry in plan["cameras"]):
        raise RangeNotAvailableError(
            f"None of the cameras recorded anything from {isoformat(start)} to {isoformat(end)}.",
            details=available,
        )
    # time before the first and after the last frame of any camera is not worth a batch
    segments = [s for entry in plan["cameras"] for s in entry["segments"]]
    first = planning.utc(min(s["started_at"] for s in segments))
    last = planning.utc(max(s["started_at"] + s["duration_s"] for s in segments))
    start, end = max(start, first), min(end, last)
    total = planning.batch_count(start=start, end=end, fps=fps, batch_instants=plan["batch_instants"])
    return {"start": start, "end": end, "fps": fps, "plan": plan, "batches_total": total}


def _begin_live(
    environment: Environment,
    cameras: list[Camera],
    start: datetime | None,
    end: datetime | None,
    fps: float | None,
) -> dict[str, Any]:
    if start is not None or end is not None:
        raise ValidationFailedError(
            "A live task has no `start` and no `end`; leave them out, or use mode recorded."
        )
    live = [camera for camera in cameras if camera.live_uri]
    if not live:
        raise ValidationFailedError(
            f"No camera of {environment.name} has a live address; set one in the administration."
        )
    fps = fps or _default_fps(live)
    return {
        "start": timezone.now(),
        "end": None,
        "fps": fps,
        "plan": planning.plan_live(cameras=live, fps=fps),
    }


def _default_fps(cameras: Sequence[Camera]) -> float:
    return min([planning.DEFAULT_FPS, *(camera.fps for camera in cameras)])
