"""Which pictures are meant: the instant of a time, and the best picture of a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import cv2

from tracking.errors import FrameNotAvailableError
from tracking.identity import current_ids
from tracking.messages import isoformat
from tracking.models import Batch, Detection, Person, ProcessingTask
from tracking.planning import batch_instants, instant_at, instant_count
from tracking.publish import last_instant
from tracking.rendering import Look, Rendered, decoded, encoded, shared, stored_frame
from tracking.selectors import best_detection

# room around a person in a crop, as a share of the box
CROP_MARGIN = 0.12
CROP_QUALITY = 88


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


def focused(person_id: UUID | None) -> UUID | None:
    """Who a person is by now: an id that was merged away goes on working."""
    return None if person_id is None else current_ids([person_id])[person_id]


def person_picture(*, person: Person, camera: str | None, at: datetime | None, look: Look) -> Rendered:
    """A picture of the person with some room around: the best there is, or the one nearest to a time.

    Raises:
        FrameNotAvailableError: the person was never seen there, or the picture is gone.
        MediaTimeoutError: no worker delivered the picture in time.
    """
    detection = best_detection(person=person, camera=camera, at=at)
    if detection is None:
        raise FrameNotAvailableError("This person was never seen by that camera.")
    look = replace(look, quality=look.quality or CROP_QUALITY)
    return shared(("crop", detection.pk, look.key), lambda: _crop(detection, look))


def _crop(detection: Detection, look: Look) -> Rendered:
    stored = stored_frame(task=detection.task, camera=detection.camera.slug, instant=detection.instant)
    image = decoded(stored, Look())
    sx = stored.width / detection.camera.image_width
    sy = stored.height / detection.camera.image_height
    x1, y1, x2, y2 = detection.x1 * sx, detection.y1 * sy, detection.x2 * sx, detection.y2 * sy
    mx, my = (x2 - x1) * CROP_MARGIN, (y2 - y1) * CROP_MARGIN
    left, top = max(0, int(x1 - mx)), max(0, int(y1 - my))
    crop = image[top : max(0, int(y2 + my) + 1), left : max(0, int(x2 + mx) + 1)]
    if crop.size == 0:
        raise FrameNotAvailableError("This person's box lies outside the picture.")
    factor = look.factor(crop.shape[1], crop.shape[0])
    if factor < 1:
        crop = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return encoded(crop, look=look, index=stored.index, captured_at=stored.captured_at)


def _latest(task: ProcessingTask) -> int:
    if task.mode == ProcessingTask.Mode.LIVE:
        return max(0, last_instant(task.pk))
    last = Batch.objects.filter(task=task).order_by("-number").values_list("number", flat=True).first()
    return 0 if last is None else batch_instants(task, last)[-1]
