"""Snapshots: frames that somebody keeps, until somebody deletes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import QuerySet

from environments.models import Environment, Role
from environments.selectors import environments_visible_to, require_role
from tracking import picture_files
from tracking.media import instant_of
from tracking.models import ProcessingTask, Snapshot
from tracking.planning import utc
from tracking.rendering import require_camera, stored_frame
from tracking.stored_pictures import left_pictures_delete_later, picture_in


def snapshot_take(
    *, user: Any, task: ProcessingTask, camera: str, at: datetime | None = None, note: str = ""
) -> Snapshot:
    """Keep a frame of a task, as it was captured, until somebody deletes it; without a time the last processed one.

    Raises:
        PermissionDeniedError, EnvironmentNotFoundError: the user is no Operator.
        CameraNotFoundError: the camera is not part of the task.
        FrameNotAvailableError: outside the task, or the camera has no frame then.
        MediaTimeoutError: no worker delivered it in time.
        PicturesAwayError: it cannot be stored now.
    """
    require_role(user=user, environment=task.environment, role=Role.OPERATOR)
    require_camera(task, camera)
    frame = stored_frame(task=task, camera=camera, instant=instant_of(task, at))
    pk = uuid4()
    file = picture_files.write(f"snapshots/{task.pk}/{pk}.jpg", frame.jpeg)
    snapshot = Snapshot(
        id=pk,
        environment=task.environment,
        task=task,
        camera_id=next(c["camera_id"] for c in task.plan["cameras"] if c["camera"] == camera),
        instant=frame.instant,
        frame=frame.index,
        captured_at=utc(frame.captured_at),
        file=file,
        width=frame.width,
        height=frame.height,
        note=note,
        taken_by=user,
    )
    try:
        snapshot.save(force_insert=True)
    except Exception:
        # the task was deleted meanwhile, or the database is away: nobody would know of the file
        picture_files.delete(file)
        raise
    return snapshot


def snapshots_of(environment: Environment) -> QuerySet[Snapshot]:
    """Newest first."""
    return Snapshot.objects.filter(environment=environment).select_related(
        "environment", "camera", "taken_by"
    )


def snapshot_get(*, user: Any, snapshot_id: UUID) -> Snapshot:
    """Raises PictureNotFoundError when unknown or not visible."""
    visible = Snapshot.objects.filter(environment__in=environments_visible_to(user))
    return picture_in(visible.select_related("environment"), snapshot_id)


def snapshot_delete(*, user: Any, snapshot: Snapshot) -> None:
    """Raises PermissionDeniedError when the user is no Operator."""
    require_role(user=user, environment=snapshot.environment, role=Role.OPERATOR)
    with transaction.atomic():
        snapshot.delete()
        left_pictures_delete_later()
