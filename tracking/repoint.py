"""Rows follow the aliases: detections, crops, positions, trajectories and appearances of origins get their persons.

All within the caller's transaction, under `identity.lock_for_deciding`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from tracking.identity import Pieces, aliases_of, person_at, spans
from tracking.models import Appearance, ProcessingTask
from tracking.paths import rewrite_paths
from tracking.planning import utc


def follow(*, origins: Iterable[UUID], persons: Iterable[UUID]) -> None:
    """Give the origins' rows to whom their aliases say.

    Args:
        persons: all those to whom rows of the origins may belong now, or will.
    """
    persons = sorted(set(persons))
    with connection.cursor() as cursor:
        for origin, parts in aliases_of(origins).items():
            pieces = parts or [(None, origin)]
            for since, end, person in spans(pieces):
                place = {"origin": origin, "since": since, "end": end, "person": person, "persons": persons}
                for table in _SHOWN:
                    cursor.execute(_MOVE_DETECTIONS.format(table=table), place)
            move_positions(cursor, origin=origin, pieces=pieces, persons=persons)
            for row in Appearance.objects.filter(origin_id=origin).defer("vector"):
                row.person_id = person_at(pieces, row.seen_at)
                row.save(update_fields=["person"])
            rewrite_paths(origin=origin, owner_at=partial(_owner, origin, pieces))
        restore_spares(cursor, persons)


def move_positions(
    cursor: Any,
    *,
    origin: UUID,
    pieces: Pieces,
    persons: Sequence[UUID],
    not_before: datetime | None = None,
) -> None:
    """Give the origin's positions to whom the pieces say; of two at an instant the surer one counts.

    Args:
        persons: all those to whom they may belong now, or will.
        not_before: earlier ones are right already.
    """
    for since, end, person in spans(pieces):
        begin = max(filter(None, [since, not_before]), default=None)
        place = {"origin": origin, "since": begin, "end": end, "person": person, "persons": persons}
        for statement in _MOVE_POSITIONS:
            cursor.execute(statement, place)


def restore_spares(cursor: Any, persons: Sequence[UUID]) -> None:
    """Bring back positions of these persons that nothing surer is in the way of any more."""
    cursor.execute(_RESTORE_SPARES, {"persons": persons})


def _owner(origin: UUID, pieces: Pieces, time_s: float, instant: int) -> tuple[UUID, UUID]:
    return origin, person_at(pieces, utc(time_s))


# what cameras show: stored crops go with their detections, which are moved first; see `stored_pictures`
_SHOWN = ("tracking_detection", "tracking_storedcrop")
# rows of an origin within a piece of time that belong to somebody else than they should
_MOVING = """person_id = ANY(%(persons)s) AND person_id <> %(person)s
    AND COALESCE(origin_id, person_id) = %(origin)s
    AND (%(since)s::timestamptz IS NULL OR captured_at >= %(since)s)
    AND (%(end)s::timestamptz IS NULL OR captured_at < %(end)s)"""
_MOVE_DETECTIONS = f"""
    UPDATE {{table}} SET person_id = %(person)s, origin_id = NULLIF(%(origin)s, %(person)s)
    WHERE {_MOVING}"""
# of two positions of one person at an instant the surer one stays, as in `Identities.surest`; where both are
# equally sure, the smaller origin's
_MOVER_IS_SURER = """(m.sigma_m, COALESCE(m.origin_id, m.person_id))
    < (p.sigma_m, COALESCE(p.origin_id, p.person_id))"""
POSITION = "task_id, captured_at, person_id, origin_id, instant, x_m, y_m, vx_m_s, vy_m_s, sigma_m"
_SPARE = "task_id, captured_at, person_id, COALESCE(origin_id, person_id), instant, x_m, y_m, vx_m_s, vy_m_s, sigma_m"
_MOVE_POSITIONS = (
    f"UPDATE tracking_spareposition SET person_id = %(person)s WHERE {_MOVING}",
    # those who are in the way and known less surely
    f"""
    WITH m AS (SELECT * FROM tracking_position WHERE {_MOVING}),
    gone AS (
        DELETE FROM tracking_position p USING m
        WHERE p.task_id = m.task_id AND p.captured_at = m.captured_at AND p.person_id = %(person)s
        AND {_MOVER_IS_SURER} RETURNING p.*
    )
    INSERT INTO tracking_spareposition ({POSITION}) SELECT {_SPARE} FROM gone""",
    # those who find a surer one in the way
    f"""
    WITH m AS (SELECT * FROM tracking_position WHERE {_MOVING}),
    gone AS (
        DELETE FROM tracking_position g USING m, tracking_position p
        WHERE g.task_id = m.task_id AND g.captured_at = m.captured_at AND g.person_id = m.person_id
        AND p.task_id = m.task_id AND p.captured_at = m.captured_at AND p.person_id = %(person)s
        RETURNING g.*
    )
    INSERT INTO tracking_spareposition ({POSITION})
    SELECT task_id, captured_at, %(person)s, COALESCE(origin_id, person_id), instant, x_m, y_m, vx_m_s, vy_m_s,
        sigma_m FROM gone""",
    f"""
    UPDATE tracking_position SET person_id = %(person)s, origin_id = NULLIF(%(origin)s, %(person)s)
    WHERE {_MOVING}""",
)
_RESTORE_SPARES = f"""
    WITH back AS (
        DELETE FROM tracking_spareposition s USING (
            SELECT DISTINCT ON (task_id, captured_at, person_id) task_id, captured_at, origin_id
            FROM tracking_spareposition WHERE person_id = ANY(%(persons)s)
            ORDER BY task_id, captured_at, person_id, sigma_m, origin_id
        ) best
        WHERE s.task_id = best.task_id AND s.captured_at = best.captured_at AND s.origin_id = best.origin_id
        AND NOT EXISTS (
            SELECT FROM tracking_position p WHERE p.task_id = s.task_id
            AND p.captured_at = s.captured_at AND p.person_id = s.person_id
        ) RETURNING s.*
    )
    INSERT INTO tracking_position ({POSITION})
    SELECT task_id, captured_at, person_id, NULLIF(origin_id, person_id), instant, x_m, y_m, vx_m_s, vy_m_s,
        sigma_m FROM back"""


# -- a part of one task --------------------------------------------------------------------------------------


def rename_part(
    *,
    task: ProcessingTask,
    person: UUID,
    new_origins: Mapping[UUID, UUID],
    new_person: UUID,
    since: datetime,
    tracks: list[tuple[int, int]] | None,
) -> None:
    """Give the person's rows of one task from `since` on new origins, and to a new person.

    Args:
        new_origins: per origin among the person's rows.
        tracks: only these (camera id, track id); positions follow where no other track of the person is left.
    """
    pairs = tracks or []
    only = {
        "task": task.pk,
        "person": person,
        "new_person": new_person,
        "since": since,
        "all": tracks is None,
        "cameras": [camera for camera, _ in pairs],
        "tracks": [track for _, track in pairs],
    }
    with connection.cursor() as cursor:
        for origin, new in new_origins.items():
            place = {**only, "origin": origin, "new": new}
            cursor.execute(_INSTANTS, place)
            seen = cursor.fetchall()
            moves = _Moves(task, since, seen)
            for table in _SHOWN:
                cursor.execute(_RENAME_DETECTIONS.format(table=table), place)
            for table in ("tracking_position", "tracking_spareposition"):
                cursor.execute(_POSITION_INSTANTS.format(table=table), place)
                place["instants"] = moves.of([row[0] for row in cursor.fetchall()])
                cursor.execute(_RENAME_POSITIONS.format(table=table), place)
            rewrite_paths(
                origin=origin,
                owner_at=partial(moves.owner, (origin, person), (new, new_person)),
                task=task,
                person=person,
            )
            if all(move for _, move in seen):
                Appearance.objects.filter(task=task, origin_id=origin, person=person).update(
                    origin_id=new, person=new_person
                )


def rename_back(*, renamed: Mapping[UUID, UUID], person: UUID) -> None:
    """Give rows that `rename_part` moved to `person` their origins back; `follow` then brings them home."""
    for origin, new in renamed.items():
        with connection.cursor() as cursor:
            for table in ("detection", "storedcrop", "position", "spareposition", "trajectory", "appearance"):
                cursor.execute(
                    f"UPDATE tracking_{table} SET origin_id = %s WHERE person_id = %s AND origin_id = %s",
                    [origin, person, new],
                )


_OF_ORIGIN = (
    """task_id = %(task)s AND person_id = %(person)s AND COALESCE(origin_id, person_id) = %(origin)s"""
)
_MOVES = """(captured_at >= %(since)s AND (%(all)s OR (camera_id, track_id) IN
    (SELECT * FROM unnest(%(cameras)s::bigint[], %(tracks)s::int[]))))"""
_INSTANTS = f"""SELECT instant, bool_and({_MOVES}) FROM tracking_detection WHERE {_OF_ORIGIN}
    GROUP BY instant ORDER BY instant"""
_RENAME_DETECTIONS = f"""UPDATE {{table}} SET person_id = %(new_person)s, origin_id = %(new)s
    WHERE {_OF_ORIGIN} AND {_MOVES}"""
_POSITION_INSTANTS = f"SELECT instant FROM {{table}} WHERE {_OF_ORIGIN} ORDER BY instant"
_RENAME_POSITIONS = f"""UPDATE {{table}} SET person_id = %(new_person)s, origin_id = %(new)s
    WHERE {_OF_ORIGIN} AND instant = ANY(%(instants)s)"""


class _Moves:
    """Which instants of a person move to the new one.

    An instant goes with its detections, all of which must move; between detections, with those before.
    """

    def __init__(self, task: ProcessingTask, since: datetime, seen: list[tuple[int, bool]]) -> None:
        self._instants = np.array([instant for instant, _ in seen])
        self._moves = np.array([move for _, move in seen], bool)
        self._first = (since.timestamp() - task.start.timestamp()) * task.fps - 1e-6

    def of(self, instants: Sequence[int]) -> list[int]:
        """Those of the instants that move."""
        if not len(self._instants) or not len(instants):
            return []
        wanted = np.array(instants)
        before = np.maximum(np.searchsorted(self._instants, wanted, side="right") - 1, 0)
        return wanted[self._moves[before] & (wanted >= self._first)].tolist()

    def owner(self, stay: tuple[UUID, UUID], go: tuple[UUID, UUID], time_s: float, instant: int) -> tuple:
        return go if self.of([instant]) else stay
