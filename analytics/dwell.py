"""How long people have been there."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection

# someone not seen for longer than this has left; their dwell begins anew when they come back (s)
LEFT_S = 30.0


def here_since(*, task_id: UUID, persons: dict[UUID, datetime]) -> dict[UUID, datetime]:
    """Since when each person is there without a break of `LEFT_S`.

    Goes back in steps of at most that length, each one look at the index, so it costs the same whether a task is an
    hour or a month old.

    Args:
        persons: when each was seen last.
    """
    if not persons:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE back(person_id, at) AS (
                SELECT * FROM unnest(%s::uuid[], %s::timestamptz[])
                UNION ALL
                SELECT back.person_id, (
                    SELECT d.captured_at FROM tracking_detection d
                    WHERE d.person_id = back.person_id AND d.task_id = %s
                      AND d.captured_at >= back.at - %s AND d.captured_at < back.at
                    ORDER BY d.captured_at LIMIT 1)
                FROM back WHERE back.at IS NOT NULL
            )
            SELECT person_id, min(at) FROM back GROUP BY person_id
            """,
            [list(persons), list(persons.values()), task_id, timedelta(seconds=LEFT_S)],
        )
        return dict(cursor.fetchall())
