"""Small recordings of somebody in red who walks past a static camera, and batches that ask for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from workers.batches import FrameBatch, Segment

SIZE, FPS, FRAMES = (320, 180), 10, 40
STARTED_AT = 1_770_000_000.0


def person_box(number: int) -> tuple[float, float, float, float]:
    """xyxy of the walker in frame `number`."""
    x = 20 + 5 * number
    return x - 9, 80, x + 9, 140


def image(number: int, *, empty: bool = False) -> np.ndarray:
    """uint8 BGR: paving, and the walker unless it is empty."""
    width, height = SIZE
    paving = np.random.default_rng(1).integers(70, 140, (height // 6, width // 8, 3)).astype(np.uint8)
    picture = cv2.resize(paving, SIZE)
    if not empty:
        left, top, right, bottom = person_box(number)
        picture[top : top + 12, left + 5 : right - 5] = (150, 180, 220)
        picture[top + 12 : top + 36, left:right] = (30, 30, 220)
        picture[top + 36 : bottom, left + 2 : right - 2] = (90, 30, 20)
    return picture


def record(
    path: Path,
    *,
    frames: int = FRAMES,
    empty: Callable[[int], bool] = lambda number: False,
    again_after: int | None = None,
) -> Path:
    """Four seconds; `empty` says which frames show nobody, and after so many the walker begins again."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = FPS
        stream.codec_context.thread_count = 1
        for number in range(frames):
            shown = image(number % (again_after or frames), empty=empty(number))
            frame = av.VideoFrame.from_ndarray(shown, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def segment(uri: Path | str, instants: Iterable[int], begins_at: int = 0) -> Segment:
    """These instants, in a recording whose first frame is instant `begins_at`."""
    chosen = tuple(instants)
    times_s = tuple((i - begins_at) / FPS for i in chosen)
    return Segment(str(uri), STARTED_AT + begins_at / FPS, FRAMES / FPS, chosen, times_s)


def batch(*segments: Segment, **values: Any) -> FrameBatch:
    """What perception is asked for: the motion detector and the descriptor, which need no weights."""
    usual = {
        "task_id": "task",
        "number": 0,
        "camera": "yard",
        "tolerance_s": 0.45 / FPS,
        "image_size": SIZE,
        "calibration": None,
        "detector": "motion",
        "embedder": "descriptor",
        "score_threshold": None,
        "queued_at": STARTED_AT,
    }
    return FrameBatch(segments=segments, **{**usual, **values})
