"""Notices of a process: none is lost because somebody else leaves, and nothing stays behind."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from asgiref.sync import sync_to_async

from environments.notices import channel_of, notify
from environments.redis import redis_client
from tracking.sockets import feed
from tracking.sockets.feed import Mailbox, following
from tracking.tests.socket_client import PATIENCE_S


async def test_no_notice_is_lost_while_others_come_and_go():
    mailbox, heard = Mailbox(), []

    async def come_and_go(name: int) -> None:
        for number in range(150):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.001 * (number % 9)), following(f"other.{name}", Mailbox()):
                    await asyncio.sleep(0.004)

    async def hear() -> None:
        while len(heard) < 300:
            heard.append((await mailbox.take())["number"])

    async with following("mine", mailbox):
        hearing = asyncio.create_task(hear())
        others = [asyncio.create_task(come_and_go(name)) for name in range(5)]
        for number in range(300):
            await sync_to_async(notify)({"type": "told", "number": number}, "mine")
            await asyncio.sleep(0.001 * (number % 4))
        await asyncio.gather(*others)
        with suppress(TimeoutError):
            async with asyncio.timeout(8):
                await hearing
    assert heard == list(range(300))


@sync_to_async
def listened_to() -> list[bytes]:
    return redis_client().pubsub_channels(channel_of("passing.*"))


async def test_nothing_stays_behind_of_viewers_who_leave_however_soon():
    for number in range(40):
        with suppress(TimeoutError):
            async with asyncio.timeout(0.0005 * number), following(f"passing.{number}", Mailbox()):
                await asyncio.sleep(0.001 * (number % 3))
    async with asyncio.timeout(PATIENCE_S):
        while await listened_to():
            await asyncio.sleep(0.01)
    assert not feed._feeds
