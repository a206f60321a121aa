"""Frames of live batches: from the frame store, where `ingest` has put them."""

from __future__ import annotations

import uuid
from contextlib import suppress

from environments.redis import redis_client
from tracking import frames
from workers.batch_work import BatchFrame, KnownBackground
from workers.batches import FrameBatch
from workers.detection import needs_background
from workers.jpeg import DamagedJpegError, Jpeg


class BackgroundStore:
    """Where `ingest` keeps the background it learned of a live camera, in Redis.

    It is large and changes rarely: perceive workers ask for its version with every frame, and for itself when that
    is a new one.
    """

    LIFE_S = 600

    def __init__(self, task_id: str, camera: str) -> None:
        self._key = f"spoton:background-of-live:{task_id}:{camera}"

    def put(self, data: bytes) -> None:
        pipeline = redis_client().pipeline()
        pipeline.hset(self._key, mapping={"version": uuid.uuid4().hex, "data": data})
        pipeline.expire(self._key, self.LIFE_S)
        pipeline.execute()

    def keep(self, data: bytes) -> None:
        """Tell it again, if it was lost."""
        if not redis_client().exists(self._key):
            self.put(data)

    def data(self) -> bytes | None:
        return redis_client().hget(self._key, "data")

    def known(self) -> KnownBackground | None:
        """None while it is learned."""
        version = redis_client().hget(self._key, "version")
        return KnownBackground(version.decode(), self.data) if version else None


def live_frames(batch: FrameBatch) -> tuple[list[BatchFrame], KnownBackground | None]:
    """The batch's frames that are still in the store, and the camera's background if the detector needs one."""
    background = None
    if needs_background(batch.detector):
        background = BackgroundStore(batch.task_id, batch.camera).known()
        if background is None:
            # not learned yet, or lost: nothing can be found in these frames, the next ones may do
            return [], None
    stored = frames.get_many(task_id=batch.task_id, camera=batch.camera, instants=list(batch.instants))
    found = []
    for frame in stored:
        # a camera's own JPEG, which nobody has looked at yet
        with suppress(DamagedJpegError):
            image = Jpeg(frame.jpeg).image
            found.append(BatchFrame(frame.instant, frame.index, frame.captured_at, image))
    return found, background
