"""Which pictures are meant: the instant of a time, and the best picture of a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import cv2
import numpy as np

from tracking import picture_files
from tracking.crops import CROP_QUALITY, cut_out
from tracking.errors import FrameNotAvailableError, MediaTimeoutError
from tracking.focus import focus_get
from tracking.identity import current_ids
from tracking.messages import isoformat
from tracking.models import Batch, Detection, Person, ProcessingTask, StoredCrop
from tracking.planning import batch_instants, instant_at, instant_count
from tracking.publish import last_instant
from tracking.rendering import Look, Rendered, decoded, encoded, shared, stored_frame
from tracking.selectors import best_detection
from tracking.stored_pictures import stored_crop


def instant_of(task: ProcessingTask, at: datetime | None) -> int:
    """The instant nearest to a time; without one the last processed.

    Raises:
        FrameNotAvailableError: the time lies outside the task; details hold its span.
    """
    if at is None:
        return _latest(task)
    if task.start is None:
        raise FrameNotAvailableError("This task has not begun yet, so there are no pictures.")
    instant = instant_at(task, at)
    if task.end is not None and at < task.end:
        # the nearest instant to the last moments would be the end itself, which has none any more
        instant = min(instant, instant_count(start=task.start, end=task.end, fps=task.fps) - 1)
    if instant < 0 or (task.end is not None and at >= task.end):
        raise FrameNotAvailableError(
            "`t` lies outside the task.",
            details={"start": isoformat(task.start), "end": isoformat(task.end) if task.end else None},
        )
    return instant


def focused(task: ProcessingTask, person_id: UUID | None) -> UUID | None:
    """Who is highlighted: the person asked for, or the task's focus. An id that was merged away goes on working."""
    if person_id is not None:
        return current_ids([person_id])[person_id]
    focus = focus_get(task)
    return UUID(focus.person_id) if focus else None


def person_picture(*, person: Person, camera: str | None, at: datetime | None, look: Look) -> Rendered:
    """A picture of the person with some room around: the best there is, or the one nearest to a time.

    Where the frame is gone, one that was stored.

    Raises:
        FrameNotAvailableError: the person was never seen there, or the picture is gone.
        MediaTimeoutError: no worker delivered the picture in time.
    """
    look = replace(look, quality=look.quality or CROP_QUALITY)
    detection = best_detection(person=person, camera=camera, at=at)
    try:
        if detection is None:
            raise FrameNotAvailableError("This person was never seen by that camera.")
        return shared(("crop", detection.pk, look.key), lambda: _crop(detection, look))
    except (FrameNotAvailableError, MediaTimeoutError):
        kept = stored_crop(person=person, camera=camera, at=at)
        if kept is None:
            raise
        return shared(("stored crop", kept.pk, look.key), lambda: _stored(kept, look))


def _stored(kept: StoredCrop, look: Look) -> Rendered:
    image = cv2.imdecode(np.frombuffer(picture_files.read(kept.file), np.uint8), cv2.IMREAD_COLOR)
    return _fitting(image, look, index=kept.frame, captured_at=kept.captured_at.timestamp())


def _crop(detection: Detection, look: Look) -> Rendered:
    stored = stored_frame(task=detection.task, camera=detection.camera.slug, instant=detection.instant)
    crop = cut_out(decoded(stored, Look()), detection)
    if crop is None:
        raise FrameNotAvailableError("This person's box lies outside the picture.")
    return _fitting(crop, look, index=stored.index, captured_at=stored.captured_at)


def _fitting(crop: np.ndarray, look: Look, *, index: int, captured_at: float) -> Rendered:
    factor = look.factor(crop.shape[1], crop.shape[0])
    if factor < 1:
        crop = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return encoded(crop, look=look, index=index, captured_at=captured_at)


def _latest(task: ProcessingTask) -> int:
    if task.mode == ProcessingTask.Mode.LIVE:
        return max(0, last_instant(task.pk))
    last = Batch.objects.filter(task=task).order_by("-number").values_list("number", flat=True).first()
    return 0 if last is None else batch_instants(task, last)[-1]
