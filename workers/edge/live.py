"""Frames of live batches: from the frame store, where `ingest` has put them."""

from __future__ import annotations

import cv2
import numpy as np

from tracking import frames
from tracking.redis import redis_client
from workers.batch_work import BatchFrame
from workers.batches import FrameBatch
from workers.detection import needs_background


def background_key(task_id: str, camera: str) -> str:
    """Where `ingest` keeps the background it learned of a live camera."""
    return f"spoton:live-background:{task_id}:{camera}"


def live_frames(batch: FrameBatch) -> tuple[list[BatchFrame], bytes | None]:
    """The batch's frames that are still in the store, and the camera's background, None while it is learned."""
    background = redis_client().get(background_key(batch.task_id, batch.camera))
    if background is None and needs_background(batch.detector):
        # not learned yet, or lost: nothing can be found in these frames, the next ones may do
        return [], None
    stored = frames.get_many(task_id=batch.task_id, camera=batch.camera, instants=list(batch.instants))
    found = [
        BatchFrame(
            frame.instant,
            frame.index,
            frame.captured_at,
            cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR),
        )
        for frame in stored
    ]
    return found, background
