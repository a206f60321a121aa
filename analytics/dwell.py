"""How long people have been there."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgpack
from django.db import connection

from environments.redis import redis_client
from tracking.planning import utc

# someone not seen for longer than this has left; their dwell begins anew when they come back (s)
LEFT_S = 30.0
# what is known of stays is kept for as long as somebody asks this often (s)
REMEMBERED_S = 60


def here_since(*, task_id: UUID, persons: dict[UUID, datetime]) -> dict[UUID, datetime]:
    """Since when each person is there without a break of `LEFT_S`.

    Who was there at the last look is still there since then; so only newcomers are looked for, and a look costs the
    same however long people stay. Whoever is merged while they are there keeps the beginning that was found first.

    Args:
        persons: when each was seen last.
    """
    if not persons:
        return {}
    stays = _remembered(task_id)
    for person, seen in persons.items():
        before = stays.get(person)
        if before is not None and not before[1] <= seen.timestamp() <= before[1] + LEFT_S:
            del stays[person]
    newcomers = {person: seen for person, seen in persons.items() if person not in stays}
    stays |= {person: (since.timestamp(), 0.0) for person, since in _looked_up(task_id, newcomers).items()}
    stays |= {person: (stays[person][0], seen.timestamp()) for person, seen in persons.items()}
    _remember(task_id, stays)
    return {person: utc(stays[person][0]) for person in persons}


# by person: since when they are there and when they were seen last (UNIX seconds)
Stays = dict[UUID, tuple[float, float]]


def _remembered(task_id: UUID) -> Stays:
    data = redis_client().get(_key(task_id))
    return {UUID(person): tuple(stay) for person, stay in msgpack.unpackb(data).items()} if data else {}


def _remember(task_id: UUID, stays: Stays) -> None:
    """All but those who have left."""
    newest = max(seen for _, seen in stays.values())
    here = {str(person): stay for person, stay in stays.items() if newest - stay[1] <= LEFT_S}
    redis_client().set(_key(task_id), msgpack.packb(here), ex=REMEMBERED_S)


def _looked_up(task_id: UUID, persons: dict[UUID, datetime]) -> dict[UUID, datetime]:
    """Goes back in steps of at most `LEFT_S`, each one look at the index: no row between is read."""
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


def _key(task_id: UUID) -> str:
    return f"spoton:stays:{task_id}"
