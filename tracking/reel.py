"""What can be played of a task: runs of processed instants one after another, without the gaps between them."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from uuid import UUID

from django.db import connection

from tracking.models import ProcessingTask
from tracking.planning import batch_instants

# while a task runs its reel grows; it is looked at again after this long
FRESH_SECONDS = 1.0
MOST_KNOWN = 64


@dataclass(frozen=True)
class Reel:
    """Runs of instants [first, end), ascending, apart from each other; the viewer's time runs through them only."""

    runs: tuple[tuple[int, int], ...]
    fps: float

    @cached_property
    def _begins(self) -> list[int]:
        """Instants before each run, and all of them at the end."""
        return [0, *accumulate(end - first for first, end in self.runs)]

    @property
    def duration_s(self) -> float:
        return self._begins[-1] / self.fps

    def instant(self, position_s: float) -> int:
        """The instant shown at a time of the viewer; the first or last where it lies outside."""
        nth = min(max(int(position_s * self.fps + 1e-6), 0), self._begins[-1] - 1)
        run = bisect_right(self._begins, nth) - 1
        return self.runs[run][0] + nth - self._begins[run]

    def position_s(self, instant: int) -> float:
        """The viewer's time at which an instant is shown; in a gap: at which the next run begins."""
        for (first, end), begins in zip(self.runs, self._begins, strict=False):
            if instant < end:
                return (begins + max(0, instant - first)) / self.fps
        return self.duration_s


_known: OrderedDict[UUID, tuple[float, int, Reel]] = OrderedDict()


def reel(task: ProcessingTask) -> Reel:
    """Of a task as it is now; an empty one has no runs."""
    looked_at, done, known = _known.get(task.pk, (0.0, -1, None))
    now = time.monotonic()
    if known is None or (now - looked_at > FRESH_SECONDS and done != task.batches_done):
        known = Reel(tuple(_runs(task)), task.fps)
        _known[task.pk] = (now, task.batches_done, known)
        while len(_known) > MOST_KNOWN:
            _known.popitem(last=False)
    return known


def _runs(task: ProcessingTask) -> list[tuple[int, int]]:
    if task.mode == ProcessingTask.Mode.LIVE:
        return [(0, task.last_instant + 1)] if task.last_instant >= 0 and task.batches_done else []
    with connection.cursor() as cursor:
        # islands of consecutive numbers: what was sought over has no batches
        cursor.execute(
            "SELECT min(number), max(number) FROM (SELECT number, number - row_number() OVER (ORDER BY number) AS i"
            " FROM tracking_batch WHERE task_id = %s) AS numbered GROUP BY i ORDER BY 1",
            [task.pk],
        )
        islands = cursor.fetchall()
    return [(batch_instants(task, first).start, batch_instants(task, last).stop) for first, last in islands]
