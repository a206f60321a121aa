"""Who is where now: counts per camera and zone, dwell and density, from what was recorded last."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import numpy as np
from django.db.models import Count, Max

from analytics.dwell import here_since
from environments.geometry import inside, polygon_area_m2
from environments.models import Environment, Zone
from environments.selectors import zones_of
from tracking.messages import isoformat
from tracking.models import Detection, Position, ProcessingTask

# positions this close to the newest one count as now (s)
NOW_SECONDS = 1.0


def live_metrics(environment: Environment) -> dict[str, Any] | None:
    """Counts of the newest instant of one of the environment's tasks; None when nothing was recorded.

    Of several tasks one that runs is taken, of these a live one, of these the newest: sums over tasks would count
    people of different times, or the same people twice.
    """
    tasks = ProcessingTask.objects.filter(environment=environment, batches_done__gt=0)
    active = tasks.filter(status__in=ProcessingTask.ACTIVE)
    live = active.filter(mode=ProcessingTask.Mode.LIVE)
    task = live.first() or active.first() or tasks.first()
    if task is None:
        return None
    last = Detection.objects.filter(task=task).aggregate(last=Max("captured_at"))["last"]
    if last is None:
        return None
    since = last - timedelta(seconds=NOW_SECONDS)
    names = {entry["camera_id"]: entry["camera"] for entry in task.plan["cameras"]}
    per_camera = dict.fromkeys(task.cameras, 0)
    recent = Detection.objects.filter(task=task, captured_at__gt=since)
    for row in recent.values("camera_id").annotate(n=Count("person_id", distinct=True)):
        per_camera[names[row["camera_id"]]] = row["n"]
    seen = dict(recent.values_list("person_id").annotate(last=Max("captured_at")))
    stays = here_since(task_id=task.pk, persons=seen)
    dwell_s = {person: (seen[person] - begin).total_seconds() for person, begin in stays.items()}
    newest: dict[Any, tuple[float, float]] = {
        p.person_id: (p.x_m, p.y_m)
        for p in Position.objects.filter(task=task, captured_at__gt=since).order_by("captured_at")
    }
    persons, places = list(newest), np.array(list(newest.values())).reshape(-1, 2)
    width_m, height_m = environment.max_x_m - environment.min_x_m, environment.max_y_m - environment.min_y_m
    return {
        "task_id": str(task.pk),
        "task_status": task.status,
        "timestamp": isoformat(last),
        "total_persons": len(seen),
        "persons_per_camera": per_camera,
        "zone_occupancy": [_zone(zone, persons, places, dwell_s) for zone in zones_of(environment)],
        "avg_dwell_time": _mean(dwell_s.values()),
        "crowd_density": round(len(persons) / (width_m * height_m), 6),
    }


def _zone(zone: Zone, persons: list[Any], places: np.ndarray, dwell_s: dict[Any, float]) -> dict[str, Any]:
    here = [person for person, within in zip(persons, inside(zone.polygon, places), strict=True) if within]
    return {
        "zone_id": str(zone.pk),
        "slug": zone.slug,
        "name": zone.name,
        "kind": zone.kind,
        "persons": len(here),
        "max_persons": zone.max_persons,
        "density_per_m2": round(len(here) / polygon_area_m2(zone.polygon), 4),
        "avg_dwell_time": _mean(dwell_s[person] for person in here if person in dwell_s),
    }


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return round(sum(known) / len(known), 3) if known else None
