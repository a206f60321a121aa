"""One picture of several cameras at one instant: side by side, or one large and the others beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Literal
from uuid import UUID

import cv2
import numpy as np

from environments.models import Camera
from tracking import frames
from tracking.drawn_text import draw_tag, tag_size
from tracking.errors import FrameNotAvailableError, MediaTimeoutError
from tracking.models import ProcessingTask
from tracking.overlay import LabelledBox
from tracking.overlay_scene import camera_entry
from tracking.planning import instant_time
from tracking.rendering import Look, Rendered, boxes_for, drawn_frame, encoded, require_camera, shared

Layout = Literal["grid", "focus"]
# x, y, width, height in pixels
Tile = tuple[int, int, int, int]
WIDTH, LEAST_WIDTH = 1280, 320
_MOST_ROWS = 6
_BACKGROUND, _EMPTY, _TAG, _INK = (24, 20, 18), (74, 70, 68), (28, 24, 22), (235, 235, 235)
_FETCHERS = 8


def composed(
    *,
    task: ProcessingTask,
    instant: int,
    cameras: Sequence[str],
    layout: Layout,
    main: str | None,
    look: Look,
    focus: UUID | None,
) -> Rendered:
    """The cameras' pictures of one instant in one; those that have none are grey tiles that say so.

    Args:
        main: the large one of the focus layout; None: where the focused person is seen largest, else anybody.
        look: of the whole; its style is drawn on every camera.

    Raises:
        CameraNotFoundError: a camera is not part of the task.
        FrameNotAvailableError: none of them has a picture then.
        MediaTimeoutError: no worker delivered any of them in time.
    """
    for camera in (*cameras, *([main] if main else [])):
        require_camera(task, camera)
    boxes = {c: boxes_for(look.style, task=task, camera=c, instant=instant) for c in cameras}
    if layout == "focus":
        main = main or _largest(task, boxes, focus) or cameras[0]
        cameras = [main, *(camera for camera in cameras if camera != main)]
        if main not in boxes:
            boxes[main] = boxes_for(look.style, task=task, camera=main, instant=instant)
    shown = [(c, boxes[c] and [(str(b.person), *map(float, b.box_px)) for b in boxes[c]]) for c in cameras]
    what = ("composition", task.pk, instant, layout, look.key, focus, shown)
    return shared(what, lambda: _compose(task, instant, cameras, layout, look, focus, boxes))


def grid(count: int, width: int) -> tuple[list[Tile], tuple[int, int]]:
    """Tiles of 16:9 in rows, and the size of the whole. Any number of cameras fits from LEAST_WIDTH on."""
    gap, columns = _gap(width), math.ceil(math.sqrt(count))
    w = (width - gap * (columns - 1)) // columns
    h = w * 9 // 16
    tiles = [(i % columns * (w + gap), i // columns * (h + gap), w, h) for i in range(count)]
    return tiles, (width, -(-count // columns) * (h + gap) - gap)


def one_and_others(count: int, width: int) -> tuple[list[Tile], tuple[int, int]]:
    """A large tile of 16:9 and the others in columns to its right, and the size of the whole."""
    if count == 1:
        return grid(1, width)
    gap, others = _gap(width), count - 1
    large = (width - gap) * 3 // 4
    height = large * 9 // 16
    columns = math.ceil(others / _MOST_ROWS)
    rows = max(3, math.ceil(others / columns))
    w = (width - large - gap * columns) // columns
    h = (height - gap * (rows - 1)) // rows
    small = [(large + gap + i // rows * (w + gap), i % rows * (h + gap), w, h) for i in range(others)]
    return [(0, 0, large, height), *small], (width, height)


def _gap(width: int) -> int:
    return max(1, width // 320)


def _compose(
    task: ProcessingTask,
    instant: int,
    cameras: Sequence[str],
    layout: Layout,
    look: Look,
    focus: UUID | None,
    boxes: Mapping[str, Sequence[LabelledBox] | None],
) -> Rendered:
    place = grid if layout == "grid" else one_and_others
    tiles, size = place(len(cameras), look.width or WIDTH)
    if look.height and size[1] > look.height:
        tiles, size = place(len(cameras), max(LEAST_WIDTH, size[0] * look.height // size[1]))
    found, captured_at = _fetch_all(task, instant, cameras), []
    canvas = np.full((size[1], size[0], 3), _BACKGROUND, np.uint8)
    letters = max(6, round(12 * size[0] / WIDTH))
    names = _names(task)
    for camera, (x, y, w, h), stored in zip(cameras, tiles, found, strict=True):
        part = canvas[y : y + h, x : x + w]
        if stored is None:
            part[:] = _EMPTY
            _write_in_the_middle(part, "No picture", letters)
        else:
            captured_at.append(stored.captured_at)
            fitting = replace(look, width=w, height=h)
            image = drawn_frame(
                task=task, camera=camera, stored=stored, look=fitting, focus=focus, boxes=boxes[camera]
            )
            _fit(part, image)
        draw_tag(part, names[camera], (letters // 2, letters // 2), letters, _TAG, _INK)
    factor = replace(look, width=None).factor(*size)
    if factor < 1:
        canvas = cv2.resize(canvas, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    at = max(captured_at, default=instant_time(task, instant))
    return encoded(canvas, look=look, index=instant, captured_at=at)


def _fetch_all(task: ProcessingTask, instant: int, cameras: Sequence[str]) -> list[frames.StoredFrame | None]:
    """Side by side: where workers have to decode, the slowest camera counts, not all together."""

    def fetch(camera: str) -> frames.StoredFrame | MediaTimeoutError | None:
        try:
            return frames.fetch(task_id=task.pk, camera=camera, instant=instant)
        except MediaTimeoutError as error:
            return error

    with ThreadPoolExecutor(min(_FETCHERS, len(cameras))) as pool:
        found = list(pool.map(fetch, cameras))
    if not any(isinstance(one, frames.StoredFrame) for one in found):
        late = next((one for one in found if isinstance(one, MediaTimeoutError)), None)
        raise late or FrameNotAvailableError("None of these cameras has a picture at this time.")
    return [one if isinstance(one, frames.StoredFrame) else None for one in found]


def _largest(
    task: ProcessingTask, boxes: Mapping[str, Sequence[LabelledBox] | None], focus: UUID | None
) -> str | None:
    """The camera whose picture a person fills most: the focused one where they are seen, else anybody."""
    shares = []
    for camera, found in boxes.items():
        width, height = camera_entry(task, camera)["image_size"]
        for box in found or ():
            x1, y1, x2, y2 = box.box_px
            share = (x2 - x1) * (y2 - y1) / (width * height)
            shares.append((box.person == focus, share, camera))
    return max(shares, key=lambda one: one[:2])[2] if shares else None


def _names(task: ProcessingTask) -> dict[str, str]:
    ids = [entry["camera_id"] for entry in task.plan["cameras"]]
    known = dict(Camera.objects.filter(pk__in=ids).values_list("slug", "name"))
    return {c: f"{c}  {known[c]}" if known.get(c, c).lower() != c.lower() else c for c in task.cameras}


def _fit(part: np.ndarray, image: np.ndarray) -> None:
    """Into the middle of a tile, as large as it goes."""
    factor = min(part.shape[1] / image.shape[1], part.shape[0] / image.shape[0])
    if factor > 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    image = image[: part.shape[0], : part.shape[1]]
    y, x = (part.shape[0] - image.shape[0]) // 2, (part.shape[1] - image.shape[1]) // 2
    part[y : y + image.shape[0], x : x + image.shape[1]] = image


def _write_in_the_middle(part: np.ndarray, text: str, letters: int) -> None:
    width, height = tag_size(text, letters)
    at = ((part.shape[1] - width) // 2, (part.shape[0] - height) // 2)
    draw_tag(part, text, at, letters, _EMPTY, _INK)
