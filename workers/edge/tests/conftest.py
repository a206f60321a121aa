"""A small rendered scene as recordings and as live cameras, and workers that run in this process."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from environments.models import Environment, Role
from environments.redis import redis_client
from environments.services import environment_load
from fixtures.definitions import load_definition
from fixtures.stream_server import StreamServer
from tracking import tasks as _tasks_of_tracking  # noqa: F401 (known to the workers below)
from tracking.queues import lists_of
from tracking.tests.factories import person
from workers import tasks
from workers.edge import ingest, live_background
from workers.warm import warm

CAMERAS = ("c01", "c02")


@pytest.fixture(autouse=True)
def _clean(settings: Any, tmp_path: Path, small_scene: Any) -> Iterator[None]:
    """An empty Redis, media of this test alone, and only the scene's folder and this machine as sources."""
    redis_client().flushall()
    settings.MEDIA_ROOT = tmp_path / "media"
    roots = {"media_roots": (small_scene.folder, tmp_path), "stream_hosts": ("127.0.0.1",)}
    settings.ENV = settings.ENV.model_copy(update=roots)
    tasks.perceiver_of.cache_clear()
    yield
    tasks.perceiver_of.cache_clear()


@pytest.fixture
def square(db: None) -> Environment:
    """The campus with the two cameras of the scene."""
    campus = load_definition("campus")
    cameras = [
        {
            "slug": camera.slug,
            "name": camera.name,
            "image_size": list(camera.image_size),
            "fps": camera.fps,
            "calibration": camera.model().to_mapping(),
        }
        for camera in map(campus.camera, CAMERAS)
    ]
    bounds = list(campus.bounds_m)
    definition = {"slug": "square", "name": "Square", "bounds_m": bounds, "cameras": cameras, "zones": []}
    return environment_load(definition=definition)


@pytest.fixture
def operator(square: Environment) -> Any:
    return person("oona", square, Role.OPERATOR)


class Streams:
    """The scene's videos as live cameras, which can go away and come back at the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, 0
        self.start()

    def start(self) -> None:
        self._server = StreamServer(self._folder, self._port)
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def uri(self, camera: str) -> str:
        return f"http://127.0.0.1:{self._port}/{camera}.mjpg"


@pytest.fixture
def streams(small_scene: Any, square: Environment) -> Iterator[Streams]:
    streams = Streams(small_scene.folder)
    for camera in square.cameras.all():
        camera.live_uri = streams.uri(camera.slug)
        camera.save()
    yield streams
    streams.stop()


@pytest.fixture
def ingesting(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The ingest process, as a thread; it looks at the empty scene for one second only."""
    monkeypatch.setattr(live_background, "FIRST_LOOK_S", 1.0)
    stopping = threading.Event()

    def run() -> None:
        try:
            ingest.run_ingest(policy=tasks.source_policy(), stopping=stopping, look_every_s=0.1)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    stopping.set()
    thread.join(timeout=30)
    assert not thread.is_alive()


class Workers:
    """Takes messages out of the broker's queues and runs the real Celery tasks here, one after the other."""

    QUEUES = ("cpu.0", "associate", "media", "maintenance")

    def run_waiting(self) -> int:
        """Run what waits now; how many messages there were."""
        done = 0
        for queue in self.QUEUES:
            while raw := next(filter(None, map(redis_client().rpop, lists_of(queue))), None):
                message = json.loads(raw)
                args, kwargs, _ = json.loads(base64.b64decode(message["body"]))
                task = tasks.prepare_task.app.tasks[message["headers"]["task"]]
                task.apply(args, kwargs, task_id=message["headers"]["id"], throw=True)
                done += 1
        return done

    def run_until(self, condition: Callable[[], bool], *, within_s: float = 30) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, "it did not come to that in time"
            if not self.run_waiting():
                time.sleep(0.02)


@pytest.fixture
def workers() -> Workers:
    # as workers do: on a machine that is new all loops are compiled now, not while somebody waits
    warm()
    return Workers()
