"""Pictures of persons that outlive the frame store: planned for recordings, found, forgotten after a while."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from environments.selectors import environments_visible_to
from tracking import crop_wishes, picture_files
from tracking.crop_wishes import CropRef
from tracking.crops import QUALITY_SQL
from tracking.errors import PictureNotFoundError, PicturesAwayError
from tracking.models import LeftPicture, Person, ProcessingTask, StoredCrop
from tracking.queues import IN_STOCK

log = logging.getLogger(__name__)

PLAN, DELETE = "tracking.plan_crops", "tracking.delete_pictures"
# pictures of a recording in one message: each is decoded from the last key frame on, and somebody may wait for one
CHUNK = 4
# pictures of one recorded task, the best first
MOST_PER_TASK = 2000
CHUNK_EXPIRES_S = 6 * 3600
# files deleted by one message
MOST_DELETED = 200


# -- crops: of a recording, when its task has ended ----------------------------------------------------------


def crops_later(task: ProcessingTask) -> None:
    """Store the best picture of everybody by every camera, of a recording; enqueued on commit."""
    if task.mode == ProcessingTask.Mode.RECORDED and settings.ENV.store_crops:
        message = {"args": [str(task.pk)], "queue": "media", "priority": IN_STOCK}
        transaction.on_commit(lambda: current_app.send_task(PLAN, expires=CHUNK_EXPIRES_S, **message))


def crops_plan(*, task_id: str) -> int:
    """Ask for the best pictures of a recorded task, in chunks, behind whatever is watched.

    Returns:
        For how many pictures was asked.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BEST, {"task": task_id, "most": MOST_PER_TASK})
        refs = [CropRef(camera, track, instant, float(s)) for camera, track, instant, s in cursor.fetchall()]
    if len(refs) == MOST_PER_TASK:
        log.warning("task %s has more people than pictures are stored of one task: %d", task_id, len(refs))
    # neighbours share a decoder
    refs.sort(key=lambda ref: (ref.camera, ref.instant))
    for begin in range(0, len(refs), CHUNK):
        chunk = refs[begin : begin + CHUNK]
        crop_wishes.ask(task_id, chunk, priority=IN_STOCK, expires_s=CHUNK_EXPIRES_S)
    return len(refs)


_BEST = f"""
    SELECT camera, track_id, instant, captured_s FROM (
        SELECT DISTINCT ON (COALESCE(d.origin_id, d.person_id), d.camera_id)
            c.slug AS camera, d.track_id, d.instant, EXTRACT(EPOCH FROM d.captured_at) AS captured_s,
            {QUALITY_SQL} AS quality
        FROM tracking_detection d JOIN environments_camera c ON c.id = d.camera_id
        WHERE d.task_id = %(task)s AND d.confidence > 0
        ORDER BY COALESCE(d.origin_id, d.person_id), d.camera_id, quality DESC, d.captured_at, d.track_id
    ) AS best ORDER BY quality DESC, camera, instant, track_id LIMIT %(most)s"""


# -- crops: using and forgetting -----------------------------------------------------------------------------


def crops_of(person: Person) -> list[StoredCrop]:
    """Their best stored picture by each camera, the best first; `get_absolute_url` is where it is answered."""
    best = StoredCrop.objects.filter(person=person).order_by("camera_id", "-quality", "captured_at")
    return sorted(best.distinct("camera_id"), key=lambda crop: (-crop.quality, crop.captured_at))


def stored_crop(
    *, person: Person, camera: str | None = None, at: datetime | None = None
) -> StoredCrop | None:
    """The best stored picture of a person (by a camera), or the one nearest to a time."""
    crops = StoredCrop.objects.filter(person=person)
    if camera is not None:
        crops = crops.filter(camera__slug=camera)
    if at is None:
        return crops.order_by("-quality", "captured_at").first()
    return min(crops, key=lambda crop: (abs(crop.captured_at - at), -crop.quality), default=None)


def crop_get(*, user: Any, crop_id: UUID) -> StoredCrop:
    """Raises PictureNotFoundError when unknown or not visible."""
    visible = StoredCrop.objects.filter(task__environment__in=environments_visible_to(user))
    return picture_in(visible, crop_id)


def crops_forget() -> int:
    """Delete crops that were kept long enough (`SPOTON_APPEARANCE_DAYS`), counted as for appearances.

    Returns:
        How many were deleted; their files follow.
    """
    until = timezone.now() - timedelta(days=settings.ENV.appearance_days)
    old = Q(task__finished_at__lt=until) | Q(task__mode=ProcessingTask.Mode.LIVE, captured_at__lt=until)
    with transaction.atomic():
        deleted, _ = StoredCrop.objects.filter(old).delete()
        left_pictures_delete_later()
    return deleted


def picture_in(visible: QuerySet, pk: UUID) -> Any:
    """Raises PictureNotFoundError when it is not among them."""
    found = visible.filter(pk=pk).first()
    if found is None:
        raise PictureNotFoundError("There is no such picture, or you may not see it.")
    return found


# -- files whose rows are gone -------------------------------------------------------------------------------


def left_pictures_delete_later() -> None:
    """At once when this is committed; the scheduler asks for it now and then."""
    transaction.on_commit(lambda: current_app.send_task(DELETE, queue="media"))


def left_pictures_delete() -> int:
    """Delete files whose rows were deleted (see `LeftPicture`); what the storage refuses now is tried again later.

    Returns:
        How many were deleted.
    """
    deleted = 0
    for left in LeftPicture.objects.order_by("pk")[:MOST_DELETED]:
        # a crop that was deleted may have been stored anew, under the same name
        if not StoredCrop.objects.filter(file=left.file).exists():
            try:
                picture_files.delete(left.file)
            except PicturesAwayError:
                return deleted
        left.delete()
        deleted += 1
    if deleted == MOST_DELETED:
        left_pictures_delete_later()
    return deleted
