"""An environment with ten seconds of recordings, people with roles in it, and an empty Redis for each test."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from rest_framework.test import APIClient

from environments.models import Environment, Role
from tracking import services
from tracking.models import ProcessingTask
from tracking.redis import redis_client
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
def api_of() -> Any:
    """A REST client acting for a user."""

    def make(user: Any) -> APIClient:
        client = APIClient()
        client.force_authenticate(user)
        return client

    return make
