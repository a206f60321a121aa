"""Record: the engine's rows to PostgreSQL by COPY, within the caller's transaction.

Rows go to whom the engine's persons are by now (`tracking.identity`): as long as nobody decided otherwise, the
person whose id the engine gave. What it has revised since is renamed (`tracking.renaming`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from tracking.identity import Identities, lock_for_writing
from tracking.models import LookVariation, ProcessingTask, Trajectory
from tracking.paths import cut_path, drop_points
from tracking.planning import utc
from tracking.renaming import (
    follow_persons,
    forget_nobody,
    named_rows,
    persons_lock,
    persons_renamed,
    rename_recorded,
    renames_of,
)


class PersonRow(Protocol):
    """A person as the engine knows it; `number` counts within the task."""

    number: int
    first_s: float
    last_s: float
    appearance: np.ndarray
    weight: float


class TrackRows(Protocol):
    """What a batch adds, see `workers.tracking.tracker.BatchTracks`."""

    detections: list[tuple]
    bridged: list[tuple]
    positions: list[tuple]
    trajectories: list[tuple]
    persons: list[Any]
    looks: list[Any]
    renamed: list[tuple]
    variation: tuple[np.ndarray, np.ndarray] | None


@dataclass(frozen=True)
class Recorded:
    """For those who tell of a batch: its rows as they were written, and who the persons are."""

    rows: TrackRows
    who: Identities


@transaction.atomic(savepoint=False)
def record_tracks(*, task: ProcessingTask, rows: TrackRows, looks: bool = True) -> Recorded:
    """Write all rows of a batch, and rename what the engine has revised.

    The same rows written for the same task are the same bytes.

    Args:
        looks: also what people look like; else `record_looks` does that later.
    """
    lock_for_writing(task.environment_id)
    who = identities(task, rows)
    renames = renames_of(task, rows)
    rename_recorded(task, renames, who)
    rows = named_rows(rows, renames)
    camera_ids = {c["camera"]: c["camera_id"] for c in task.plan["cameras"]}
    boxes = [*rows.detections, *rows.bridged]
    positions, spare = who.surest(rows.positions)
    with connection.cursor() as cursor:
        _copy(cursor, "tracking_detection", _DETECTION, _detections(task, boxes, who, camera_ids))
        _copy(cursor, "tracking_position", _POSITION, _positions(task, positions, who))
        if spare:
            _copy(cursor, "tracking_spareposition", _POSITION, _positions(task, spare, who, spare=True))
    for number, instants, times_s, path_m in rows.trajectories:
        owners = [(who.origins[number], who.person(number, time_s)) for time_s in times_s]
        # a person may have had two tracks for a moment, and which of them goes on shows later: that one counts
        drop_points(
            origin=who.origins[number], instants=set(instants), task=task, ended_at__gte=utc(times_s[0])
        )
        parts = cut_path(task=task, instants=instants, times_s=times_s, path_m=path_m, owners=owners)
        Trajectory.objects.bulk_create(parts)
    seen = list(_seen(rows, who))
    # persons after their rows: when the renamed were seen follows from all of these
    persons_lock([*persons_renamed(renames, who), *(person for person, *_ in seen)])
    if renames:
        follow_persons(task, renames, who)
    with connection.cursor() as cursor:
        _upsert_persons(cursor, task, rows, seen, who)
        if looks:
            _upsert_looks(cursor, task, rows, who)
    if renames:
        forget_nobody(task, renames, who)
    if rows.variation is not None:
        directions, less = rows.variation
        told = {"directions": directions.astype("<f4").tobytes(), "less": less.tolist()}
        LookVariation.objects.update_or_create(task=task, defaults=told)
    return Recorded(rows, who)


@transaction.atomic(savepoint=False)
def record_looks(*, task: ProcessingTask, rows: TrackRows) -> None:
    """Write what people look like, of rows that are recorded."""
    lock_for_writing(task.environment_id)
    who = identities(task, rows)
    with connection.cursor() as cursor:
        _upsert_looks(cursor, task, rows, who)


def identities(task: ProcessingTask, rows: TrackRows) -> Identities:
    """Who the persons of these rows are."""
    numbers = {p.number for p in (*rows.persons, *rows.looks)} | {t[0] for t in rows.trajectories}
    numbers |= {row[5] for row in rows.detections} | {row[5] for row in rows.bridged}
    numbers |= {number for _, old, new, _ in rows.renamed for number in (old, new)}
    return Identities(task, numbers | {row[2] for row in rows.positions})


# columns and their types, which binary COPY does not convert
_DETECTION = {
    "task_id": "uuid",
    "captured_at": "timestamptz",
    "camera_id": "int8",
    "track_id": "int4",
    "person_id": "uuid",
    "origin_id": "uuid",
    "instant": "int4",
    "frame": "int4",
    **dict.fromkeys(("x1", "y1", "x2", "y2", "confidence", "map_x", "map_y"), "float8"),
}
_POSITION = {
    "task_id": "uuid",
    "captured_at": "timestamptz",
    "person_id": "uuid",
    "origin_id": "uuid",
    "instant": "int4",
    **dict.fromkeys(("x_m", "y_m", "vx_m_s", "vy_m_s", "sigma_m"), "float8"),
}


class _Moments(dict[float, datetime]):
    """UNIX seconds as datetimes; many rows share one moment."""

    def __missing__(self, seconds: float) -> datetime:
        self[seconds] = moment = utc(seconds)
        return moment


def _detections(
    task: ProcessingTask, rows: Iterable[tuple], who: Identities, camera_ids: dict[str, int]
) -> Iterable[tuple]:
    moments = _Moments()
    for instant, frame, captured_at, camera, track_id, number, box, score, position in rows:
        x, y = position if position is not None else (None, None)
        person, origin = who.person(number, captured_at), who.origins[number]
        yield (
            task.pk, moments[captured_at], camera_ids[camera], track_id, person, _if_other(origin, person), instant,
            frame, *box, score, x, y,
        )  # fmt: skip


def _positions(
    task: ProcessingTask, rows: Iterable[tuple], who: Identities, *, spare: bool = False
) -> Iterable[tuple]:
    moments = _Moments()
    for instant, time_s, number, x, y, vx, vy, sigma in rows:
        person, origin = who.person(number, time_s), who.origins[number]
        origin = origin if spare else _if_other(origin, person)
        yield task.pk, moments[time_s], person, origin, instant, x, y, vx, vy, sigma


def _if_other(origin: UUID, person: UUID) -> UUID | None:
    return None if origin == person else origin


def _copy(cursor: Any, table: str, columns: Mapping[str, str], rows: Iterable[tuple]) -> None:
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            copy.write_row(row)


def _upsert_persons(
    cursor: Any,
    task: ProcessingTask,
    rows: TrackRows,
    seen: Sequence[tuple[UUID, datetime, datetime]],
    who: Identities,
) -> None:
    cursor.executemany(
        "INSERT INTO tracking_person (id, environment_id, first_seen_at, last_seen_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET"
        " first_seen_at = LEAST(tracking_person.first_seen_at, EXCLUDED.first_seen_at),"
        " last_seen_at = GREATEST(tracking_person.last_seen_at, EXCLUDED.last_seen_at)",
        [(person, task.environment_id, first, last) for person, first, last in sorted(seen)],
    )
    cursor.executemany(
        "INSERT INTO tracking_person (id, environment_id, first_seen_at, last_seen_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (id) DO NOTHING",
        [(person, task.environment_id, *span) for person, span in sorted(_spans(rows, who).items())],
    )


def _upsert_looks(cursor: Any, task: ProcessingTask, rows: TrackRows, who: Identities) -> None:
    embedder = task.choices["embedder"]["chosen"]
    cursor.executemany(
        "INSERT INTO tracking_appearance (task_id, origin_id, person_id, embedder, vector, weight, seen_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (task_id, origin_id) DO UPDATE SET"
        " person_id = EXCLUDED.person_id, vector = EXCLUDED.vector, weight = EXCLUDED.weight,"
        " seen_at = EXCLUDED.seen_at",
        [
            (
                task.pk, who.origins[p.number], who.person(p.number, p.last_s), embedder, _vector(p.appearance),
                p.weight, utc(p.last_s),
            )
            for p in sorted(rows.looks, key=lambda p: who.origins[p.number])
            if p.weight > 0 and len(p.appearance)
        ],
    )  # fmt: skip


def _seen(rows: TrackRows, who: Identities) -> Iterable[tuple[UUID, datetime, datetime]]:
    """(person, first, last) as the engine knows it; of those who were split, what this batch saw."""
    boxes = [(row[5], row[2]) for row in (*rows.detections, *rows.bridged)]
    for p in rows.persons:
        pieces, moments = who.pieces(p.number), boxes
        if not math.isfinite(p.last_s):
            # whom the engine gave up: it knows nothing of them any more, but here are their rows
            moments = [*boxes, *((row[2], row[1]) for row in rows.positions)]
        elif len(pieces) == 1:
            yield pieces[0][1], utc(p.first_s), utc(p.last_s)
            continue
        times: dict[UUID, list[float]] = {}
        for number, time_s in moments:
            if number == p.number:
                times.setdefault(who.person(number, time_s), []).append(time_s)
        yield from ((person, utc(min(found)), utc(max(found))) for person, found in times.items())


def _spans(rows: TrackRows, who: Identities) -> dict[UUID, tuple[datetime, datetime]]:
    """When everybody whom any row is about was there by these rows; the engine may know nothing of some any more."""
    moments = [(number, time_s) for number, _, times_s, _ in rows.trajectories for time_s in times_s]
    moments += [(row[5], row[2]) for row in (*rows.detections, *rows.bridged)]
    moments += [(row[2], row[1]) for row in rows.positions]
    times: dict[UUID, list[float]] = {}
    for number, time_s in moments:
        times.setdefault(who.person(number, time_s), []).append(time_s)
    return {person: (utc(min(found)), utc(max(found))) for person, found in times.items()}


def _vector(appearance: np.ndarray) -> str:
    """pgvector's text form of the unit vector."""
    unit = appearance / (np.linalg.norm(appearance) or 1.0)
    return "[" + ",".join(f"{value:.6g}" for value in unit.tolist()) + "]"
