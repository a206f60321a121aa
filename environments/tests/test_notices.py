"""Notices between processes, through a real Redis."""

from __future__ import annotations

import asyncio

import pytest
import redis
from asgiref.sync import sync_to_async

from environments import notices
from environments.notices import hearing, notify
from environments.redis import redis_client

told = sync_to_async(notify)


async def words(heard, count):
    """That many notices; pauses are left out."""
    found = []
    while len(found) < count:
        notice = await anext(heard)
        if notice is not None:
            found.append(notice["word"])
    return found


async def test_who_listens_hears_what_is_told_from_then_on_in_order():
    await told({"word": "too early"}, "mine")
    async with hearing("mine") as heard, hearing("other") as elsewhere:
        for word in "abc":
            await told({"word": word}, "mine")
        await told({"word": "for both"}, "other", "mine")
        assert await words(heard, 4) == ["a", "b", "c", "for both"]
        assert await words(elsewhere, 1) == ["for both"]


async def test_with_a_pipeline_it_is_told_when_the_pipeline_is_executed():
    async with hearing("mine") as heard:
        pipeline = redis_client().pipeline(transaction=False)
        notify({"word": "later"}, "mine", pipeline=pipeline)
        await told({"word": "first"}, "mine")
        await sync_to_async(pipeline.execute)()
        assert await words(heard, 2) == ["first", "later"]


async def test_pauses_are_told_and_nothing_is_lost_by_them(monkeypatch):
    monkeypatch.setattr(notices, "QUIET_S", 0.05)
    async with hearing("mine") as heard:
        assert [await anext(heard) for _ in range(3)] == [None, None, None]
        await told({"word": "after"}, "mine")
        assert await words(heard, 1) == ["after"]


async def test_who_may_have_missed_something_is_told():
    async with hearing("mine") as heard:
        await sync_to_async(redis_client().execute_command)("CLIENT", "KILL", "TYPE", "pubsub")
        with pytest.raises(redis.ConnectionError):
            await words(heard, 1)


async def test_a_redis_that_answers_no_more_is_noticed(monkeypatch):
    """Its machine is gone: nothing closes the connection."""
    monkeypatch.setattr(notices, "QUIET_S", 0.05)
    monkeypatch.setattr(notices, "MOST_QUIET_S", 0.3)
    async with hearing("mine") as heard:
        pause = asyncio.create_task(sync_to_async(redis_client().execute_command)("CLIENT", "PAUSE", 2000))
        try:
            with pytest.raises(redis.TimeoutError):
                await words(heard, 1)
        finally:
            await pause
            await sync_to_async(redis_client().execute_command)("CLIENT", "UNPAUSE")
