"""Rows per second by COPY, as batches are recorded, against Django's `bulk_create` of the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from environments.services import environment_load
from spoton.benchmark.instance import Instance
from tracking.models import Appearance, Detection, Person, Position, ProcessingTask
from tracking.planning import person_id, person_seed, utc
from tracking.record import record_tracks
from workers.benchmark.report import Report
from workers.tracking import BatchTracks

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
FPS, CAMERAS, PEOPLE, DIMENSION = 10.0, 4, 10, 64
CALIBRATION = {
    "homography_image_to_map": [[0.01, 0, 0], [0, 0.01, 0], [0, 0, 1]],
    "width": 640,
    "height": 360,
}


@dataclass(frozen=True)
class _Seen:
    """As the engine tells of a person."""

    number: int
    first_s: float
    last_s: float
    appearance: np.ndarray
    weight: float = 1.0


def recording(instants: Sequence[int] = (10, 100, 1000)) -> Report:
    """In a database of its own.

    Args:
        instants: lengths of batches; every instant has `CAMERAS` x `PEOPLE` boxes and `PEOPLE` positions.
    """
    with Instance() as instance:
        found = instance.measure("recording", "--instants", *map(str, instants))
    return Report(
        f"Recording: {CAMERAS} cameras, {PEOPLE} people, with indexes",
        found,
        goal="8 times bulk_create",
        note="PostgreSQL checks foreign keys when the transaction ends, row by row, whoever wrote them",
    )


def rows(instants: Sequence[int], repeats: int = 5) -> list[dict[str, Any]]:
    """Both ways write the same rows to the database at hand, in turns, each in a transaction that is rolled back."""
    result = []
    with transaction.atomic():
        task = _task()
        for count in instants:
            batch = _batch(task, count)
            written = len(batch.detections) + len(batch.positions)
            copy, bulk = [], []
            for _ in range(repeats):
                copy.append(_seconds(lambda batch=batch: record_tracks(task=task, rows=batch)))
                bulk.append(_seconds(lambda batch=batch: _bulk_create(task, batch)))
            (copied, checked), (created, created_checked) = (np.min(spent, axis=0) for spent in (copy, bulk))
            result.append(
                {
                    "instants": count,
                    "rows": written,
                    "COPY: rows per second": round(written / copied),
                    "bulk_create: rows per second": round(written / created),
                    "times as fast": round(float(created / copied), 1),
                    "with keys checked: COPY": round(written / checked),
                    "times as fast, checked": round(float(created_checked / checked), 1),
                }
            )
        transaction.set_rollback(True)
    return result


def _task() -> ProcessingTask:
    cameras = [
        {"slug": f"c{i}", "name": f"C{i}", "image_size": [640, 360], "fps": FPS, "calibration": CALIBRATION}
        for i in range(CAMERAS)
    ]
    environment = environment_load(
        definition={
            "slug": "benchmark",
            "name": "Benchmark",
            "bounds_m": [0, 0, 9, 9],
            "cameras": cameras,
            "zones": [],
        }
    )
    found = environment.cameras.order_by("slug")
    plan = {
        "batch_instants": 10,
        "cameras": [{"camera": c.slug, "camera_id": c.pk, "calibration": CALIBRATION} for c in found],
    }
    chosen = {name: {"requested": name, "chosen": name, "reason": ""} for name in ("detector", "embedder")}
    task = ProcessingTask(
        environment=environment, mode="recorded", start=START, fps=FPS, detector="motion", embedder="descriptor",
        plan=plan, choices=chosen,
    )  # fmt: skip
    task.seed = person_seed(task)
    task.save()
    return task


def _batch(task: ProcessingTask, instants: int) -> BatchTracks:
    batch, rng = BatchTracks(), np.random.default_rng(1)
    first = START.timestamp()
    for instant in range(instants):
        time_s = first + instant / FPS
        for person in range(PEOPLE):
            x, y = rng.uniform(0, 9, 2).tolist()
            for camera in task.cameras:
                box = tuple(rng.uniform(0, 600, 4).tolist())
                batch.detections.append(
                    (instant, instant, time_s, camera, person, person, box, 0.875, (x, y))
                )
            batch.positions.append((instant, time_s, person, x, y, 0.5, -0.5, 0.1))
    last = first + (instants - 1) / FPS
    batch.persons = batch.looks = [_Seen(n, first, last, rng.normal(size=DIMENSION)) for n in range(PEOPLE)]
    return batch


def _bulk_create(task: ProcessingTask, batch: BatchTracks) -> None:
    """What a Django application would do."""
    ids: dict[int, UUID] = {p.number: person_id(task, p.number) for p in batch.persons}
    cameras = {entry["camera"]: entry["camera_id"] for entry in task.plan["cameras"]}
    Person.objects.bulk_create(
        Person(
            id=ids[p.number],
            environment_id=task.environment_id,
            first_seen_at=utc(p.first_s),
            last_seen_at=utc(p.last_s),
        )
        for p in batch.persons
    )
    Appearance.objects.bulk_create(
        Appearance(
            task=task, origin_id=ids[p.number], person_id=ids[p.number], embedder="descriptor", vector=p.appearance,
            weight=p.weight, seen_at=utc(p.last_s),
        )
        for p in batch.persons
    )  # fmt: skip
    Detection.objects.bulk_create(
        Detection(
            task=task, captured_at=utc(captured_at), camera_id=cameras[camera], track_id=track, person_id=ids[number],
            instant=instant, frame=frame, x1=x1, y1=y1, x2=x2, y2=y2, confidence=score, map_x=place[0], map_y=place[1],
        )
        for instant, frame, captured_at, camera, track, number, (x1, y1, x2, y2), score, place in batch.detections
    )  # fmt: skip
    Position.objects.bulk_create(
        Position(
            task=task, captured_at=utc(time_s), person_id=ids[number], instant=instant, x_m=x, y_m=y, vx_m_s=vx,
            vy_m_s=vy, sigma_m=sigma,
        )
        for instant, time_s, number, x, y, vx, vy, sigma in batch.positions
    )  # fmt: skip


def _seconds(write: Callable[[], object]) -> tuple[float, float]:
    """Of writing, and with the checks of foreign keys that the transaction's end would bring; nothing stays."""
    with transaction.atomic():
        begun = time.perf_counter()
        write()
        written = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        checked = time.perf_counter()
        transaction.set_rollback(True)
    return written - begun, checked - begun
