"""Encoded pictures, shared by all viewers: REST, streams and sockets ask here and nowhere else.

Of all who want the same picture at the same time, one draws and encodes it (`tracking.single_flight`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self
from uuid import UUID

import cv2
import msgpack
import numpy as np

from environments.errors import CameraNotFoundError
from tracking import frames, overlay_scene
from tracking.errors import FrameNotAvailableError
from tracking.models import ProcessingTask
from tracking.overlay import LabelledBox, blur_part, draw
from tracking.overlay_style import OverlayStyle
from tracking.single_flight import made_once

Format = Literal["jpeg", "webp"]
QUALITY = 80


@dataclass(frozen=True)
class Look:
    """How a picture is to look.

    Attributes:
        style: None: as it was captured, nothing drawn.
        width, height: pixels it must fit into, keeping its shape; it is never enlarged.
        quality: 10 to 95; None: 80, or, where nothing is drawn on or shrunk, the camera's own JPEG untouched.
    """

    style: OverlayStyle | None = None
    width: int | None = None
    height: int | None = None
    quality: int | None = None
    format: Format = "jpeg"

    @property
    def key(self) -> str:
        """The same text for the same look, for caches."""
        style = self.style.key if self.style else "raw"
        return f"{style} {self.width}x{self.height} q{self.quality} {self.format}"

    @property
    def untouched(self) -> bool:
        """Whether nothing is drawn and nothing encoded anew, however large the picture is."""
        return self == Look()

    def factor(self, width: int, height: int) -> float:
        """By how much a picture of this size is shrunk: 1 or less."""
        return min(1.0, (self.width or width) / width, (self.height or height) / height)


@dataclass(frozen=True)
class Rendered:
    """An encoded picture.

    Attributes:
        width, height: pixels.
        index: presentation index of the frame in its source.
        captured_at: UNIX seconds.
        etag: in quotes, a pure function of the bytes.
    """

    data: bytes
    content_type: str
    width: int
    height: int
    index: int
    captured_at: float
    etag: str

    @classmethod
    def of(
        cls, data: bytes, content_type: str, size: tuple[int, int], index: int, captured_at: float
    ) -> Self:
        etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        return cls(data, content_type, *size, index, captured_at, etag)


def rendered(
    *,
    task: ProcessingTask,
    camera: str,
    instant: int,
    look: Look,
    focus: UUID | None = None,
    boxes: Sequence[LabelledBox] | None = None,
) -> Rendered:
    """One camera's picture at one instant. Blocks: for milliseconds, or for seconds while a worker decodes it.

    Args:
        boxes: in pixels of the camera's image; None: those recorded.

    Raises:
        CameraNotFoundError: the camera is not part of the task.
        FrameNotAvailableError: the camera has no frame then, or none any more.
        MediaTimeoutError: no worker delivered it in time.
    """
    require_camera(task, camera)
    if look.untouched:
        return as_stored(stored_frame(task=task, camera=camera, instant=instant))
    if boxes is None:
        boxes = boxes_for(look.style, task=task, camera=camera, instant=instant)
    # who is drawn where is part of the name: after a merge, a split or a late row it is another picture
    drawn = [(str(box.person), *map(float, box.box_px)) for box in boxes or ()] if look.style else []

    def make() -> Rendered:
        stored = stored_frame(task=task, camera=camera, instant=instant)
        if look.style is None and _needs_nothing(look, stored):
            return as_stored(stored)
        image = drawn_frame(task=task, camera=camera, stored=stored, look=look, focus=focus, boxes=boxes)
        return encoded(image, look=look, index=stored.index, captured_at=stored.captured_at)

    return shared(("frame", task.pk, camera, instant, look.key, focus, boxes is None, drawn), make)


def drawn_frame(
    *,
    task: ProcessingTask,
    camera: str,
    stored: frames.StoredFrame,
    look: Look,
    focus: UUID | None,
    boxes: Sequence[LabelledBox] | None,
) -> np.ndarray:
    """The pixels (uint8 BGR) of a frame, shrunk and drawn on as `look` says.

    Args:
        boxes: as `boxes_for` gives them.
    """
    image = decoded(stored, look)
    if look.style is None:
        return image
    if boxes is None:
        blur_part(image)
        boxes = ()
    size = (image.shape[1], image.shape[0])
    scene = overlay_scene.scene_of(
        task=task,
        camera=camera,
        instant=stored.instant,
        boxes=boxes,
        size=size,
        style=look.style,
        focus=focus,
    )
    draw(image, scene, look.style)
    return image


def boxes_for(
    style: OverlayStyle | None, *, task: ProcessingTask, camera: str, instant: int
) -> list[LabelledBox] | None:
    """The recorded boxes; None where somebody must be hidden and it is not known yet who is there."""
    if style is None:
        return []
    boxes = overlay_scene.boxes_at(task=task, camera=camera, instant=instant)
    if style.blur != "nobody" and not boxes and not overlay_scene.was_processed(task, instant):
        return None
    return boxes


def require_camera(task: ProcessingTask, camera: str) -> None:
    """Raises CameraNotFoundError when the camera is not part of the task."""
    if camera not in task.cameras:
        raise CameraNotFoundError(f"This task has no camera {camera}; it has {', '.join(task.cameras)}.")


def stored_frame(*, task: ProcessingTask, camera: str, instant: int) -> frames.StoredFrame:
    """Raises FrameNotAvailableError and MediaTimeoutError as `rendered`."""
    stored = frames.fetch(task_id=task.pk, camera=camera, instant=instant)
    if stored is None:
        if task.mode == ProcessingTask.Mode.LIVE:
            raise FrameNotAvailableError("Live pictures are kept for a short time only; this one is gone.")
        raise FrameNotAvailableError(f"Camera {camera} has no picture at this time.")
    return stored


def decoded(stored: frames.StoredFrame, look: Look) -> np.ndarray:
    """The pixels (uint8 BGR), already shrunk: what is drawn afterwards stays sharp, and costs less."""
    factor = look.factor(stored.width, stored.height)
    # the JPEG decoder itself gives halves, quarters and eighths, in a part of the time
    reduced = next((n for n in (8, 4, 2) if factor * n <= 1), 1)
    flags = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4,
             8: cv2.IMREAD_REDUCED_COLOR_8}  # fmt: skip
    image = cv2.imdecode(np.frombuffer(stored.jpeg, np.uint8), flags[reduced])
    size = (max(1, round(stored.width * factor)), max(1, round(stored.height * factor)))
    if size != (image.shape[1], image.shape[0]):
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return image


def encoded(image: np.ndarray, *, look: Look, index: int, captured_at: float) -> Rendered:
    """The picture in the look's format and quality."""
    flag = cv2.IMWRITE_WEBP_QUALITY if look.format == "webp" else cv2.IMWRITE_JPEG_QUALITY
    _, data = cv2.imencode(f".{look.format}", image, [flag, look.quality or QUALITY])
    size = (image.shape[1], image.shape[0])
    return Rendered.of(data.tobytes(), f"image/{look.format}", size, index, captured_at)


def as_stored(stored: frames.StoredFrame) -> Rendered:
    size = (stored.width, stored.height)
    return Rendered.of(stored.jpeg, "image/jpeg", size, stored.index, stored.captured_at)


def shared(what: Any, make: Callable[[], Rendered]) -> Rendered:
    """`make`'s picture, or the one that somebody made of the same (`what`, anything with a text form) just now."""
    name = hashlib.sha256(repr(what).encode()).hexdigest()
    return Rendered(**msgpack.unpackb(made_once(name, lambda: msgpack.packb(vars(make())))))


def _needs_nothing(look: Look, stored: frames.StoredFrame) -> bool:
    return look.format == "jpeg" and look.quality is None and look.factor(stored.width, stored.height) == 1
