"""Time-series tables by day: partitions come on demand, rows find theirs, nothing is lost without one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import connection

from tracking import schedule, services
from tracking.models import Detection, Position, ProcessingTask
from tracking.record import record_tracks
from tracking.tests.factories import START, Person, Rows, prepared, record
from tracking.timeseries import TABLES, partitions_ensure, timescale_available, uses_partitions

pytestmark = pytest.mark.django_db
MIDNIGHT = datetime(2031, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _native(db):
    if not uses_partitions():
        pytest.skip("TimescaleDB looks after its chunks itself")


def partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = ANY(%s::regclass[])",
            [list(TABLES)],
        )
        return {name for (name,) in cursor.fetchall()}


def place_of(model) -> list[tuple[str, datetime]]:
    """The partition in which each row lies, by time."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT tableoid::regclass::text, captured_at FROM {model._meta.db_table} ORDER BY 2")
        return cursor.fetchall()


def write(task: ProcessingTask, *moments: datetime) -> None:
    """A detection and a position of one person at each moment."""
    times = [moment.timestamp() for moment in moments]
    record_tracks(
        task=task,
        rows=Rows(
            detections=[(i, i, t, "c01", 1, 1, (0, 0, 1, 1), 0.9, None) for i, t in enumerate(times)],
            positions=[(i, t, 1, 0.0, 0.0, 0.0, 0.0, 0.1) for i, t in enumerate(times)],
            persons=[Person(1, times[0], times[-1], [])],
        ),
    )


def test_the_tables_are_partitioned_where_timescale_is_not():
    with connection.cursor() as cursor:
        assert uses_partitions() is not timescale_available(cursor)
    assert {f"{table}_default" for table in TABLES} <= partitions()


def test_partitions_are_made_on_demand_and_once():
    before = partitions()
    for _ in range(2):
        partitions_ensure(start=MIDNIGHT - timedelta(hours=1), end=MIDNIGHT + timedelta(days=1, hours=1))
    days = {"20310228", "20310301", "20310302"}
    assert partitions() - before == {f"{table}_{day}" for table in TABLES for day in days}


def test_days_are_those_of_utc():
    """20:00 of February in New York is March already."""
    before = partitions()
    evening = datetime(2031, 2, 28, 20, tzinfo=timezone(timedelta(hours=-5)))
    partitions_ensure(start=evening, end=evening)
    assert {name[-8:] for name in partitions() - before} == {"20310301"}


def test_rows_before_and_after_midnight_land_in_their_own_day(task):
    partitions_ensure(start=MIDNIGHT - timedelta(hours=1), end=MIDNIGHT)
    tick = timedelta(microseconds=1)
    write(task, MIDNIGHT - tick, MIDNIGHT, MIDNIGHT + tick)
    for model in (Detection, Position):
        table = model._meta.db_table
        assert [place for place, _ in place_of(model)] == [
            f"{table}_20310228",
            f"{table}_20310301",
            f"{table}_20310301",
        ]
    assert Detection.objects.filter(captured_at__gte=MIDNIGHT).count() == 2, "callers see one table"


def test_without_a_partition_rows_go_to_the_default_one(task):
    write(task, MIDNIGHT)
    assert place_of(Detection) == [("tracking_detection_default", MIDNIGHT)]


def test_a_day_that_already_has_rows_in_the_default_partition_is_left_there(task):
    """It cannot be made any more; that is no error, and nothing gets lost."""
    write(task, MIDNIGHT)
    partitions_ensure(start=MIDNIGHT, end=MIDNIGHT)
    assert "tracking_detection_20310301" not in partitions()
    write(task, MIDNIGHT + timedelta(seconds=1))
    assert [place for place, _ in place_of(Detection)] == ["tracking_detection_default"] * 2


def test_a_span_of_years_is_no_reason_to_make_thousands_of_tables(monkeypatch, caplog):
    monkeypatch.setattr("tracking.timeseries._MOST_DAYS", 3)
    before = partitions()
    partitions_ensure(start=MIDNIGHT, end=MIDNIGHT + timedelta(days=4000))
    assert len(partitions() - before) == 3 * len(TABLES)
    assert "longer than 3 days" in caplog.text


def test_a_task_finds_its_partitions_made(operator, yard):
    """Before the first batch can arrive: later the default partition might hold its rows."""
    before = partitions()
    late = 40 * 86_400 + 15 * 3600 + 3595
    record(yard.cameras.get(slug="c01"), at_s=late)
    task = services.task_start(user=operator, environment=yard, start=START + timedelta(seconds=late))
    assert (task.start.day, task.end.day) == (13, 14)
    assert {name[-8:] for name in partitions() - before} == {"20260613", "20260614"}


def test_the_next_day_of_a_live_task_is_made_while_it_runs(operator, yard, monkeypatch):
    yard.cameras.update(live_uri="rtsp://10.0.0.2/stream")
    prepared(services.task_start(user=operator, environment=yard, mode="live"))
    before = partitions()
    monkeypatch.setattr(schedule.timezone, "now", lambda: MIDNIGHT - timedelta(hours=2))
    schedule.watch_tasks()
    assert {name[-8:] for name in partitions() - before} == {"20310228", "20310301"}
