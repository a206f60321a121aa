"""Motion JPEG through the ASGI application: real notices, real pictures."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import cv2
import numpy as np
import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.db import connection, connections

from environments.models import Membership
from environments.notices import channel_of
from environments.redis import redis_client
from environments.signed_urls import sign_url
from spoton.auth.sessions import session_begin, session_end
from tracking import frames, mjpeg
from tracking.commit import commit_ready_batches
from tracking.services import task_stop
from tracking.steering import task_pause
from tracking.tests.factories import START, perceived, person, walk
from tracking.tests.socket_client import PATIENCE_S

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_own_connections")]


@pytest.fixture(autouse=True)
def _connections_end_with_requests(monkeypatch):
    """Every request has a thread of its own, whose connection would keep the test database busy."""
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)


class Viewer:
    """Reads the answer as a browser does."""

    def __init__(self, communicator: ApplicationCommunicator) -> None:
        self.communicator, self.body, self.ended = communicator, b"", False

    async def start(self) -> tuple[int, dict[str, str]]:
        begin = await self.communicator.receive_output(timeout=PATIENCE_S)
        return begin["status"], {k.decode(): v.decode() for k, v in begin["headers"]}

    async def _more(self) -> None:
        event = await self.communicator.receive_output(timeout=PATIENCE_S)
        self.body += event.get("body", b"")
        self.ended = not event.get("more_body", False)

    async def everything(self) -> bytes:
        while not self.ended:
            await self._more()
        return self.body

    async def part(self) -> bytes:
        """The next picture; empty when the stream has ended."""
        head = re.compile(rb"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: (\d+)\r\n\r\n")
        while True:
            found = head.match(self.body)
            if found and len(self.body) >= found.end() + int(found[1]) + 2:
                end = found.end() + int(found[1])
                picture, self.body = self.body[found.end() : end], self.body[end + 2 :]
                return picture
            if self.ended:
                assert self.body == b"--frame--\r\n"
                return b""
            await self._more()

    async def number(self) -> int | None:
        """The instant that the next picture shows; None at the end."""
        part = await self.part()
        return shade_to_instant(part) if part else None


@asynccontextmanager
async def stream(task, user=None, camera="c01", query="", headers=()):
    path = f"/api/v1/media/frames/{task.pk}/{camera}/stream"
    if user is not None:
        query += "&" + (await sync_to_async(sign_url)(path, user))[0].partition("?")[2]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "query_string": query.strip("&").encode(),
        "headers": [(b"host", b"localhost"), *headers],
    }
    communicator = ApplicationCommunicator(get_asgi_application(), scope)
    await communicator.send_input({"type": "http.request"})
    try:
        yield Viewer(communicator)
    finally:
        await communicator.send_input({"type": "http.disconnect"})
        await communicator.wait(timeout=PATIENCE_S)


def put(task, instant):
    """A picture whose grey says which instant it is."""
    image = np.full((360, 640, 3), 5 + 4 * instant, np.uint8)
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    at = (START + timedelta(seconds=instant / 10)).timestamp()
    for camera in task.cameras:
        kept = frames.StoredFrame(instant, instant, at, 640, 360, jpeg)
        frames.put(task_id=task.pk, camera=camera, frame=kept)


def shade_to_instant(jpeg: bytes) -> int:
    return round((int(cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1)[-5, -5, 0]) - 5) / 4)


@sync_to_async
def commit(task: Any, *numbers: int) -> None:
    for instant in range(10 * numbers[0], 10 * (numbers[-1] + 1)):
        put(task, instant)
    perceived(task, *numbers)
    assert commit_ready_batches(task_id=str(task.pk), associate=walk, most=len(numbers)) == len(numbers)


async def listeners() -> int:
    return await sync_to_async(lambda: len(redis_client().pubsub_channels(channel_of("*"))))()


async def test_the_newest_pictures_follow_each_other(task, viewer):
    await commit(task, 0)
    async with stream(task, viewer, query="overlay=false&max_rate=30") as seen:
        status, headers = await seen.start()
        assert (status, headers["Content-Type"]) == (200, "multipart/x-mixed-replace; boundary=frame")
        assert headers["Cache-Control"] == "no-store"
        # the first one twice: browsers paint a part when the next one begins
        assert [await seen.number(), await seen.number()] == [9, 9]
        assert await sync_to_async(frames.is_watched)(task.pk)
        await commit(task, 1)
        assert [await seen.number() for _ in range(10)] == list(range(10, 20))


async def test_pictures_have_the_callers_overlay_unless_they_are_asked_for_without(task, viewer):
    await commit(task, 0)
    seen = {}
    for query in ("overlay=true", "overlay=false"):
        async with stream(task, viewer, query=f"{query}&width=320") as viewing:
            await viewing.start()
            seen[query] = cv2.imdecode(np.frombuffer(await viewing.part(), np.uint8), 1)
    drawn, raw = seen["overlay=true"], seen["overlay=false"]
    assert drawn.shape == raw.shape == (180, 320, 3)
    assert raw.max() - raw.min() < 8
    assert drawn.max() > 150


async def test_fewer_pictures_when_fewer_are_asked_for(task, viewer):
    await commit(task, 0)
    async with stream(task, viewer, query="overlay=false&max_rate=2") as seen:
        await seen.start()
        await seen.part()
        await seen.part()
        await commit(task, 1)
        begun = asyncio.get_running_loop().time()
        assert [await seen.number() for _ in range(2)] == [10, 15]
        assert asyncio.get_running_loop().time() - begun > 0.4


async def test_a_slow_viewer_gets_the_newest(task, viewer):
    await commit(task, 0)
    async with stream(task, viewer, query="overlay=false&max_rate=4") as seen:
        await seen.start()
        await seen.part()
        await seen.part()
        await commit(task, 1, 2, 3)
        # a quarter of a second each: the batches between were never shown to the end
        shown = [await seen.number() for _ in range(4)]
        assert shown == sorted(shown)
        assert shown[-1] >= 30


async def test_the_last_picture_stays_painted_while_the_task_is_paused(task, viewer, operator, monkeypatch):
    monkeypatch.setattr(mjpeg, "REPAINT_S", 0.1)
    await commit(task, 0)
    async with stream(task, viewer, query="overlay=false") as seen:
        await seen.start()
        await sync_to_async(task_pause)(user=operator, task=task)
        assert [await seen.number() for _ in range(6)] == [9] * 6


async def test_before_the_first_picture_it_waits(task, viewer, monkeypatch):
    monkeypatch.setattr(frames, "FETCH_TIMEOUT_SECONDS", 1)
    async with stream(task, viewer, query="overlay=false&max_rate=30") as seen:
        assert (await seen.start())[0] == 200
        await commit(task, 0)
        assert await seen.number() in range(10)


async def test_it_ends_with_the_task(task, viewer, operator):
    await commit(task, 0)
    async with stream(task, viewer) as seen:
        await seen.start()
        await seen.part()
        await sync_to_async(task_stop)(user=operator, task=task)
        assert (await seen.everything()).endswith(b"\r\n--frame--\r\n")
    assert await listeners() == 0


@sync_to_async
def signed_in(user) -> tuple[str, str]:
    """The user's tokens: access and refresh."""
    user.set_password("as long as it takes")
    user.save()
    _, tokens = session_begin(request=None, username=user.username, password="as long as it takes")
    return tokens.access, tokens.refresh


async def test_it_ends_when_the_user_signs_out(task, viewer, monkeypatch):
    monkeypatch.setattr(mjpeg, "RECHECK_S", 0.1)
    monkeypatch.setattr(mjpeg, "REPAINT_S", 0.1)
    access, refresh = await signed_in(viewer)
    await commit(task, 0)
    async with stream(task, headers=[(b"authorization", f"Bearer {access}".encode())]) as seen:
        assert (await seen.start())[0] == 200
        for _ in range(6):
            assert await seen.part()
        await sync_to_async(session_end)(refresh_token=refresh)
        assert (await seen.everything()).endswith(b"--frame--\r\n")


@pytest.mark.parametrize("how", ["left", "deactivated", "changed password"])
async def test_it_ends_when_the_user_may_not_see_it_any_more(task, viewer, monkeypatch, how):
    monkeypatch.setattr(mjpeg, "RECHECK_S", 0.1)
    monkeypatch.setattr(mjpeg, "REPAINT_S", 0.1)
    await commit(task, 0)
    async with stream(task, viewer) as seen:
        await seen.start()
        await seen.part()
        if how == "left":
            await Membership.objects.filter(user=viewer).adelete()
        elif how == "changed password":
            await signed_in(viewer)
        else:
            viewer.is_active = False
            await viewer.asave()
        assert (await seen.everything()).endswith(b"--frame--\r\n")


async def test_who_goes_away_leaves_nothing_behind(task, viewer):
    await commit(task, 0)
    async with stream(task, viewer) as seen:
        await seen.start()
        await seen.part()
        assert await listeners() == 1
    assert await listeners() == 0


@sync_to_async
def database_sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return cursor.fetchone()[0]


async def test_who_only_looks_keeps_no_connection_of_the_database(task, viewer, monkeypatch):
    monkeypatch.setattr(mjpeg, "REPAINT_S", 0.05)
    await commit(task, 0)
    before = await database_sessions()
    async with stream(task, viewer) as one, stream(task, viewer) as other:
        for seen in (one, other):
            await seen.start()
            for _ in range(5):
                await seen.part()
        # those of earlier requests may have ended meanwhile
        assert await database_sessions() <= before


async def test_when_redis_goes_away_the_stream_ends_and_its_viewer_may_come_back(task, viewer):
    await commit(task, 0)
    async with stream(task, viewer, query="overlay=false&max_rate=30") as seen:
        await seen.start()
        await seen.part()
        await sync_to_async(redis_client().execute_command)("CLIENT", "KILL", "TYPE", "pubsub")
        async with asyncio.timeout(PATIENCE_S):
            while not seen.ended:
                await seen._more()


async def test_many_viewers_cause_one_render_of_each_picture(task, viewer, monkeypatch):
    from tracking import rendering

    encoded, calls = rendering.encoded, []
    monkeypatch.setattr(rendering, "encoded", lambda *a, **k: calls.append(k["index"]) or encoded(*a, **k))
    await commit(task, 0)

    async def watch() -> None:
        async with stream(task, viewer, query="max_rate=30") as seen:
            await seen.start()
            for _ in range(2):
                await seen.part()
            ready.release()
            for _ in range(10):
                await seen.part()

    ready = asyncio.Semaphore(0)
    watching = [asyncio.create_task(watch()) for _ in range(4)]
    for _ in watching:
        await ready.acquire()
    await commit(task, 1)
    await asyncio.gather(*watching)
    assert sorted(calls) == [9, *range(10, 20)]


async def error_of(seen) -> tuple[int, str]:
    status, headers = await seen.start()
    body = json.loads(await seen.everything())
    assert (body["success"], headers["Content-Type"]) == (False, "application/json")
    return status, body["error"]["code"]


async def test_errors_have_the_usual_shape(task, viewer, operator):
    stranger = await sync_to_async(person)("sam")
    forged = "sig=1:9999999999:forged"
    for user, options, expected in [
        (None, {}, (401, "not_authenticated")),
        (None, {"query": forged}, (401, "authentication_failed")),
        (None, {"headers": [(b"authorization", b"Bearer x")]}, (401, "authentication_failed")),
        (stranger, {}, (404, "task_not_found")),
        (viewer, {"camera": "c99"}, (404, "camera_not_found")),
        (viewer, {"query": "max_rate=99"}, (422, "validation_error")),
        (viewer, {"query": "max_rate=nan"}, (422, "validation_error")),
    ]:
        async with stream(task, user, **options) as seen:
            assert await error_of(seen) == expected
    await sync_to_async(task_stop)(user=operator, task=task)
    async with stream(task, viewer) as seen:
        assert await error_of(seen) == (409, "task_not_running")
