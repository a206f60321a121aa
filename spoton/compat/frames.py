"""Coordinates and pictures as the old client draws them: boxes in 1920 by 1080, pictures of that shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from django.http import HttpRequest, StreamingHttpResponse

from tracking import mjpeg
from tracking.models import ProcessingTask
from tracking.overlay_scene import camera_entry
from tracking.picture_threads import in_picture_thread
from tracking.rendering import Rendered, require_camera
from tracking.selectors import task_get
from tracking.sockets.instants import Instant

WIDTH, HEIGHT = 1920, 1080
MOST_RATE = 15.0
PICTURE_WIDTH = 1280
QUALITY = 80


def placed(box_px: Sequence[float], image_size: Sequence[int]) -> list[float]:
    """A box of the camera's image in the client's space: scaled to fit, in the middle of it."""
    scale = min(WIDTH / image_size[0], HEIGHT / image_size[1])
    dx, dy = (WIDTH - scale * image_size[0]) / 2, (HEIGHT - scale * image_size[1]) / 2
    x1, y1, x2, y2 = box_px
    return [round(v, 2) for v in (x1 * scale + dx, y1 * scale + dy, x2 * scale + dx, y2 * scale + dy)]


def letterboxed(jpeg: bytes) -> bytes:
    """The picture in the client's shape, black where it ends; as it is when it has that shape."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    h, w = image.shape[:2]
    width, height = max(w, round(h * WIDTH / HEIGHT)), max(h, round(w * HEIGHT / WIDTH))
    if (width, height) == (w, h):
        return jpeg
    left, top = (width - w) // 2, (height - h) // 2
    border = cv2.copyMakeBorder(image, top, height - h - top, left, width - w - left, cv2.BORDER_CONSTANT)
    return cv2.imencode(".jpg", border, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


class ClientStream(mjpeg.Stream):
    """Pictures of the client's shape; the client draws the boxes itself."""

    async def _render(self, shown: Instant | None) -> Rendered | None:
        picture = await super()._render(shown)
        if picture is None:
            return None
        data = await in_picture_thread(lambda: letterboxed(picture.data))
        return Rendered.of(
            data, "image/jpeg", (picture.width, picture.height), picture.index, picture.captured_at
        )


def stream(user: Any, request: HttpRequest, task_id: Any, camera_id: str) -> StreamingHttpResponse:
    """Motion JPEG of one camera."""
    task: ProcessingTask = task_get(user=user, task_id=task_id)
    require_camera(task, camera_id)
    image_width = camera_entry(task, camera_id)["image_size"][0]
    parts = ClientStream(
        user=user,
        # there is no session that could end; whether the client's user may still see it is asked anyway
        signed_in=lambda: True,
        task=task,
        camera=camera_id,
        max_rate=MOST_RATE,
        overlay=False,
        width=min(PICTURE_WIDTH, image_width),
        quality=QUALITY,
    ).parts()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(parts, content_type=mjpeg.CONTENT_TYPE, headers=headers)
