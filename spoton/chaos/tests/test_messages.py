"""Meddling with queues: nothing is lost or made up, and what is done is what is said."""

from __future__ import annotations

import json
import random
import time
from contextlib import closing

import pytest
from celery import current_app
from django.conf import settings

from environments.redis import redis_client
from spoton.chaos import messages as module
from spoton.chaos.messages import Messages


@pytest.fixture
def messages():
    redis_client().flushall()
    with closing(Messages(settings.REDIS_URL)) as messages:
        yield messages


def enqueue(*task_ids: str) -> None:
    for task_id in task_ids:
        current_app.send_task("workers.associate", args=["x"], task_id=task_id, queue="associate")


def waiting() -> list[str]:
    """Ids of the waiting messages, oldest first."""
    raw = reversed(redis_client().lrange("associate", 0, -1))
    return [json.loads(one)["headers"]["id"] for one in raw]


def test_duplicates_are_the_same_message_under_the_same_and_another_tag(messages):
    enqueue("a")
    assert messages.duplicate(random.Random(1)) == "workers.associate in associate"
    found = [json.loads(raw) for raw in redis_client().lrange("associate", 0, -1)]
    assert [one["headers"]["id"] for one in found] == ["a"] * 3
    assert len({one["body"] for one in found}) == 1
    assert len({one["properties"]["delivery_tag"] for one in found}) == 2


def test_delayed_messages_come_when_they_are_due(messages, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_DELAY_SECONDS", 1.05)
    enqueue("a", "b")
    assert "workers.associate" in messages.delay(random.Random(2))
    kept = 2 - len(waiting())
    assert kept >= 1
    assert messages.deliver_due() == 0, "not yet"
    time.sleep(1.1)
    assert messages.deliver_due() == kept
    assert sorted(waiting()) == ["a", "b"]


def test_delayed_messages_can_all_be_delivered_at_the_end(messages):
    enqueue("a")
    messages.delay(random.Random(1))
    assert (waiting(), messages.waiting()) == ([], {})
    assert messages.deliver_due(all_of_them=True) == 1
    assert (waiting(), messages.waiting()) == (["a"], {"associate": 1})


def test_another_order_holds_the_same_messages(messages):
    ids = [str(number) for number in range(20)]
    enqueue(*ids)
    assert messages.shuffle(random.Random(1)) == "20 in associate"
    assert waiting() != ids
    assert sorted(waiting()) == sorted(ids)


def test_where_nothing_waits_nothing_is_done(messages, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.1)
    redis_client().rpush("spoton:reply:1", "an answer somebody waits for")
    for act in (messages.duplicate, messages.delay, messages.shuffle):
        assert act(random.Random(1)) == "no message waited"
    assert redis_client().llen("spoton:reply:1") == 1
