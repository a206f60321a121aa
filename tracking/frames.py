"""The frame store: short-lived JPEGs in Redis, bounded in number, shared by all viewers.

Live frames are put there by `ingest`; frames of recordings by perception while somebody watches, and on
demand by a media worker. The web processes never decode video.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
from celery import current_app
from django.conf import settings

from environments.redis import redis_client
from tracking.bounded import BoundedStore
from tracking.errors import MediaTimeoutError

log = logging.getLogger(__name__)

FETCH_TASK, PREFETCH_TASK = "workers.fetch_frame", "workers.prefetch_frames"
# far below the life of a frame
PREFETCHED_SECONDS = 15
# a camera's latest frames that are kept; older ones go first, whatever their age
FRAMES_PER_CAMERA = 100
WATCH_SECONDS = 10
FETCH_TIMEOUT_SECONDS = 8


@dataclass(frozen=True)
class StoredFrame:
    """An encoded frame.

    Attributes:
        instant: number of the synchronised instant within the task.
        index: presentation index in the source; captured_at: UNIX seconds.
        width, height: of this JPEG, pixels.
    """

    instant: int
    index: int
    captured_at: float
    width: int
    height: int
    jpeg: bytes

    def to_bytes(self) -> bytes:
        return msgpack.packb(vars(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> StoredFrame:
        return cls(**msgpack.unpackb(data))


def frame_key(task_id: Any, camera: str, instant: int) -> str:
    return f"spoton:frame:{task_id}:{camera}:{instant}"


def ring_key(task_id: Any, camera: str) -> str:
    """Sorted set of the keys of a camera's frames, by the time they came."""
    return f"spoton:ring:{task_id}:{camera}"


_STORE = BoundedStore("spoton:frames", "spoton:frame-sizes", FRAMES_PER_CAMERA, "frames")


def put(*, task_id: Any, camera: str, frame: StoredFrame) -> None:
    """Keep a frame for the configured time; what falls out of the camera's ring is deleted."""
    put_all(task_id=task_id, frames=[(camera, frame)])


def put_all(*, task_id: Any, frames: Sequence[tuple[str, StoredFrame]]) -> None:
    """Keep frames of several cameras, in one round trip; beyond the store's size the oldest of all give way.

    Failing here, because Redis is away or full, loses pictures, never a batch.
    """
    env = settings.ENV
    entries = [
        (frame_key(task_id, camera, frame.instant), ring_key(task_id, camera), frame.to_bytes())
        for camera, frame in frames
    ]
    _STORE.put(entries, life_s=env.frame_ttl_seconds, most_bytes=env.frame_store_mb * 2**20)


def size_bytes() -> int:
    """Memory that frames take, without what Redis adds."""
    return _STORE.size_bytes()


def clear(*, keep: Collection[Any] = ()) -> int:
    """Forget all frames but those of some tasks; how many."""
    kept = {str(task_id) for task_id in keep}
    keys = [key for key in _STORE.kept() if key.decode().split(":")[2] not in kept]
    _STORE.forget(keys)
    return len(keys)


def get(*, task_id: Any, camera: str, instant: int) -> StoredFrame | None:
    data = redis_client().get(frame_key(task_id, camera, instant))
    return StoredFrame.from_bytes(data) if data else None


def get_many(*, task_id: Any, camera: str, instants: list[int]) -> list[StoredFrame]:
    """Those that are there, in the order asked for."""
    if not instants:
        return []
    values = redis_client().mget([frame_key(task_id, camera, i) for i in instants])
    return [StoredFrame.from_bytes(value) for value in values if value]


def fetch(*, task_id: Any, camera: str, instant: int) -> StoredFrame | None:
    """From the store, or decoded on demand by a media worker. Waits some seconds at most.

    Returns:
        None when the camera has no frame at this instant, or none any more.

    Raises:
        MediaTimeoutError: no worker answered in time.
    """
    frame = get(task_id=task_id, camera=camera, instant=instant)
    if frame is not None:
        return frame
    reply = f"spoton:reply:{uuid.uuid4().hex}"
    current_app.send_task(FETCH_TASK, args=[str(task_id), camera, instant, reply], queue="media", expires=10)
    answer = redis_client().blpop([reply], timeout=FETCH_TIMEOUT_SECONDS)
    if answer is None:
        log.warning("no media worker delivered instant %d of camera %s in time", instant, camera)
        raise MediaTimeoutError("No worker delivered the picture in time; try again in a moment.")
    return StoredFrame.from_bytes(answer[1]) if answer[1] else None


def prefetch(*, task_id: Any, cameras: Sequence[str], first: int, end: int) -> None:
    """Have the recorded frames of the instants [first, end) decoded into the store; asked for once in a while only."""
    client = redis_client()
    for camera in cameras:
        if client.set(f"spoton:prefetch:{task_id}:{camera}:{first}", 1, ex=PREFETCHED_SECONDS, nx=True):
            arguments = [str(task_id), camera, first, end]
            current_app.send_task(PREFETCH_TASK, args=arguments, queue="media", expires=10)


def reply(*, reply_to: str, frame: StoredFrame | None) -> None:
    """A media worker's answer to `fetch`."""
    pipeline = redis_client().pipeline()
    pipeline.rpush(reply_to, frame.to_bytes() if frame else b"")
    pipeline.expire(reply_to, FETCH_TIMEOUT_SECONDS)
    pipeline.execute()


def watched_key(task_id: Any) -> str:
    """Set, for WATCH_SECONDS, by those who look at the task: perception then puts its frames here."""
    return f"spoton:watched:{task_id}"


def is_watched(task_id: Any) -> bool:
    return bool(redis_client().exists(watched_key(task_id)))
