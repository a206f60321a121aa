"""Stores that are away: waited out, told from our own errors, no reason to fail. Real errors of real servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import ProgrammingError, connection
from rest_framework.test import APIClient

from environments.redis import redis_client
from tracking import frames, stores
from tracking.stores import STORES_AWAY, waits_out
from tracking.tests.factories import START, assert_error

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def full_redis() -> Iterator[None]:
    """Every write is refused, as when queues alone fill its memory."""
    before = redis_client().config_get("maxmemory")["maxmemory"]
    redis_client().config_set("maxmemory", 1)
    try:
        yield
    finally:
        redis_client().config_set("maxmemory", before)


def lose_the_database() -> None:
    """What a restart of PostgreSQL does to a connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_lost_database_connection_is_made_again():
    calls = []

    @waits_out
    def work() -> int:
        calls.append(1)
        if len(calls) == 1:
            lose_the_database()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 7")
            return cursor.fetchone()[0]

    assert (work(), len(calls)) == (7, 2)


def test_a_full_redis_is_waited_for():
    @waits_out
    def work() -> bool:
        return redis_client().set("wanted", 1)

    with full_redis():
        # made before: opening a connection is no write
        bound = redis_client().config_get("maxmemory")["maxmemory"]
        assert bound == "1"
        room = threading.Timer(0.5, redis_client().config_set, ("maxmemory", 0))
        room.start()
        began = time.monotonic()
        assert work()
        assert time.monotonic() - began >= 0.5
        room.join()


def test_what_stays_away_is_given_up_with_words_and_without_an_error(monkeypatch, caplog):
    monkeypatch.setattr(stores, "PATIENCE_SECONDS", 0.3)

    @waits_out
    def work() -> int:
        return redis_client().set("wanted", 1)

    with full_redis():
        assert work() is None
    assert "work is given up, to be asked for again: OutOfMemoryError" in caplog.text


@pytest.mark.parametrize("error", [ProgrammingError("no such column"), ValueError("wrong"), KeyError("c01")])
def test_our_own_errors_are_not_waited_out(error):
    calls = []

    @waits_out
    def work() -> None:
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        work()
    assert len(calls) == 1


def test_wrong_commands_are_no_absence():
    with pytest.raises(Exception, match="WRONGTYPE") as raised:
        redis_client().rpush("list", 1) and redis_client().get("list")
    assert not isinstance(raised.value, STORES_AWAY)


def test_a_full_frame_store_loses_pictures_not_work(task, caplog):
    frame = frames.StoredFrame(3, 3, START.timestamp(), 640, 360, b"\xff\xd8")
    with full_redis():
        frames.put(task_id=task.pk, camera="c01", frame=frame)
    assert "1 frames were not kept" in caplog.text
    assert frames.get(task_id=task.pk, camera="c01", instant=3) is None
    frames.put(task_id=task.pk, camera="c01", frame=frame)
    assert frames.get(task_id=task.pk, camera="c01", instant=3) == frame


def test_requests_meanwhile_are_told_to_come_again(operator, api_of, task):
    client: APIClient = api_of(operator)
    with full_redis():
        # counting the requests of a user is a write
        answer = client.get(f"/api/v1/processing-tasks/{task.pk}/status")
    assert_error(answer, 503, "service_unavailable")
    assert answer["Retry-After"] == "2"
    assert client.get(f"/api/v1/processing-tasks/{task.pk}/status").status_code == 200
