"""How a picture looks to an embedder: a media worker tells, since the web processes load no models."""

from __future__ import annotations

import uuid

import msgpack
import numpy as np
from celery import current_app

from environments.redis import redis_client
from tracking.errors import EmbedderNotAvailableError, MediaTimeoutError

EMBED_TASK = "workers.embed_picture"
# A tenth of a second is enough for a worker that has its network loaded. One that loads it first may be too late for
# the first picture. Below the timeout of connections to Redis, which is 10 s.
TIMEOUT_SECONDS = 8


def look_of(*, picture: bytes, box_px: tuple[float, float, float, float], embedder: str) -> np.ndarray:
    """(d,) the appearance of the person in a box of an encoded picture. Waits some seconds at most.

    Raises:
        EmbedderNotAvailableError: the worker cannot run this embedder.
        MediaTimeoutError: no worker answered in time.
    """
    name, client = uuid.uuid4().hex, redis_client()
    client.set(_picture_key(name), picture, ex=TIMEOUT_SECONDS)
    arguments = [name, list(box_px), embedder]
    current_app.send_task(EMBED_TASK, args=arguments, queue="media", expires=TIMEOUT_SECONDS)
    answer = client.blpop([_reply_key(name)], timeout=TIMEOUT_SECONDS)
    if answer is None:
        raise MediaTimeoutError("No worker looked at the picture in time; try again in a moment.")
    vector = msgpack.unpackb(answer[1])
    if vector is None:
        raise EmbedderNotAvailableError(
            "The network that described this environment's persons cannot be run now; its file or library may be "
            "missing on the media worker. Its log tells more."
        )
    return np.frombuffer(vector, np.float32)


def picture_take(name: str) -> bytes | None:
    """The picture that is to be looked at; None when nobody waits for that any more."""
    return redis_client().getdel(_picture_key(name))


def look_reply(*, name: str, vector: np.ndarray | None) -> None:
    """A worker's answer to `look_of`; None: it cannot run the embedder."""
    data = None if vector is None else np.asarray(vector, np.float32).tobytes()
    pipeline = redis_client().pipeline()
    pipeline.rpush(_reply_key(name), msgpack.packb(data))
    pipeline.expire(_reply_key(name), TIMEOUT_SECONDS)
    pipeline.execute()


def _picture_key(name: str) -> str:
    return f"spoton:picture:{name}"


def _reply_key(name: str) -> str:
    return f"spoton:look:{name}"
