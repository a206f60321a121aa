"""The yard of `tracking.tests`, open to the old client; and that client, which sends no authentication."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from environments.models import Environment
from spoton.compat.access import client_user
from tracking.tests import factories
from tracking.tests.conftest import (  # noqa: F401 - fixtures
    _empty_redis,
    _own_connections,
    api_of,
    operator,
    pictures,
    running,
    stranger,
    task,
    viewer,
    yard,
)

ORIGIN = "http://localhost:4173"
TASKS = "/api/v1/detection-processing-tasks"


class WebClient:
    """Requests as the old client sends them: from another origin, without any authentication."""

    def __init__(self) -> None:
        self.client = Client(raise_request_exception=False)

    def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """The JSON that is answered, with this status."""
        data = "" if body is None else json.dumps(body)
        answer = self.client.generic(method, path, data, "application/json", headers={"origin": ORIGIN})
        assert answer.status_code == status, answer.content
        assert answer["Content-Type"] == "application/json"
        assert answer["Access-Control-Allow-Origin"] == ORIGIN
        return answer.json()

    def get(self, path: str, **expected: Any) -> Any:
        return self.ask("GET", path, **expected)

    def post(self, path: str, body: Any = None, **expected: Any) -> Any:
        return self.ask("POST", path, body, **expected)


@pytest.fixture
def switched(settings: Any):
    """Name the environments that are open to the old client."""

    def switch(*names: str) -> None:
        settings.ENV = settings.ENV.model_copy(update={"compat_environments": names})

    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    cache.clear()
    return switch


@pytest.fixture
def web(switched: Any, yard: Environment) -> WebClient:  # noqa: F811
    switched("yard")
    return WebClient()


@pytest.fixture
def anyone(web: WebClient) -> Any:
    """Who acts for the old client."""
    return client_user()


@pytest.fixture
def annex(db: None) -> Environment:
    """An environment that is not open."""
    environment = factories.yard("annex")
    for camera in environment.cameras.all():
        factories.record(camera)
    return environment
