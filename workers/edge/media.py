"""Pictures for people: stored frames, single frames of recordings, previews."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from workers.batch_work import BatchFrame
from workers.jpeg import Jpeg
from workers.perceive import encode_jpeg, frames_at
from workers.sources import Source, open_source
from workers.types import EngineError, SourceFrame

if TYPE_CHECKING:
    from tracking.frames import StoredFrame

log = logging.getLogger(__name__)

FULL_QUALITY = 88
FULL_WIDTH = 3840


def stored_frame(frame: BatchFrame, *, width: int, quality: int) -> StoredFrame:
    """The frame as the frame store keeps it.

    Args:
        width, quality: of the JPEG, at most.
    """
    from tracking.frames import StoredFrame

    jpeg, (w, h) = encode_jpeg(frame.image, width=width, quality=quality)
    return StoredFrame(frame.instant, frame.index, frame.captured_at, w, h, jpeg)


def stored_live_frame(frame: SourceFrame, instant: int, *, width: int, quality: int) -> StoredFrame:
    """The same of a live camera; what it sent as JPEG is taken as it is where that is not too wide.

    Raises:
        DamagedJpegError: it is too wide, and cannot be decoded.
    """
    from tracking.frames import StoredFrame

    picture = frame.picture
    if isinstance(picture, Jpeg) and picture.size[0] <= width:
        return StoredFrame(instant, frame.index, frame.time_s, *picture.size, picture.data)
    whole = BatchFrame(instant, frame.index, frame.time_s, frame.image)
    return stored_frame(whole, width=width, quality=quality)


def frame_at(task_id: str, camera: str, instant: int) -> StoredFrame | None:
    """A task's frame from the frame store, else decoded and not kept there; None when there is none."""
    return decode_frame(task_id, camera, instant, keep=False)


def decode_frame(task_id: str, camera: str, instant: int, *, keep: bool = True) -> StoredFrame | None:
    """A recorded task's frame at full size, put into the frame store if wanted; None when there is none."""
    from tracking import frames

    # somebody else's wish may have been met while this one waited
    kept = frames.get(task_id=task_id, camera=camera, instant=instant)
    return kept or next(iter(decode_frames(task_id, camera, [instant], keep=keep)), None)


def decode_frames(
    task_id: str, camera: str, instants: Sequence[int], *, keep: bool = True
) -> list[StoredFrame]:
    """A recorded task's frames at full size, those that there are, put into the frame store if wanted."""
    from tracking import frames
    from tracking.models import ProcessingTask
    from tracking.planning import batch_message

    task = ProcessingTask.objects.filter(pk=task_id, mode=ProcessingTask.Mode.RECORDED).first()
    if task is None or "detector" not in task.choices:
        return []
    message = batch_message(task, 0, camera, instants)
    decoded = []
    for segment in message["segments"]:
        try:
            source = _source(segment["uri"], segment["fps"], os.getpid())
            for nth, found in frames_at(source, segment["times_s"], message["tolerance_s"]):
                captured_s = segment["started_at"] + found.time_s
                frame = BatchFrame(segment["instants"][nth], found.index, captured_s, found.image)
                kept = stored_frame(frame, width=FULL_WIDTH, quality=FULL_QUALITY)
                if keep:
                    frames.put(task_id=task_id, camera=camera, frame=kept)
                decoded.append(kept)
        except EngineError as error:
            log.warning("instants from %d of camera %s: %s", instants[0], camera, error)
    return decoded


def tell_look(name: str, box_px: list[float], embedder: str) -> None:
    """Embed the person in a picture that somebody waits for, and answer."""
    from tracking import looks
    from workers.tasks import perceiver

    data = looks.picture_take(name)
    if data is None:
        return
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    try:
        (vector,) = perceiver().embed(embedder, image, np.array([box_px]))
    except EngineError as error:
        log.warning("a picture cannot be described by %s: %s", embedder, error)
        vector = None
    looks.look_reply(name=name, vector=vector)


def probe(recording_id: str) -> None:
    """Find out what a recording is and tell the environments; unreadable ones are marked with the reason."""
    from django.core.files.base import ContentFile

    from environments.models import Recording
    from environments.services import recording_failed, recording_probed
    from workers.tasks import source_policy

    recording = Recording.objects.select_related("camera").filter(pk=recording_id).first()
    if recording is None:
        return
    try:
        with open_source(recording.uri, policy=source_policy(), fps=recording.fps) as source:
            info = source.info
            first = source.frame_at(min(1.0, (info.duration_s or 0.0) / 2))
            problems = [vars(p) for p in source.problems]
    except EngineError as error:
        recording_failed(recording_id=recording_id, error=str(error))
        return
    if info.duration_s is None:
        recording_failed(
            recording_id=recording_id, error="This is a live source; give it to the camera as live address."
        )
        return
    recording_probed(
        recording_id=recording_id,
        duration_s=info.duration_s,
        fps=info.fps,
        frame_count=info.frame_count,
        image_size=info.image_size,
        problems=problems,
    )
    if not recording.camera.preview:
        jpeg, _ = encode_jpeg(first.image, width=640, quality=80)
        recording.camera.preview.save(f"{recording.camera.slug}.jpg", ContentFile(jpeg), save=True)


@lru_cache(maxsize=8)
def _source(uri: str, fps: float | None, process: int) -> Source:
    """Open files of this process, so that neighbouring frames are decoded in one go."""
    from workers.tasks import source_policy

    return open_source(uri, policy=source_policy(), fps=fps)
