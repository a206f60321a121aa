"""Messages that come twice, late or in another order: done to the queues of the real broker."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import redis

# how long to look for a waiting message: workers are quick to take them
LOOK_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 15.0


@dataclass(frozen=True)
class Held:
    """A message taken out of its queue, to be put back at `due` (monotonic seconds)."""

    due: float
    queue: str
    raw: bytes


class Messages:
    """Meddles with the queues; what it delays it keeps and delivers later."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=5)
        self._held: list[Held] = []

    def close(self) -> None:
        self._client.close()

    def duplicate(self, chance: random.Random) -> str:
        """Enqueue a waiting message twice more: once under its own tag, as a redelivery, once under a new one."""
        for queue in self._waiting(chance):
            raw = self._client.lindex(queue, chance.randrange(max(1, self._client.llen(queue))))
            if raw is not None:
                self._client.lpush(queue, raw, _with_new_tag(raw))
                return f"{_name(raw)} in {queue}"
        return "no message waited"

    def delay(self, chance: random.Random) -> str:
        """Take up to three waiting messages away for up to some seconds."""
        for queue in self._waiting(chance):
            taken = self._client.rpop(queue, chance.randint(1, 3)) or []
            seconds = chance.uniform(1, LONGEST_DELAY_SECONDS)
            self._held += [Held(time.monotonic() + seconds, queue, raw) for raw in taken]
            if taken:
                names = ", ".join(_name(raw) for raw in taken)
                return f"{names} in {queue} by {seconds:.1f} s"
        return "no message waited"

    def shuffle(self, chance: random.Random) -> str:
        """Put the messages that wait in one queue into another order."""
        for queue in self._waiting(chance):
            taken = self._client.rpop(queue, 1000) or []
            if taken:
                chance.shuffle(taken)
                self._client.lpush(queue, *taken)
                return f"{len(taken)} in {queue}"
        return "no message waited"

    def deliver_due(self, *, all_of_them: bool = False) -> int:
        """Put back what has been kept long enough; how many there were."""
        due = [held for held in self._held if all_of_them or held.due <= time.monotonic()]
        for held in due:
            self._client.lpush(held.queue, held.raw)
            self._held.remove(held)
        return len(due)

    def waiting(self) -> dict[str, int]:
        """Messages that wait, by queue."""
        return {queue: self._client.llen(queue) for queue in self._queues()}

    def _queues(self) -> list[str]:
        queues = sorted(key.decode() for key in self._client.scan_iter(count=1000, _type="list"))
        # replies to waiting web requests are lists, too
        return [queue for queue in queues if not queue.startswith("spoton:")]

    def _waiting(self, chance: random.Random) -> Iterator[str]:
        """Queues in which something waits, in random order, looked for again until the patience ends."""
        deadline = time.monotonic() + LOOK_SECONDS
        while time.monotonic() < deadline:
            queues = self._queues()
            chance.shuffle(queues)
            yield from queues
            time.sleep(0.02)


def _with_new_tag(raw: bytes) -> bytes:
    message = json.loads(raw)
    message["properties"]["delivery_tag"] = str(uuid.uuid4())
    return json.dumps(message).encode()


def _name(raw: bytes) -> str:
    return json.loads(raw)["headers"]["task"]
