"""Is it alive, and can it do its work; told to anybody, without secrets."""

from __future__ import annotations

import json

import pytest
import redis
from django.db.utils import ConnectionHandler
from redis.backoff import NoBackoff
from redis.retry import Retry

from environments.redis import redis_client
from spoton import health
from spoton.services.processes import free_port
from tracking.devices import TTL_SECONDS, announce, live_workers

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_workers():
    redis_client().flushall()


@pytest.fixture
def worker(monkeypatch):
    def start(name: str, queue: str) -> None:
        monkeypatch.setenv("SPOTON_QUEUE", queue)
        announce(hostname=name)

    return start


@pytest.fixture
def redis_down(monkeypatch):
    """Redis as it looks when nothing listens at its address."""
    port = free_port("127.0.0.1", 20_001)
    dead = redis.Redis(host="127.0.0.1", port=port, password="hunter2", retry=Retry(NoBackoff(), 0))
    monkeypatch.setattr(health, "redis_client", lambda: dead)


@pytest.fixture
def database_down(monkeypatch):
    dead = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": str(free_port("127.0.0.1", 20_002)),
        "NAME": "spoton",
        "USER": "spoton",
        "PASSWORD": "hunter2",
    }
    monkeypatch.setattr(health, "connection", ConnectionHandler({"default": dead})["default"])


def ask(client, path: str = "/health") -> tuple[int, dict]:
    answer = client.get(path)
    assert "hunter2" not in answer.content.decode()
    assert "127.0.0.1" not in answer.content.decode()
    return answer.status_code, json.loads(answer.content)


def test_healthy(client, worker):
    worker("perceive@a", "cpu.0")
    for kind in health.NEEDED:
        worker(f"{kind}@a", "")
    status, body = ask(client)
    assert (status, body["status"]) == (200, "healthy")
    assert body["components"] == {
        "database": {"status": "healthy"},
        "redis": {"status": "healthy"},
        "workers": {"status": "healthy", "count": len(health.NEEDED) + 1, "devices": ["cpu.0"]},
    }
    assert body["timestamp"].endswith("Z")


def test_without_perception_it_is_degraded(client, worker):
    """People can look at what is recorded; nothing new is processed."""
    for kind in health.NEEDED:
        worker(f"{kind}@a", "")
    status, body = ask(client)
    assert (status, body["status"]) == (200, "degraded")
    assert "manage.py workers" in body["components"]["workers"]["message"]
    assert ask(client, "/health/ready")[1]["status"] == "healthy"


@pytest.mark.parametrize("missing", health.NEEDED)
def test_a_kind_of_worker_that_is_missing_is_named(client, worker, missing):
    worker("perceive@a", "cpu.0")
    for kind in health.NEEDED:
        if kind != missing:
            worker(f"{kind}@a", "")
    status, body = ask(client)
    assert (status, body["status"]) == (200, "degraded")
    assert missing in body["components"]["workers"]["message"]


def test_without_redis_it_is_unhealthy(client, redis_down):
    status, body = ask(client)
    assert (status, body["status"]) == (503, "unhealthy")
    assert body["components"]["redis"]["message"] == "Redis does not answer."
    assert body["components"]["database"]["status"] == "healthy"
    assert ask(client, "/health/ready")[0] == 503


def test_without_the_database_it_is_unhealthy(client, database_down):
    status, body = ask(client)
    assert (status, body["status"]) == (503, "unhealthy")
    assert body["components"]["database"]["message"] == "The database does not answer."
    assert ask(client, "/health/ready")[0] == 503


def test_the_process_is_alive_whatever_is_down(client, redis_down, database_down):
    status, body = ask(client, "/health/live")
    assert (status, body["status"]) == (200, "healthy")


def test_readiness_asks_for_the_stores_only(client):
    status, body = ask(client, "/health/ready")
    assert (status, body["status"], set(body["components"])) == (200, "healthy", {"database", "redis"})


def test_a_worker_that_was_killed_is_forgotten_soon(worker):
    worker("perceive@a", "cpu.0")
    assert live_workers() == {"perceive@a": "cpu.0"}
    long_ago = redis_client().time()[0] - TTL_SECONDS - 1
    redis_client().zadd("spoton:workers", {"perceive@a cpu.0": long_ago})
    assert live_workers() == {}
