"""Real sockets for tests: real consumers, real Redis, real notices."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator

from tracking import frames
from tracking.commit import commit_ready_batches
from tracking.models import ProcessingTask
from tracking.routing import websocket_urlpatterns
from tracking.tests.factories import START, perceived, walk

# waited in full only where something is broken; a busy machine may stand still for seconds
PATIENCE_S = 30.0


@asynccontextmanager
async def socket(kind: str, task_id: Any, user: Any, **scope: Any):
    """An accepted socket of this user; `scope` as the middleware would add to it."""
    communicator = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/{kind}/{task_id}")
    communicator.scope.update(user=user, **scope)
    connected, _ = await communicator.connect(timeout=PATIENCE_S)
    assert connected
    try:
        yield communicator
    finally:
        # also when a test fails: a socket left open keeps the event loop from ending
        await communicator.disconnect()


@asynccontextmanager
async def watching(task: ProcessingTask, user: Any):
    """A socket for pictures as they lie in the store; from here on it hears of every batch."""
    async with socket("frames", task.pk, user) as viewing:
        assert (await message(viewing))["type"] == "subscribed"
        await viewing.send_json_to({"type": "subscribe", "quality": "full"})
        assert (await message(viewing))["quality"] == "full"
        yield viewing


async def acknowledge(communicator, seq: int) -> None:
    """Requests are answered beside the batches: what is asked next has its answer after this."""
    await communicator.send_json_to({"type": "ack", "seq": seq})
    await communicator.send_json_to({"type": "ping"})
    assert await message(communicator) == {"type": "pong"}


async def message(communicator) -> dict[str, Any]:
    return await communicator.receive_json_from(timeout=PATIENCE_S)


async def closed_with(communicator) -> int:
    """The close code; what comes before it is left out."""
    while (event := await communicator.receive_output(timeout=PATIENCE_S))["type"] != "websocket.close":
        pass
    return event["code"]


@sync_to_async
def commit(task: ProcessingTask, *numbers: int, pictures: bool = False) -> None:
    """These batches are perceived, associated and recorded."""
    if pictures:
        for instant in range(10 * numbers[0], 10 * (numbers[-1] + 1)):
            for camera in task.cameras:
                put(task, camera, instant)
    perceived(task, *numbers)
    done = commit_ready_batches(task_id=str(task.pk), associate=walk, most=len(numbers))
    assert done == len(numbers)


def put(task, camera, instant):
    at = (START + timedelta(seconds=instant / 10)).timestamp()
    picture = f"\xff\xd8 {camera} {instant}".encode("latin-1")
    frames.put(
        task_id=task.pk, camera=camera, frame=frames.StoredFrame(instant, instant, at, 640, 360, picture)
    )


async def picture(communicator) -> tuple[dict[str, Any], bytes]:
    """(header, image) of the next binary message."""
    data = await communicator.receive_from(timeout=PATIENCE_S)
    assert isinstance(data, bytes)
    length = int.from_bytes(data[:4], "big")
    return json.loads(data[4 : 4 + length]), data[4 + length :]
