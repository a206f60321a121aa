"""The engine revised for whom it takes a track: rows that bear the earlier number get the new one.

`BatchTracks.renamed` of the engine: (since, old, new, cameras), in order. Rows of earlier batches are renamed in the
database, those of the batch itself before they are written. A rename is the engine's own word, so it changes the
rows' *origin*; who they belong to then follows from the aliases of the new origin (`tracking.identity`).

Where two tracks of one person overlap (by seconds at most), the later one's boxes and positions count, which are the
renamed ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, pairwise
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models import Min

from tracking import repoint
from tracking.identity import Identities, spans
from tracking.models import Person, ProcessingTask, Trajectory
from tracking.paths import drop_points, rewrite_paths
from tracking.planning import instant_time, utc

# a frame may be captured a little earlier than its instant, and persons be on the map before and after they are seen
SLACK = timedelta(minutes=1)


@dataclass(frozen=True)
class Rename:
    """From instant `since` on, rows of `old` in these cameras (and on the map) are `new`'s.

    Attributes:
        until: rows of the batch itself bear the new names from this instant on.
    """

    since: int
    old: int
    new: int
    cameras: frozenset[str]
    on_map: bool
    until: float = math.inf

    def concerns(self, number: int, instant: int, camera: str | None) -> bool:
        """Whether it is about a row of the batch itself; camera: None on the map."""
        there = self.on_map if camera is None else camera in self.cameras
        return there and number == self.old and self.since <= instant < self.until


@dataclass
class NamedRows:
    """Rows of a batch, see `record.TrackRows`, under the numbers that hold at its end."""

    detections: list[tuple]
    bridged: list[tuple]
    positions: list[tuple]
    trajectories: list[tuple]
    persons: list[Any]
    looks: list[Any]
    renamed: list[tuple] = field(default_factory=list)
    variation: Any = None


def renames_of(task: ProcessingTask, rows: Any) -> list[Rename]:
    """What a batch revises, in order."""
    calibrated = {c["camera"] for c in task.plan["cameras"] if c["calibration"]}
    found = [
        Rename(since, old, new, frozenset(cameras), not calibrated.isdisjoint(cameras))
        for since, old, new, cameras in rows.renamed
    ]
    switches = _switches(rows.detections) if found else []
    return [replace(r, until=_until(r, found[i + 1 :], switches)) for i, r in enumerate(found)]


# -- rows of the batch itself --------------------------------------------------------------------------------


def named_rows(rows: Any, renames: Sequence[Rename]) -> Any:
    """The batch's own rows with the renames applied."""
    if not renames:
        return rows
    detections = [_named(row, 5, row[3], renames) for row in rows.detections]
    bridged = [_named(row, 5, row[3], renames) for row in rows.bridged]
    positions = [_named(row, 2, None, renames) for row in rows.positions]
    # of a person's boxes in a camera at an instant, and of a person's positions, the last that was renamed counts
    last: dict[tuple, tuple] = {}
    for row, rank in chain(detections, bridged):
        key = row[3], row[0], row[5]
        last[key] = max(last.get(key, (-1, -1)), (rank, row[4]))
    on_map: dict[tuple, int] = {}
    for row, rank in positions:
        key = row[0], row[2]
        on_map[key] = max(on_map.get(key, -1), rank)

    def counts(row: tuple, rank: int) -> bool:
        best = last[row[3], row[0], row[5]]
        return best[0] < 0 or (rank, row[4]) == best

    return NamedRows(
        detections=[row for row, rank in detections if counts(row, rank)],
        bridged=[row for row, rank in bridged if counts(row, rank)],
        positions=[row for row, rank in positions if rank == on_map[row[0], row[2]]],
        trajectories=_paths(rows.trajectories, renames),
        persons=rows.persons,
        looks=rows.looks,
        variation=rows.variation,
    )


def _named(row: tuple, place: int, camera: str | None, renames: Sequence[Rename]) -> tuple[tuple, int]:
    """The row, and which rename was the last to change it (-1: none)."""
    number, rank = _name(row[place], row[0], camera, renames)
    return (*row[:place], number, *row[place + 1 :]), rank


def _name(number: int, instant: int, camera: str | None, renames: Sequence[Rename]) -> tuple[int, int]:
    rank = -1
    for i, rename in enumerate(renames):
        if rename.concerns(number, instant, camera):
            number, rank = rename.new, i
    return number, rank


def _paths(trajectories: Sequence[tuple], renames: Sequence[Rename]) -> list[tuple]:
    """The trajectories cut where their number changes, without points at which another that was renamed counts."""
    parts = []
    for number, instants, times_s, path_m in trajectories:
        names = [_name(number, instant, None, renames) for instant in instants]
        cuts = [i for i in range(1, len(names)) if names[i] != names[i - 1]]
        for begin, end in pairwise([0, *cuts, len(names)]):
            here = slice(begin, end)
            parts.append((*names[begin], list(instants[here]), np.asarray(times_s)[here], path_m[here]))
    best: dict[tuple[int, int], int] = {}
    for number, rank, instants, *_ in parts:
        for instant in instants:
            best[number, instant] = max(best.get((number, instant), -1), rank)
    result = []
    for number, rank, instants, times_s, path_m in parts:
        kept = [i for i, instant in enumerate(instants) if rank == best[number, instant]]
        if kept:
            result.append((number, [instants[i] for i in kept], times_s[kept], path_m[kept]))
    return result


def _switches(detections: Sequence[tuple]) -> list[tuple[int, str, int, int]]:
    """(instant, camera, number before, number from then on): where a camera's track goes on under another number."""
    known: dict[tuple[str, int], int] = {}
    found = []
    for row in detections:
        before = known.get((row[3], row[4]), row[5])
        if before != row[5]:
            found.append((row[0], row[3], before, row[5]))
        known[row[3], row[4]] = row[5]
    return sorted(found)


def _until(rename: Rename, later: Sequence[Rename], switches: Sequence[tuple[int, str, int, int]]) -> float:
    """When the old number passed to somebody else (as when two change places): from then on it means them.

    The engine does not say when it decided, but its rows do: there the tracks go on under their new numbers. Where no
    row tells, the batch's own rows are taken to bear the new names already.
    """
    if all(other.new != rename.old or other.cameras.isdisjoint(rename.cameras) for other in later):
        return math.inf
    passed = (
        instant
        for instant, camera, *numbers in switches
        if camera in rename.cameras and rename.old in numbers and instant >= rename.since
    )
    return min(passed, default=rename.since)


# -- rows of earlier batches ---------------------------------------------------------------------------------


def rename_recorded(task: ProcessingTask, renames: Sequence[Rename], who: Identities) -> None:
    """Rename what earlier batches of the task have written."""
    camera_ids = {c["camera"]: c["camera_id"] for c in task.plan["cameras"]}
    with connection.cursor() as cursor:
        for rename in renames:
            pieces, old = who.pieces(rename.new), who.origins[rename.old]
            place = {
                "task": task.pk,
                "since": rename.since,
                "after": utc(instant_time(task, rename.since)) - SLACK,
                "cameras": [camera_ids[camera] for camera in sorted(rename.cameras)],
                "old": old,
                "olds": sorted({person for _, person in who.pieces(rename.old)}),
                "new": who.origins[rename.new],
                "news": sorted({person for _, person in pieces}),
            }
            cursor.execute(_DROP_DETECTIONS, place)
            for begin, end, person in spans(pieces):
                piece = {**place, "begin": begin, "end": end, "person": person}
                # crops go with their detections
                for table in ("tracking_detection", "tracking_storedcrop"):
                    cursor.execute(_MOVE_DETECTIONS.format(table=table), piece)
            if rename.on_map:
                _rename_on_map(cursor, task, rename, place, who)


def _rename_on_map(
    cursor: Any, task: ProcessingTask, rename: Rename, place: Mapping[str, Any], who: Identities
) -> None:
    for table in ("tracking_position", "tracking_spareposition"):
        cursor.execute(_DROP_POSITIONS.format(table=table), place)
    for statement in _RENAME_POSITIONS:
        cursor.execute(statement, place)
    persons = sorted({*place["olds"], *place["news"]})
    repoint.move_positions(
        cursor,
        origin=place["new"],
        pieces=who.pieces(rename.new),
        persons=persons,
        not_before=place["after"],
    )
    repoint.restore_spares(cursor, persons)
    old, new, recent = place["old"], place["new"], {"task": task, "ended_at__gte": place["after"]}
    paths = Trajectory.objects.filter(origin_id=old, **recent)
    moved = {i for found in paths.values_list("instants", flat=True) for i in found if i >= rename.since}
    if moved:

        def owner_at(time_s: float, instant: int) -> tuple[UUID, UUID]:
            number = rename.new if instant >= rename.since else rename.old
            return who.origins[number], who.person(number, time_s)

        drop_points(origin=new, instants=moved, **recent)
        rewrite_paths(origin=old, owner_at=owner_at, **recent)


# rows of the old origin that become the new one's; persons are named so that an index finds them
_OLD = """task_id = %(task)s AND captured_at >= %(after)s AND instant >= %(since)s
    AND person_id = ANY(%(olds)s) AND COALESCE(origin_id, person_id) = %(old)s"""
_OF_NEW = """d.task_id = %(task)s AND d.captured_at >= %(after)s
    AND d.person_id = ANY(%(news)s) AND COALESCE(d.origin_id, d.person_id) = %(new)s"""
_DROP_DETECTIONS = f"""
    WITH m AS (SELECT captured_at, camera_id FROM tracking_detection
        WHERE {_OLD} AND camera_id = ANY(%(cameras)s))
    DELETE FROM tracking_detection d USING m
    WHERE {_OF_NEW} AND d.captured_at = m.captured_at AND d.camera_id = m.camera_id"""
_MOVE_DETECTIONS = f"""
    UPDATE {{table}} SET person_id = %(person)s, origin_id = NULLIF(%(new)s, %(person)s)
    WHERE {_OLD} AND camera_id = ANY(%(cameras)s)
    AND (%(begin)s::timestamptz IS NULL OR captured_at >= %(begin)s)
    AND (%(end)s::timestamptz IS NULL OR captured_at < %(end)s)"""
_DROP_POSITIONS = f"""
    WITH m AS (SELECT captured_at FROM tracking_position WHERE {_OLD}
        UNION ALL SELECT captured_at FROM tracking_spareposition WHERE {_OLD})
    DELETE FROM {{table}} d USING m WHERE {_OF_NEW} AND d.captured_at = m.captured_at"""
# the origin first; `repoint.move_positions` then brings them to their persons
_RENAME_POSITIONS = (
    f"UPDATE tracking_position SET origin_id = NULLIF(%(new)s, person_id) WHERE {_OLD}",
    f"UPDATE tracking_spareposition SET origin_id = %(new)s WHERE {_OLD}",
)


# -- persons -------------------------------------------------------------------------------------------------


def persons_lock(ids: Iterable[UUID]) -> None:
    """Always in the same order, so that tasks that see the same persons do not wait for each other in a circle."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM tracking_person WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [sorted(set(ids))]
        )


def persons_renamed(renames: Sequence[Rename], who: Identities) -> list[UUID]:
    """All to whom renamed rows belonged or belong."""
    numbers = {number for rename in renames for number in (rename.old, rename.new)}
    return sorted({person for number in numbers for _, person in who.pieces(number)})


def follow_persons(task: ProcessingTask, renames: Sequence[Rename], who: Identities) -> None:
    """After renames and the batch's rows: when the persons were seen, as the rows tell."""
    persons, first = persons_renamed(renames, who), min(rename.since for rename in renames)
    with connection.cursor() as cursor:
        cursor.execute(
            _FOLLOW,
            {
                "environment": task.environment_id,
                "persons": persons,
                "after": _known_since(persons, utc(instant_time(task, first))) - SLACK,
            },
        )


def forget_nobody(task: ProcessingTask, renames: Sequence[Rename], who: Identities) -> None:
    """Delete persons of whom no row is left and of whom nobody ever said anything, and what looks were theirs."""
    numbers = sorted({rename.old for rename in renames})
    with connection.cursor() as cursor:
        for number in numbers:
            persons = sorted({person for _, person in who.pieces(number)})
            place = {"task": task.pk, "origin": who.origins[number], "persons": persons}
            cursor.execute(_FORGET_APPEARANCE, {**place, "after": task.start - SLACK})
        nobody = {"persons": [who.origins[number] for number in numbers]}
        cursor.execute(_FORGET_CROPS, nobody)
        cursor.execute(_FORGET_PERSONS, nobody)


def _known_since(persons: Sequence[UUID], moment: datetime) -> datetime:
    first = Person.objects.filter(pk__in=persons).aggregate(first=Min("first_seen_at"))["first"]
    return min(filter(None, [first, moment]))


_FOLLOW = """
    INSERT INTO tracking_person (id, environment_id, first_seen_at, last_seen_at)
    SELECT id, %(environment)s, seen.first, seen.last FROM unnest(%(persons)s::uuid[]) AS p (id),
    LATERAL (SELECT
        COALESCE(
            (SELECT min(captured_at) FROM tracking_detection WHERE person_id = p.id AND captured_at >= %(after)s),
            (SELECT min(captured_at) FROM tracking_position WHERE person_id = p.id AND captured_at >= %(after)s)
        ) AS first,
        COALESCE(
            (SELECT max(captured_at) FROM tracking_detection WHERE person_id = p.id AND captured_at >= %(after)s),
            (SELECT max(captured_at) FROM tracking_position WHERE person_id = p.id AND captured_at >= %(after)s)
        ) AS last
    ) AS seen
    WHERE seen.first IS NOT NULL ORDER BY id
    ON CONFLICT (id) DO UPDATE SET first_seen_at = EXCLUDED.first_seen_at, last_seen_at = EXCLUDED.last_seen_at"""
_ANY_OF_ORIGIN = """EXISTS (SELECT FROM {table} r WHERE r.task_id = %(task)s
    AND r.person_id = ANY(%(persons)s) AND COALESCE(r.origin_id, r.person_id) = %(origin)s {recent})"""
_RECENT = {
    "tracking_detection": "AND captured_at >= %(after)s",
    "tracking_position": "AND captured_at >= %(after)s",
}
_ROWS = ("tracking_detection", "tracking_position", "tracking_spareposition", "tracking_trajectory")
_FORGET_APPEARANCE = (
    "DELETE FROM tracking_appearance WHERE task_id = %(task)s AND origin_id = %(origin)s"
    + "".join(
        " AND NOT " + _ANY_OF_ORIGIN.format(table=table, recent=_RECENT.get(table, "")) for table in _ROWS
    )
)
# of detections that gave way to others
_FORGET_CROPS = """
    DELETE FROM tracking_storedcrop s WHERE person_id = ANY(%(persons)s)
    AND NOT EXISTS (SELECT FROM tracking_detection d WHERE d.task_id = s.task_id
        AND d.captured_at = s.captured_at AND d.camera_id = s.camera_id AND d.track_id = s.track_id)"""
_FORGET_PERSONS = """
    DELETE FROM tracking_person p WHERE id = ANY(%(persons)s)
    AND NOT EXISTS (SELECT FROM tracking_personalias a WHERE a.person_id = p.id OR a.origin_id = p.id)
    AND NOT EXISTS (SELECT FROM tracking_personchange c
        WHERE c.person_id = p.id OR c.other_id = p.id OR c.origins @> ARRAY[p.id])
    AND NOT EXISTS (SELECT FROM tracking_personfeedback f WHERE f.person_id = p.id OR f.candidate_id = p.id)
    """ + "".join(
    f" AND NOT EXISTS (SELECT FROM {table} r WHERE r.person_id = p.id)"
    for table in (*reversed(_ROWS), "tracking_appearance")
)
