"""Tasks end, whatever loses their cancellation."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tracking import cancelling
from tracking.cancelling import cancelled


async def deaf(times: int) -> str:
    """Loses that many cancellations, as `asyncio.wait_for` does."""
    for _ in range(times):
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
    await asyncio.sleep(60)
    return "never"


async def test_they_have_ended_however_often_a_cancellation_is_lost(monkeypatch):
    monkeypatch.setattr(cancelling, "AGAIN_S", 0.02)
    tasks = [asyncio.create_task(deaf(times)) for times in (0, 1, 3)]
    await asyncio.sleep(0)
    await cancelled(*tasks)
    assert all(task.cancelled() for task in tasks)


async def test_those_that_have_ended_are_left_alone():
    done = asyncio.create_task(asyncio.sleep(0, "result"))
    await done
    await cancelled(done)
    assert done.result() == "result"
    await cancelled()
