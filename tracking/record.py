"""Record: the engine's rows to PostgreSQL by COPY, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol
from uuid import UUID

import numpy as np
from django.db import connection

from tracking.models import ProcessingTask
from tracking.planning import person_id, utc


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


def record_tracks(*, task: ProcessingTask, rows: TrackRows) -> None:
    """Write all rows of a batch. The same rows written for the same task are the same bytes."""
    ids = _Ids(task)
    camera_ids = {c["camera"]: c["camera_id"] for c in task.plan["cameras"]}
    with connection.cursor() as cursor:
        _upsert_persons(cursor, task, rows.persons, ids)
        boxes = [*rows.detections, *rows.bridged]
        _copy(cursor, "tracking_detection", _DETECTION, _detections(task, boxes, ids, camera_ids))
        _copy(cursor, "tracking_position", _POSITION, _positions(task, rows.positions, ids))
        for person, instants, times_s, positions_m in rows.trajectories:
            steps = np.diff(positions_m, axis=0)
            cursor.execute(
                "INSERT INTO tracking_trajectory"
                " (task_id, person_id, started_at, ended_at, instants, x_m, y_m, length_m)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    task.pk,
                    ids[person],
                    utc(times_s[0]),
                    utc(times_s[-1]),
                    list(instants),
                    positions_m[:, 0].tolist(),
                    positions_m[:, 1].tolist(),
                    float(np.linalg.norm(steps, axis=1).sum()),
                ],
            )


_DETECTION = [
    "task_id",
    "captured_at",
    "camera_id",
    "track_id",
    "person_id",
    "instant",
    "frame",
    "x1",
    "y1",
    "x2",
    "y2",
    "confidence",
    "map_x",
    "map_y",
]
_POSITION = ["task_id", "captured_at", "person_id", "instant", "x_m", "y_m", "vx_m_s", "vy_m_s", "sigma_m"]


def _detections(
    task: ProcessingTask, rows: Iterable[tuple], ids: _Ids, camera_ids: dict[str, int]
) -> Iterable[tuple]:
    for instant, frame, captured_at, camera, track_id, person, box, score, position in rows:
        x, y = position if position is not None else (None, None)
        yield (
            task.pk, utc(captured_at), camera_ids[camera], track_id, ids[person], instant, frame, *box, score, x, y,
        )  # fmt: skip


def _positions(task: ProcessingTask, rows: Iterable[tuple], ids: _Ids) -> Iterable[tuple]:
    for instant, time_s, person, x, y, vx, vy, sigma in rows:
        yield task.pk, utc(time_s), ids[person], instant, x, y, vx, vy, sigma


def _copy(cursor: Any, table: str, columns: Sequence[str], rows: Iterable[tuple]) -> None:
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _upsert_persons(cursor: Any, task: ProcessingTask, persons: Sequence[PersonRow], ids: _Ids) -> None:
    # sorted by id: two tasks that see the same persons lock their rows in the same order
    ordered = sorted(persons, key=lambda p: ids[p.number])
    cursor.executemany(
        "INSERT INTO tracking_person (id, environment_id, first_seen_at, last_seen_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET"
        " first_seen_at = LEAST(tracking_person.first_seen_at, EXCLUDED.first_seen_at),"
        " last_seen_at = GREATEST(tracking_person.last_seen_at, EXCLUDED.last_seen_at)",
        [(ids[p.number], task.environment_id, utc(p.first_s), utc(p.last_s)) for p in ordered],
    )
    embedder = task.choices["embedder"]["chosen"]
    cursor.executemany(
        "INSERT INTO tracking_appearance (task_id, person_id, embedder, vector, weight, seen_at)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (task_id, person_id) DO UPDATE SET"
        " vector = EXCLUDED.vector, weight = EXCLUDED.weight, seen_at = EXCLUDED.seen_at",
        [
            (task.pk, ids[p.number], embedder, _vector(p.appearance), p.weight, utc(p.last_s))
            for p in ordered
            if p.weight > 0 and len(p.appearance)
        ],
    )


def _vector(appearance: np.ndarray) -> str:
    """pgvector's text form of the unit vector."""
    unit = appearance / (np.linalg.norm(appearance) or 1.0)
    return "[" + ",".join(f"{value:.6g}" for value in unit.tolist()) + "]"


class _Ids(dict[int, UUID]):
    """Global ids of the task's persons, made once each."""

    def __init__(self, task: ProcessingTask) -> None:
        super().__init__()
        self._task = task

    def __missing__(self, number: int) -> UUID:
        self[number] = person_id(self._task, number)
        return self[number]
