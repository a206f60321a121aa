"""Pictures for `<img crossOrigin>`, through the ASGI application."""

from __future__ import annotations

from contextlib import asynccontextmanager

import cv2
import numpy as np
import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.db import connections

from spoton.compat.tests.conftest import ORIGIN
from tracking import mjpeg
from tracking.services import task_stop
from tracking.steering import task_pause
from tracking.tests.socket_client import PATIENCE_S
from tracking.tests.test_mjpeg import Viewer, commit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_own_connections")]


@pytest.fixture(autouse=True)
def _connections_end_with_requests(monkeypatch):
    """Every request has a thread of its own, whose connection would keep the test database busy."""
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)


@asynccontextmanager
async def stream(task, camera="c01", query=""):
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": f"/api/v1/stream/{task.pk}/{camera}",
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost"), (b"origin", ORIGIN.encode())],
    }
    communicator = ApplicationCommunicator(get_asgi_application(), scope)
    await communicator.send_input({"type": "http.request"})
    try:
        yield Viewer(communicator)
    finally:
        await communicator.send_input({"type": "http.disconnect"})
        await communicator.wait(timeout=PATIENCE_S)


def image(part):
    return cv2.imdecode(np.frombuffer(part, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize("query", ["", "t=1795899676628"])
async def test_two_parts_at_once_then_what_follows(web, task, query):
    await commit(task, 0)
    async with stream(task, query=query) as seen:
        status, headers = await seen.start()
        assert (status, headers["Content-Type"]) == (200, "multipart/x-mixed-replace; boundary=frame")
        assert headers["access-control-allow-origin"] == ORIGIN
        first = await seen.part()
        assert await seen.part() == first
        # nothing is drawn: the client does that itself
        picture = image(first)
        assert picture.shape == (360, 640, 3)
        assert picture.max() - picture.min() < 8
        await commit(task, 1)
        assert await seen.number() == 10


async def test_the_last_picture_comes_again_while_the_task_is_paused(web, task, operator, monkeypatch):
    monkeypatch.setattr(mjpeg, "REPAINT_S", 0.1)
    await commit(task, 0)
    async with stream(task) as seen:
        await seen.start()
        await sync_to_async(task_pause)(user=operator, task=task)
        assert [await seen.number() for _ in range(6)] == [9] * 6


async def test_pictures_of_another_shape_become_16_to_9(web, task, monkeypatch):
    from tracking import frames
    from tracking.tests.factories import START

    def put(instant):
        jpeg = cv2.imencode(".jpg", np.full((480, 640, 3), 200, np.uint8))[1].tobytes()
        at = START.timestamp() + instant / 10
        for camera in task.cameras:
            kept = frames.StoredFrame(instant, instant, at, 640, 480, jpeg)
            frames.put(task_id=task.pk, camera=camera, frame=kept)

    from tracking.tests import test_mjpeg

    monkeypatch.setattr(test_mjpeg, "put", lambda task, instant: put(instant))
    await commit(task, 0)
    async with stream(task) as seen:
        await seen.start()
        picture = image(await seen.part())
        assert picture.shape == (480, 853, 3)
        assert picture[240, 426].min() > 190
        assert picture[240, 10].max() < 10


async def test_it_ends_with_the_task(web, task, operator):
    await commit(task, 0)
    async with stream(task) as seen:
        await seen.start()
        await seen.part()
        await sync_to_async(task_stop)(user=operator, task=task)
        assert (await seen.everything()).endswith(b"--frame--\r\n")


async def test_it_ends_when_the_environment_is_not_open_any_more(web, task, anyone, monkeypatch):
    monkeypatch.setattr(mjpeg, "RECHECK_S", 0.1)
    monkeypatch.setattr(mjpeg, "REPAINT_S", 0.1)
    await commit(task, 0)
    async with stream(task) as seen:
        await seen.start()
        await seen.part()
        await anyone.memberships.all().adelete()
        assert (await seen.everything()).endswith(b"--frame--\r\n")


async def test_unknown_cameras_are_told_in_the_clients_words(web, task):
    async with stream(task, camera="c99") as seen:
        status, headers = await seen.start()
        assert (status, headers["access-control-allow-origin"]) == (404, ORIGIN)
        assert b'{"message": ' in await seen.everything()
