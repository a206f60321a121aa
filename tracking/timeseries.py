"""Time-series tables: hypertables where TimescaleDB is available, native partitions by day where it is not.

Both give the same rows through the same models; callers cannot tell which is below.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, time, timedelta

from django.db import connection, transaction
from django.db.utils import DatabaseError

log = logging.getLogger(__name__)

TABLES = ("tracking_detection", "tracking_position")
_MOST_DAYS = 400


def timescale_available(cursor) -> bool:
    """Whether the server offers the extension (installed or not)."""
    cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
    return cursor.fetchone() is not None


def uses_partitions() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = %s::regclass", [TABLES[0]])
        return bool(cursor.fetchone()[0])


def partitions_ensure(*, start: datetime, end: datetime) -> None:
    """Make the daily partitions that rows captured in [start, end) go to. Does nothing under TimescaleDB.

    A partition that cannot be made now (a lock, or rows already in the default partition) is no error: its
    rows go to the default partition.
    """
    if not uses_partitions():
        return
    day, last = start.astimezone(UTC).date(), end.astimezone(UTC).date()
    for _ in range(_MOST_DAYS):
        if day > last:
            return
        for table in TABLES:
            _make_partition(table, day)
        day += timedelta(days=1)
    log.warning("span is longer than %d days, the rest goes to the default partition", _MOST_DAYS)


def _make_partition(table: str, day) -> None:
    name = f"{table}_{day:%Y%m%d}"
    lower = datetime.combine(day, time(), UTC)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", [name])
            if cursor.fetchone()[0] is not None:
                return
            cursor.execute("SET LOCAL lock_timeout = '2s'")
            # names are ours, dates are formatted by us: nothing here comes from outside
            cursor.execute(
                f'CREATE TABLE IF NOT EXISTS "{name}" PARTITION OF "{table}" '
                f"FOR VALUES FROM ('{lower.isoformat()}') TO ('{(lower + timedelta(days=1)).isoformat()}')"
            )
    except DatabaseError as error:
        log.info("partition %s was not made, its rows go to the default partition: %s", name, error)
