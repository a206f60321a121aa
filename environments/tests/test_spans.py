"""Spans of time: gaps, intersections, midnights and days on which clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from environments.spans import Span, by_day, intersect, intersect_all, join

ZURICH = ZoneInfo("Europe/Zurich")


def at(hour: int, minute: int = 0, second: float = 0, day: int = 5) -> datetime:
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC) + timedelta(seconds=second)


def test_files_that_follow_each_other_are_one_span():
    hourly = [Span(at(11), at(12)), Span(at(10), at(11, 0, -0.2))]
    assert join(hourly) == [Span(at(10), at(12))]


def test_a_real_gap_stays():
    spans = [Span(at(10), at(11)), Span(at(11, 0, 5), at(12))]
    assert join(spans) == spans


def test_a_span_inside_another_does_not_shorten_it():
    assert join([Span(at(10), at(14)), Span(at(11), at(12))]) == [Span(at(10), at(14))]


def test_intersection_of_two_cameras():
    first = [Span(at(8), at(10)), Span(at(11), at(15))]
    second = [Span(at(9), at(12)), Span(at(14), at(20))]
    assert intersect(first, second) == [
        Span(at(9), at(10)),
        Span(at(11), at(12)),
        Span(at(14), at(15)),
    ]


def test_spans_that_only_touch_have_nothing_in_common():
    assert intersect([Span(at(8), at(9))], [Span(at(9), at(10))]) == []


def test_intersection_of_none_is_nothing():
    assert intersect_all([]) == []


def test_local_midnight_is_not_utc_midnight():
    # 22:30 to 23:30 UTC is 23:30 to 00:30 in Zurich
    span = Span(at(22, 30), at(23, 30))
    assert by_day([span], UTC) == {date(2026, 1, 5): [span]}
    assert by_day([span], ZURICH) == {
        date(2026, 1, 5): [Span(at(22, 30), at(23))],
        date(2026, 1, 6): [Span(at(23), at(23, 30))],
    }


def test_days_on_which_clocks_change_are_23_and_25_hours_long():
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)):
        start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
        whole = by_day([Span(start, start + timedelta(days=3))], ZURICH)[day]
        assert sum(span.duration_s for span in whole) == hours * 3600


# clocks change at midnight, by half an hour, twice a year or never, and one of them left out a whole day
ZONES = ["UTC", "Europe/Zurich", "America/Havana", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia"]


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(2011, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),
    st.integers(1, 72 * 3600),
)
def test_days_cover_a_span_exactly_whatever_clocks_do(zone, start, seconds):
    span, tz = Span(start, start + timedelta(seconds=seconds)), ZoneInfo(zone)
    pieces = [(day, piece) for day, spans in by_day([span], tz).items() for piece in spans]
    assert join((piece for _, piece in pieces), gap=timedelta(0)) == [span]
    assert sum((piece.end - piece.start for _, piece in pieces), timedelta()) == span.end - span.start
    for day, piece in pieces:
        assert piece.start.astimezone(tz).date() == day
        assert (piece.end - timedelta(microseconds=1)).astimezone(tz).date() == day
