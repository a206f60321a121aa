"""Everything recorded for a task, as bytes that two runs over the same span must share."""

from __future__ import annotations

import psycopg
from psycopg import sql

ROWS = {
    "detections": "SELECT captured_at, camera_id, track_id, person_id, instant, frame, x1, y1, x2, y2, confidence,"
    " map_x, map_y FROM tracking_detection WHERE task_id = {task} ORDER BY 1, 2, 3",
    "positions": "SELECT captured_at, person_id, instant, x_m, y_m, vx_m_s, vy_m_s, sigma_m"
    " FROM tracking_position WHERE task_id = {task} ORDER BY 1, 2",
    "trajectories": "SELECT person_id, started_at, ended_at, instants, x_m, y_m, length_m"
    " FROM tracking_trajectory WHERE task_id = {task} ORDER BY 1, 2",
    "appearances": "SELECT person_id, embedder, vector, weight, seen_at"
    " FROM tracking_appearance WHERE task_id = {task} ORDER BY 1",
    "batches": "SELECT number, instants FROM tracking_batch WHERE task_id = {task} ORDER BY 1",
    "task": 'SELECT status, start, "end", fps, seed, batches_total, batches_scheduled, batches_done,'
    " camera_totals, choices FROM tracking_processingtask WHERE id = {task}",
    # of all tasks together: a person that only a disturbed run made would be one too many
    "persons": "SELECT id, environment_id FROM tracking_person ORDER BY 1",
}


def task_rows(database_url: str, task_id: str) -> dict[str, bytes]:
    """Per table what COPY writes: one line per row, numbers with all their digits."""
    found = {}
    with psycopg.connect(database_url) as connection:
        for name, query in ROWS.items():
            statement = sql.SQL("COPY (" + query + ") TO STDOUT").format(task=sql.Literal(task_id))
            with connection.cursor().copy(statement) as copy:
                found[name] = b"".join(copy)
    return found


def differences(expected: dict[str, bytes], got: dict[str, bytes]) -> list[str]:
    """In words, one for each table that is not the same; empty when all are."""
    return [
        f"{name}: {_first_difference(rows.splitlines(), got[name].splitlines())}"
        for name, rows in expected.items()
        if rows != got[name]
    ]


def _first_difference(expected: list[bytes], got: list[bytes]) -> str:
    pairs = zip(expected, got, strict=False)
    line = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(expected), len(got)))
    shown = [rows[line].decode() if line < len(rows) else "(no row)" for rows in (expected, got)]
    return f"{len(expected)} rows expected, {len(got)} found; row {line} is {shown[1]!r}, not {shown[0]!r}"
