"""Persons for tests of re-identification: who is where and when, written as the engine would write it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from django.utils import timezone

from environments.models import Environment
from tracking.models import (
    Appearance,
    Detection,
    Person,
    PersonAlias,
    Position,
    ProcessingTask,
    SparePosition,
    Trajectory,
)
from tracking.planning import person_id
from tracking.record import Recorded, record_tracks
from tracking.services import task_start
from tracking.tests.factories import FPS, START, Rows, prepared
from tracking.tests.factories import Person as Seen

LOOK = (1.0, 0.0, 0.0)


@dataclass
class Walk:
    """Somebody whom the engine calls `number` walks east at 1 m/s, seen by one camera.

    Attributes:
        first, last: instants, both included.
        x_m: map x at instant 0; y_m: map y.
        sigma_m: of the positions.
        track: the camera's track id; None: `number`.
    """

    number: int
    first: int
    last: int
    y_m: float = 1.0
    x_m: float = 0.0
    camera: str = "c01"
    look: tuple[float, ...] = LOOK
    weight: float = 10.0
    sigma_m: float = 0.1
    path: bool = True
    track: int | None = None


def write(
    task: ProcessingTask, *walks: Walk, renamed: Sequence[tuple] = (), variation: tuple | None = None
) -> Recorded:
    """One batch with these walks, as `record_tracks` gets it from the engine."""
    rows = Rows(renamed=list(renamed), variation=variation)
    begin = task.start.timestamp()
    for walk in walks:
        instants = list(range(walk.first, walk.last + 1))
        times = begin + np.array(instants) / FPS
        xs = walk.x_m + np.array(instants) / FPS
        for instant, time_s, x in zip(instants, times.tolist(), xs.tolist(), strict=True):
            box = (100 * x, 100 * walk.y_m, 100 * x + 40, 100 * walk.y_m + 80)
            track = walk.number if walk.track is None else walk.track
            rows.detections.append(
                (instant, instant, time_s, walk.camera, track, walk.number, box, 0.9, (x, walk.y_m))
            )
            rows.positions.append((instant, time_s, walk.number, x, walk.y_m, 1.0, 0.0, walk.sigma_m))
        if walk.path:
            rows.trajectories.append(
                (walk.number, instants, times, np.column_stack([xs, np.full(len(xs), walk.y_m)]))
            )
        rows.persons.append(
            Seen(walk.number, float(times[0]), float(times[-1]), np.array(walk.look), walk.weight)
        )
    return record_tracks(task=task, rows=rows)


def started(environment: Environment, user: Any, **fields: Any) -> ProcessingTask:
    return prepared(task_start(user=user, environment=environment, pacing="max", **fields))


def ended(task: ProcessingTask) -> ProcessingTask:
    task.status, task.finished_at = ProcessingTask.Status.COMPLETED, timezone.now()
    task.save()
    return task


def who(task: ProcessingTask, number: int) -> Person:
    return Person.objects.get(pk=person_id(task, number))


def snapshot() -> dict[str, list[tuple]]:
    """Every row that a merge or split may touch, and the persons who are anybody."""
    found = {}
    for model in (Detection, Position, SparePosition, Trajectory):
        fields = [f.attname for f in model._meta.concrete_fields if f.attname != "pk"]
        found[model.__name__] = sorted(map(repr, model.objects.values_list(*fields)))
    looks = Appearance.objects.values_list("task_id", "origin_id", "person_id", "weight", "seen_at")
    found["Appearance"] = sorted(map(repr, looks))
    rows = Person.objects.values_list("pk", "first_seen_at", "last_seen_at")
    merged = set(PersonAlias.objects.filter(since=None).values_list("origin_id", flat=True))
    found["Person"] = sorted(repr(row) for row in rows if row[0] not in merged)
    return found


def instants_of(person: Person | UUID, model: Any = Detection) -> list[int]:
    pk = getattr(person, "pk", person)
    return sorted(model.objects.filter(person=pk).values_list("instant", flat=True))


def path_instants(person: Person | UUID) -> list[list[int]]:
    pk = getattr(person, "pk", person)
    rows = Trajectory.objects.filter(person=pk).order_by("started_at")
    return list(rows.values_list("instants", flat=True))


def span_s(person: Person) -> tuple[float, float]:
    """First and last seen, seconds after START."""
    person.refresh_from_db()
    return tuple((t - START).total_seconds() for t in (person.first_seen_at, person.last_seen_at))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)
