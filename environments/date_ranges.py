"""For which times an environment has something to look at: recordings, results, and both by day. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, tzinfo
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from environments.errors import RangeNotAvailableError
from environments.spans import Span, by_day, intersect, intersect_all, isoformat, join


@dataclass(frozen=True)
class Day:
    """One calendar day: what each camera recorded, what all of them did at once, and what is processed."""

    date: date
    cameras: dict[str, list[Span]]
    common: list[Span]
    processed: list[Span]


@dataclass(frozen=True)
class DateRanges:
    """What an environment has.

    Attributes:
        timezone: IANA name of the zone of local days.
        cameras: recorded spans by camera slug; cameras without recordings have an empty list.
        processed: spans with stored results by camera slug, from recordings and from live cameras.
    """

    timezone: str
    cameras: dict[str, list[Span]]
    processed: dict[str, list[Span]] = field(default_factory=dict)

    @cached_property
    def common(self) -> list[Span]:
        """Times at which all cameras that have recordings were recording."""
        return intersect_all([found for found in self.cameras.values() if found])

    @cached_property
    def results(self) -> list[Span]:
        """Times for which results of any camera are stored."""
        return join(span for spans in self.processed.values() for span in spans)

    @cached_property
    def everything(self) -> list[Span]:
        """Times for which there is anything, of any camera."""
        recorded = [span for spans in self.cameras.values() for span in spans]
        return join([*recorded, *self.results])

    @property
    def worth_a_look(self) -> list[Span]:
        """Times that all cameras recorded, or that have results."""
        return join([*self.common, *self.results])

    @property
    def start(self) -> datetime | None:
        return self.everything[0].start if self.everything else None

    @property
    def end(self) -> datetime | None:
        return self.everything[-1].end if self.everything else None

    @cached_property
    def days_utc(self) -> list[Day]:
        return self._days(UTC)

    @cached_property
    def days_local(self) -> list[Day]:
        return self._days(ZoneInfo(self.timezone))

    def of_cameras(self, slugs: list[str]) -> DateRanges:
        """What these cameras have."""
        cameras = {slug: spans for slug, spans in self.cameras.items() if slug in slugs}
        processed = {slug: spans for slug, spans in self.processed.items() if slug in slugs}
        return replace(self, cameras=cameras, processed=processed)

    def within(self, span: Span) -> DateRanges:
        """What lies in a span, cut at its ends."""
        cameras = {slug: intersect(spans, [span]) for slug, spans in self.cameras.items()}
        processed = {slug: intersect(spans, [span]) for slug, spans in self.processed.items()}
        return replace(self, cameras=cameras, processed=processed)

    def available(self) -> dict[str, Any]:
        """The details of a RangeNotAvailableError."""
        if self.start is None:
            return {"available": None}
        return {"available": {"start": isoformat(self.start), "end": isoformat(self.end)}}

    def chosen(self, start: datetime | None, end: datetime | None) -> Span:
        """The span that is asked for; a missing end reaches as far as there is anything.

        Raises:
            RangeNotAvailableError: it is empty, or holds nothing; details carry what is available.
        """
        if self.start is None:
            raise RangeNotAvailableError(
                "There are no recordings and no results yet.", details=self.available()
            )
        span = Span(start or self.start, end or self.end)
        if span.end <= span.start:
            raise RangeNotAvailableError("`end` must lie after `start`.", details=self.available())
        if not intersect(self.everything, [span]):
            raise RangeNotAvailableError(
                f"There is nothing from {isoformat(span.start)} to {isoformat(span.end)}.",
                details=self.available(),
            )
        return span

    def _days(self, zone: tzinfo) -> list[Day]:
        per_camera = {slug: by_day(spans, zone) for slug, spans in self.cameras.items()}
        common, processed = by_day(self.common, zone), by_day(self.results, zone)
        dates = sorted({day for days in per_camera.values() for day in days} | set(processed))
        return [
            Day(
                day,
                {slug: days[day] for slug, days in per_camera.items() if day in days},
                common.get(day, []),
                processed.get(day, []),
            )
            for day in dates
        ]
