"""When PostgreSQL or Redis is away for a while: how that is told from our own errors, and how it is waited out."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import kombu.exceptions
import redis
from django.db import InterfaceError, OperationalError, close_old_connections

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

# A server that restarts, recovers or is full. Errors in what was asked of it are others: ProgrammingError,
# IntegrityError, DataError, redis.ResponseError.
STORES_AWAY: tuple[type[Exception], ...] = (
    OperationalError,
    InterfaceError,
    redis.ConnectionError,
    redis.TimeoutError,
    redis.exceptions.OutOfMemoryError,
    # during a failover
    redis.exceptions.ReadOnlyError,
    redis.exceptions.MasterDownError,
    kombu.exceptions.OperationalError,
)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 2.0
# far below a task's time limit; a store that is away for longer is left to the watchdog
PATIENCE_SECONDS = 20.0


def waits_out(function: Callable[P, T]) -> Callable[P, T | None]:
    """Calls an idempotent Celery task's function again, with growing pauses, while a store is away.

    Not by Celery's `retry`, which needs the broker, and not without end: after PATIENCE_SECONDS it returns None.
    Nothing is lost by that, because `schedule.watch_tasks` asks again for all that active tasks lack. No task is ever
    failed for a store's sake.
    """

    @functools.wraps(function)
    def patient(*args: P.args, **kwargs: P.kwargs) -> T | None:
        give_up_at, pause_s = time.monotonic() + PATIENCE_SECONDS, FIRST_PAUSE_SECONDS
        while True:
            try:
                return function(*args, **kwargs)
            except STORES_AWAY as error:
                # a broken connection stays with its thread until it is closed
                close_old_connections()
                if time.monotonic() + pause_s > give_up_at:
                    log.error("%s is given up, to be asked for again: %s", function.__name__, brief(error))
                    return None
                if pause_s == FIRST_PAUSE_SECONDS:
                    log.warning("%s waits: %s", function.__name__, brief(error))
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_SECONDS)

    return patient


def brief(error: Exception) -> str:
    """Kind and first line: what a log needs of a store that is away."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
