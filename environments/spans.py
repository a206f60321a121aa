"""Spans of time: joining, intersecting, cutting at midnight. Pure; all moments carry a time zone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

# cameras that write one file per hour leave a frame or so between files; playback does not notice it
JOIN_GAP = timedelta(seconds=1)


@dataclass(frozen=True, order=True)
class Span:
    """From `start` (included) to `end` (excluded), both in UTC."""

    start: datetime
    end: datetime

    @property
    def duration_s(self) -> float:
        return (self.end - self.start).total_seconds()


def join(spans: Iterable[Span], gap: timedelta = JOIN_GAP) -> list[Span]:
    """Sorted spans, those that overlap or lie at most `gap` apart made one."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.start - joined[-1].end <= gap:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def intersect(first: Sequence[Span], second: Sequence[Span]) -> list[Span]:
    """Times covered by both; each input sorted and free of overlaps."""
    common, i, j = [], 0, 0
    while i < len(first) and j < len(second):
        start, end = max(first[i].start, second[j].start), min(first[i].end, second[j].end)
        if start < end:
            common.append(Span(start, end))
        if first[i].end < second[j].end:
            i += 1
        else:
            j += 1
    return common


def intersect_all(rows: Iterable[Sequence[Span]]) -> list[Span]:
    """Times covered by every row; nothing when there are no rows."""
    common: list[Span] | None = None
    for row in rows:
        common = list(row) if common is None else intersect(common, row)
    return common or []


def by_day(spans: Iterable[Span], zone: tzinfo) -> dict[date, list[Span]]:
    """The spans cut at midnight of `zone`, by calendar day there (23 or 25 hours where clocks change)."""
    days: dict[date, list[Span]] = {}
    for span in spans:
        start = span.start
        while start < span.end:
            day = start.astimezone(zone).date()
            end = min(span.end, midnight_after(day, zone))
            days.setdefault(day, []).append(Span(start, end))
            start = end
    return dict(sorted(days.items()))


def isoformat(moment: datetime) -> str:
    """ISO 8601 UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def midnight_after(day: date, zone: tzinfo) -> datetime:
    """The moment, in UTC, at which `day` ends in `zone`."""
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)
