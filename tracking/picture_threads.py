"""Threads for making pictures from asynchronous code: bounded, and apart from those that other work waits for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

T = TypeVar("T")
# most of them wait for somebody else's picture or for a worker: more than there are cores
_THREADS = ThreadPoolExecutor(16, thread_name_prefix="pictures")


async def in_picture_thread(function: Callable[[], T]) -> T:
    """Run what blocks; the thread keeps no connection of the database afterwards."""

    def call() -> T:
        try:
            return function()
        finally:
            connections.close_all()

    return await sync_to_async(call, thread_sensitive=False, executor=_THREADS)()
