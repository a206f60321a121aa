"""An environment with ten seconds of recordings, people with roles in it, and an empty Redis for each test."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from rest_framework.test import APIClient

from environments.models import Environment, Role
from environments.redis import redis_client
from tracking import frames, services
from tracking.commit import commit_ready_batches
from tracking.models import ProcessingTask
from tracking.tests import factories


@pytest.fixture(autouse=True)
def _empty_redis() -> None:
    redis_client().flushall()


@pytest.fixture
async def _own_connections():
    """For tests of sockets: the thread that reads for them would keep the test database busy."""
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
def yard(db: None) -> Environment:
    environment = factories.yard()
    for camera in environment.cameras.all():
        factories.record(camera)
    return environment


@pytest.fixture
def operator(yard: Environment) -> Any:
    return factories.person("oona", yard, Role.OPERATOR)


@pytest.fixture
def viewer(yard: Environment) -> Any:
    return factories.person("vera", yard, Role.VIEWER)


@pytest.fixture
def stranger(db: None) -> Any:
    return factories.person("sam")


@pytest.fixture
def task(yard: Environment, operator: Any) -> ProcessingTask:
    """All ten seconds at full speed, ten batches, prepared: its window is asked for."""
    return factories.prepared(services.task_start(user=operator, environment=yard, pacing="max"))


@pytest.fixture
def running(task):
    """The task after its first two batches: two persons walk through both cameras."""
    factories.perceived(task, 0, 1)
    assert commit_ready_batches(task_id=str(task.pk), associate=factories.walk) == 2
    task.refresh_from_db()
    return task


@pytest.fixture
def pictures(running):
    """Pictures of the instants 0 and 19: black above, white below row 180."""
    image = np.zeros((360, 640, 3), np.uint8)
    image[180:] = 255
    data = cv2.imencode(".jpg", image)[1].tobytes()
    for instant in (0, 19):
        for camera in running.cameras:
            kept = frames.StoredFrame(
                instant, instant, factories.START.timestamp() + instant / 10, 640, 360, data
            )
            frames.put(task_id=running.pk, camera=camera, frame=kept)
    return running


@pytest.fixture
def api_of() -> Any:
    """A REST client acting for a user."""

    def make(user: Any) -> APIClient:
        client = APIClient()
        client.force_authenticate(user)
        return client

    return make
