"""Pictures over REST: frames with and without overlays, and crops of persons."""

from __future__ import annotations

import hashlib
from datetime import datetime

import cv2
import numpy as np

from environments.errors import CameraNotFoundError
from tracking import frames
from tracking.errors import FrameNotAvailableError
from tracking.messages import isoformat
from tracking.models import Batch, Detection, Person, ProcessingTask
from tracking.overlay import LabelledBox, draw_boxes
from tracking.planning import batch_instants, instant_at, instant_count
from tracking.selectors import best_detection

# room around a person in a crop, as a share of the box
CROP_MARGIN = 0.12


def frame_image(
    *, task: ProcessingTask, camera: str, at: datetime | None
) -> tuple[frames.StoredFrame, np.ndarray]:
    """A frame of the task and its pixels (uint8 BGR); without a time the last processed one.

    Raises:
        CameraNotFoundError: the camera is not part of the task.
        FrameNotAvailableError: outside the task, or the camera has no frame then.
        MediaTimeoutError: no worker delivered it in time.
    """
    if camera not in task.cameras:
        raise CameraNotFoundError(f"This task has no camera {camera}; it has {', '.join(task.cameras)}.")
    instant = _instant(task, at)
    stored = frames.fetch(task_id=task.pk, camera=camera, instant=instant)
    if stored is None:
        if task.mode == ProcessingTask.Mode.LIVE:
            raise FrameNotAvailableError("Live pictures are kept for a short time only; this one is gone.")
        raise FrameNotAvailableError(f"Camera {camera} has no picture at this time.")
    return stored, cv2.imdecode(np.frombuffer(stored.jpeg, np.uint8), cv2.IMREAD_COLOR)


def overlay_frame(
    *, task: ProcessingTask, camera: str, stored: frames.StoredFrame, image: np.ndarray
) -> None:
    """Draw the persons recorded at the frame's instant, in place."""
    entry = next(c for c in task.plan["cameras"] if c["camera"] == camera)
    scale = np.array([stored.width / entry["image_size"][0], stored.height / entry["image_size"][1]] * 2)
    rows = Detection.objects.filter(task=task, camera_id=entry["camera_id"], instant=stored.instant)
    draw_boxes(
        image,
        [LabelledBox(d.person_id, tuple(np.array([d.x1, d.y1, d.x2, d.y2]) * scale)) for d in rows],
    )


def encode(
    image: np.ndarray, *, width: int | None, height: int | None, quality: int, format: str
) -> tuple[bytes, str]:
    """The picture, shrunk to fit `width` and `height` (pixels), and its content type."""
    h, w = image.shape[:2]
    factor = min(1.0, (width or w) / w, (height or h) / h)
    if factor < 1:
        size = (max(1, round(w * factor)), max(1, round(h * factor)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    flag = cv2.IMWRITE_WEBP_QUALITY if format == "webp" else cv2.IMWRITE_JPEG_QUALITY
    _, data = cv2.imencode(f".{format}", image, [flag, quality])
    return data.tobytes(), f"image/{format}"


def person_crop(*, person: Person, camera: str | None, at: datetime | None) -> bytes:
    """A JPEG of the person: the best there is, or the one nearest to a time.

    Raises:
        FrameNotAvailableError: the person was never seen there, or the picture is gone.
        MediaTimeoutError: no worker delivered the picture in time.
    """
    detection = best_detection(person=person, camera=camera, at=at)
    if detection is None:
        raise FrameNotAvailableError("This person was never seen by that camera.")
    stored = frames.fetch(task_id=detection.task_id, camera=detection.camera.slug, instant=detection.instant)
    if stored is None:
        raise FrameNotAvailableError("The picture of this person is not available any more.")
    image = cv2.imdecode(np.frombuffer(stored.jpeg, np.uint8), cv2.IMREAD_COLOR)
    sx = stored.width / detection.camera.image_width
    sy = stored.height / detection.camera.image_height
    x1, y1, x2, y2 = detection.x1 * sx, detection.y1 * sy, detection.x2 * sx, detection.y2 * sy
    mx, my = (x2 - x1) * CROP_MARGIN, (y2 - y1) * CROP_MARGIN
    left, top = max(0, int(x1 - mx)), max(0, int(y1 - my))
    crop = image[top : int(y2 + my) + 1, left : int(x2 + mx) + 1]
    if crop.size == 0:
        raise FrameNotAvailableError("This person's box lies outside the picture.")
    return cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def etag_of(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def _instant(task: ProcessingTask, at: datetime | None) -> int:
    if at is None:
        if task.mode == ProcessingTask.Mode.LIVE:
            latest = (
                Detection.objects.filter(task=task).order_by("-instant").values_list("instant", flat=True)
            )
            return latest.first() or 0
        last = Batch.objects.filter(task=task).order_by("-number").values_list("number", flat=True).first()
        return 0 if last is None else batch_instants(task, last)[-1]
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
