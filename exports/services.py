"""Everything that changes export jobs."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from celery import current_app
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from environments.models import Role
from environments.redis import redis_client
from environments.selectors import require_role
from exports import formats
from exports.models import ExportJob
from tracking.models import ProcessingTask
from tracking.stores import STORES_AWAY

log = logging.getLogger(__name__)

# who waits for longer may have been lost; who runs for longer than this (the task's time limit) has broken off
QUEUED_SECONDS, RUN_SECONDS = 60, 1300


def export_request(*, user: Any, task: ProcessingTask, format: str) -> ExportJob:
    """Queue an export.

    Raises:
        PermissionDeniedError, EnvironmentNotFoundError: the user may not export from the task's environment.
    """
    require_role(user=user, environment=task.environment, role=Role.OPERATOR)
    with transaction.atomic():
        job = ExportJob.objects.create(task=task, format=format, created_by=user)
        export_later(job)
    return job


def export_later(job: ExportJob) -> None:
    transaction.on_commit(lambda: current_app.send_task("exports.run", args=[str(job.pk)], queue="exports"))


def exports_watch() -> list[str]:
    """Queue again what a killed worker or a restarted Redis left undone; their ids.

    A job may be queued twice by this; the second call finds it done.
    """
    now, helped = timezone.now(), []
    waiting = Q(status=ExportJob.Status.QUEUED, created_at__lt=now - timedelta(seconds=QUEUED_SECONDS))
    broken_off = Q(status=ExportJob.Status.RUNNING, created_at__lt=now - timedelta(seconds=RUN_SECONDS))
    for job in ExportJob.objects.filter(waiting | broken_off):
        if redis_client().set(f"spoton:export:{job.pk}", 1, nx=True, ex=RUN_SECONDS):
            export_later(job)
            helped.append(str(job.pk))
    return helped


def export_run(*, job_id: str) -> None:
    """Write the file. A repeated call for a finished job changes nothing."""
    job = (
        ExportJob.objects.select_related("task")
        .filter(pk=job_id)
        .exclude(status=ExportJob.Status.DONE)
        .first()
    )
    if job is None:
        return
    ExportJob.objects.filter(pk=job_id).update(status=ExportJob.Status.RUNNING)
    try:
        name, data = _write(job)
        job.file.save(name, ContentFile(data), save=False)
        job.status, job.error = ExportJob.Status.DONE, ""
    except STORES_AWAY:
        raise
    except Exception as error:
        log.exception("export %s failed", job_id)
        job.status, job.error = (
            ExportJob.Status.FAILED,
            f"The file could not be written: {type(error).__name__}.",
        )
    job.finished_at = timezone.now()
    job.save()


def _write(job: ExportJob) -> tuple[str, bytes]:
    stem = f"{job.task.environment.slug}-{str(job.task_id)[:8]}"
    if job.format == ExportJob.Format.MOT:
        return f"{stem}-mot.zip", formats.mot_zip(job.task)
    return f"{stem}-map.csv", formats.map_csv(job.task)
