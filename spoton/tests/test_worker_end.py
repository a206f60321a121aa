"""How Celery's workers end, with a real worker and a Redis of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from celery.platforms import EX_FAILURE

from spoton.services import spawn
from spoton.services.redis import Redis
from spoton.tests.sleeper import app

ROOT = Path(__file__).resolve().parents[2]
QUEUE = "sleep"
# Celery alone takes 30 s and more
SOON_S = 20.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path / "redis", tmp_path / "run", tmp_path / "redis.log")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


@pytest.fixture
def worker(server: Redis, log: Path) -> Iterator[subprocess.Popen]:
    """One that has done a message."""
    command = [
        sys.executable, "-m", "celery", "--quiet", "-A", "spoton.tests.sleeper", "worker", "-Q", QUEUE,
        "-n", "sleeper@%h", "--pool", "prefork", "--concurrency", "1", "--without-gossip", "--without-mingle",
    ]  # fmt: skip
    with log.open("wb") as output:
        process = spawn.spawn(command, env={**os.environ, "REDIS_URL": server.url}, cwd=ROOT, stdout=output)
    send(server, 0.1)
    wait_for(lambda: taken(server) == 1, "the worker takes no message")
    wait_for(lambda: taken(server) == 0, "the worker does not end its message")
    yield process
    spawn.stop(process, signal.SIGKILL, 1)


def taken(server: Redis) -> int:
    """How many messages the worker has and did not acknowledge."""
    with redis.Redis.from_url(server.url) as client:
        return client.hlen("unacked")


def send(server: Redis, seconds: float) -> None:
    with app.connection_for_write(f"redis+socket://{server.socket_path}?virtual_host=0") as connection:
        app.send_task("tests.sleep", args=[seconds], queue=QUEUE, connection=connection)


def wait_for(happens: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def test_a_worker_that_cannot_go_on_is_soon_gone(server, worker, log):
    """Its pool's process comes to a message when Redis is away, and Redis takes nothing when it is back."""
    (pool,) = psutil.Process(worker.pid).children()
    pool.suspend()
    send(server, 0.0)
    wait_for(lambda: taken(server) == 1, "the worker takes no message")
    server.stop()
    wait_for(lambda: "Cannot connect" in log.read_text(), "the worker misses nothing")
    pool.resume()
    server.start()
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", 1024)
    # or by Celery's own way, should it have become quicker
    assert worker.wait(SOON_S) in (-signal.SIGKILL, EX_FAILURE)


def test_a_worker_that_is_asked_to_end_finishes_its_message(server, worker, log):
    send(server, 2.0)
    wait_for(lambda: "2.0 s" in log.read_text(), "the worker does not begin")
    worker.terminate()
    assert worker.wait(SOON_S) == 0
    assert taken(server) == 0
