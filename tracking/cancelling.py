"""Ending asyncio tasks for certain."""

from __future__ import annotations

import asyncio
from typing import Any

# who has not ended after so long is cancelled again
AGAIN_S = 1.0


async def cancelled(*tasks: asyncio.Future[Any]) -> None:
    """Cancel them until they have ended.

    Once is not enough before Python 3.12: `asyncio.wait_for`, by which redis-py sends, loses a cancellation that comes
    as its work is done. A viewer's loop would then run on for ever.
    """
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=AGAIN_S)
