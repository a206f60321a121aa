"""The broker's queues: names and priorities, and how Redis keeps them."""

from __future__ import annotations

# the lowest comes first; the same steps as in CELERY_BROKER_TRANSPORT_OPTIONS: what happens now, what is watched, and
# what is done in stock
LIVE, WATCHED, IN_STOCK = 0, 3, 6
# association: one queue for all, and one of each worker, `associate.NAME@HOST`
ASSOCIATE = "associate"
# between a queue's name and a lower priority, as kombu writes the broker's lists
_MARK = "\x06\x16"


def lists_of(queue: str) -> list[str]:
    """The broker's lists of one queue, the most urgent first."""
    return [queue, *(f"{queue}{_MARK}{priority}" for priority in (WATCHED, IN_STOCK))]


def own_queue(worker: str) -> str:
    """The queue of one associate worker, named as Celery names it."""
    return f"{ASSOCIATE}.{worker}"
