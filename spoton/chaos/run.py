"""An undisturbed task, then disturbed ones over the same span, and whether all left the same rows."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

import redis

from spoton.chaos.disturbances import DISTURBANCES
from spoton.chaos.messages import Messages
from spoton.chaos.rows import differences, task_rows
from spoton.product import Product, ProductError

# a task that takes longer hangs: the watchdog asks again after seconds, a dead store comes back in seconds
TASK_SECONDS = 300.0
HEALTHY_SECONDS = 90.0
SETTLE_SECONDS = 30.0


@dataclass
class Done:
    """One disturbance.

    Attributes:
        task: number of the task that ran; at: UNIX seconds.
        what: in words.
        pause_s: longest pause between two of the task's batches from then to the next disturbance.
    """

    name: str
    task: int
    at: float
    what: str
    pause_s: float = 0.0


@dataclass
class Report:
    """What was done and what came of it.

    Attributes:
        tasks: per task its seconds, final status, and rows per table.
        problems: in words; empty when every disturbed task completed with the rows of the undisturbed one.
    """

    seed: int
    done: list[Done] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Chaos:
    """Runs tasks on a product and disturbs them by a seeded plan.

    Args:
        kinds: of disturbances; each has its turn before any comes again.
        every_s: mean time from one disturbance to the next; each is drawn between half and one and a half of it.
        most_per_task: after so many a task is left in peace, to come to its end.
        pacing: of the tasks.
        tell: called with a line for each thing that happens.
    """

    def __init__(
        self,
        product: Product,
        *,
        seed: int,
        kinds: Sequence[str] = tuple(DISTURBANCES),
        every_s: float = 4.0,
        most_per_task: int = 8,
        pacing: str = "max",
        tell: Callable[[str], object] = lambda line: None,
    ) -> None:
        self.report = Report(seed)
        self._product, self._kinds, self._every_s = product, tuple(kinds), every_s
        self._most_per_task, self._pacing, self._tell = most_per_task, pacing, tell
        self._chance = random.Random(seed)
        self._plan = _turns(self._kinds, self._chance)
        self._messages = Messages(product.address("redis_url"))
        self._expected: dict[str, bytes] = {}
        self._next_at = 0.0

    def run(self, *, minutes: float = 0.0) -> Report:
        """Go on for so long, and until every kind had its turn; ends early at the first problem."""
        deadline = time.monotonic() + 60 * minutes
        self._run_task(disturbed=False)
        while not self.report.problems and (time.monotonic() < deadline or self._outstanding()):
            self._run_task(disturbed=True)
        self._messages.close()
        return self.report

    def _outstanding(self) -> set[str]:
        return set(self._kinds) - {done.name for done in self.report.done}

    def _run_task(self, *, disturbed: bool) -> None:
        number, begun = len(self.report.tasks), time.monotonic()
        self._next_at = begun + self._chance.uniform(0.2, 1.5)
        try:
            task = self._product.run_task(
                self._product.token(),
                meanwhile=(lambda _: self._disturb(number)) if disturbed else (lambda _: None),
                timeout=TASK_SECONDS,
                patient=disturbed,
                pacing=self._pacing,
            )
            took_s = time.monotonic() - begun
            self._settle()
            rows = task_rows(self._product.address("database_url"), task["task_id"])
        except (ProductError, OSError) as error:
            self.report.problems.append(f"task {number}: {error}")
            return
        self._expected = self._expected or rows
        problems = differences(self._expected, rows)
        if task["status"] != "COMPLETED":
            problems.insert(0, f"ended as {task['status']}: {task['error']}")
        self.report.problems += [f"task {number}: {problem}" for problem in problems]
        counts = {name: content.count(b"\n") for name, content in rows.items()}
        self.report.tasks.append({"seconds": round(took_s, 1), "status": task["status"], "rows": counts})
        self._measure_pauses(number, task["task_id"])
        what = "DIFFERENT" if problems else "the same rows" if disturbed else "undisturbed"
        self._tell(f"task {number}: {task['status']} after {took_s:.1f} s, {what}: {counts}")

    def _disturb(self, number: int) -> None:
        """Called again and again while a task runs: do what is due."""
        # Redis may be away
        with contextlib.suppress(redis.RedisError):
            self._messages.deliver_due()
        peace = sum(done.task == number for done in self.report.done) >= self._most_per_task
        if peace or time.monotonic() < self._next_at:
            return
        name, at = next(self._plan), time.time()
        try:
            what = DISTURBANCES[name](self._product, self._messages, self._chance)
        except redis.RedisError as error:
            what = f"not possible, Redis was away ({type(error).__name__})"
        self.report.done.append(Done(name, number, at, what))
        self._tell(f"task {number}: {name}: {what}")
        self._next_at = time.monotonic() + self._chance.uniform(0.5, 1.5) * self._every_s

    def _settle(self) -> None:
        """All well again, the messages that were kept back delivered after the task's end, and all queues empty."""
        self._product.wait_until_healthy(HEALTHY_SECONDS)
        self._messages.deliver_due(all_of_them=True)
        deadline = time.monotonic() + SETTLE_SECONDS
        while (waiting := self._messages.waiting()) and time.monotonic() < deadline:
            time.sleep(0.2)
        if waiting:
            raise ProductError(f"messages that nobody takes: {waiting}")

    def _measure_pauses(self, number: int, task_id: str) -> None:
        query = "SELECT committed_at FROM tracking_batch WHERE task_id = %s ORDER BY number"
        commits = [at for (at,) in self._product.rows(query, task_id)]
        done = [one for one in self.report.done if one.task == number]
        ends = [one.at for one in done[1:]] + [float("inf")]
        for one, end in zip(done, ends, strict=False):
            one.pause_s = _longest_pause(commits, one.at, end)


def _longest_pause(commits: Sequence[datetime], since: float, until: float) -> float:
    times = [at.timestamp() for at in commits]
    return max((b - a for a, b in pairwise(times) if b > since and a < until), default=0.0)


def _turns(kinds: Sequence[str], chance: random.Random) -> Iterator[str]:
    """All kinds in random order, then all of them again in another, without end."""
    while True:
        yield from chance.sample(kinds, len(kinds))
