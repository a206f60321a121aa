"""Which batches of a recorded task hold anything: recordings, but not the weeks between them."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from tracking.models import ProcessingTask

# shorter gaps are processed as they are: cameras that drop out for a moment
LEAST_GAP_SECONDS = 60.0


@dataclass(frozen=True)
class Coverage:
    """Numbers of batches that some recording covers: ascending ranges [first, end), apart from each other."""

    ranges: tuple[tuple[int, int], ...]
    end: int

    def following(self, number: int) -> int:
        """The first batch from `number` on that holds anything; the task's end where there is none."""
        i = bisect_left(self.ranges, number, key=lambda r: r[1] - 1)
        return max(number, self.ranges[i][0]) if i < len(self.ranges) else self.end

    def count(self, before: int | None = None) -> int:
        """How many batches hold anything, all or those below `before`."""
        limit = self.end if before is None else before
        return sum(max(0, min(end, limit) - first) for first, end in self.ranges)


_known: OrderedDict[UUID, Coverage] = OrderedDict()
# tasks whose coverage is kept; it follows from the plan, which never changes
MOST_KNOWN = 64


def coverage(task: ProcessingTask) -> Coverage:
    """Of a recorded task."""
    known = _known.get(task.pk)
    if known is None or known.end != task.batches_total:
        known = _known[task.pk] = _coverage(task)
        while len(_known) > MOST_KNOWN:
            _known.popitem(last=False)
    return known


def _coverage(task: ProcessingTask) -> Coverage:
    size, start_s = task.plan["batch_instants"], task.start.timestamp()
    found = []
    for segment in (segment for camera in task.plan["cameras"] for segment in camera["segments"]):
        begin_s = segment["started_at"] - start_s
        first = math.ceil(begin_s * task.fps - 1e-6)
        last = math.ceil((begin_s + segment["duration_s"]) * task.fps - 1e-6) - 1
        if last >= first and last >= 0:
            found.append((max(first, 0) // size, last // size + 1))
    least = math.ceil(LEAST_GAP_SECONDS * task.fps / size)
    ranges: list[list[int]] = []
    for first, end in sorted(found):
        first, end = min(first, task.batches_total), min(end, task.batches_total)
        if ranges and first - ranges[-1][1] < least:
            ranges[-1][1] = max(ranges[-1][1], end)
        elif first < end:
            ranges.append([first, end])
    return Coverage(tuple((first, end) for first, end in ranges), task.batches_total)
