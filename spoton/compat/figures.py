"""What the old client's dashboard shows: what was measured, and nothing else.

Blocks for which nothing is measured are left out, which that client takes; a half-filled one would crash it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, Sum

from analytics.dwell import LEFT_S
from environments.models import Environment
from environments.selectors import cameras_of
from tracking.messages import isoformat
from tracking.models import ProcessingTask

BUCKETS = 48
# upper ends of the groups into which visits are sorted (min)
VISITS_MIN = (0.5, 1.0, 5.0, 15.0)

# all that is shown follows from what each track was in each bucket: one look at the rows
_SEEN = """
    SELECT d.camera_id, d.person_id, date_bin(%s, d.captured_at, %s), count(*), sum(d.confidence),
           min(d.captured_at), max(d.captured_at)
    FROM tracking_detection d JOIN tracking_processingtask t ON t.id = d.task_id
    WHERE t.environment_id = %s AND d.captured_at >= %s AND d.captured_at < %s
    GROUP BY d.task_id, d.camera_id, d.track_id, d.person_id, 3
"""


@dataclass(frozen=True)
class Seen:
    """One track of a person within one bucket. Attributes: n: detections; confidence: their sum."""

    camera: int
    person: UUID
    bucket: datetime
    n: int
    confidence: float
    first: datetime
    last: datetime


@dataclass
class Visit:
    """A person before one camera, without a break of `LEFT_S`."""

    first: datetime
    last: datetime
    n: int = 0
    confidence: float = 0.0

    @property
    def minutes(self) -> float:
        return (self.last - self.first).total_seconds() / 60


def figures(environment: Environment, *, since: datetime, until: datetime) -> dict[str, Any]:
    """Of what was captured in [since, until), as the client reads it; times in minutes, shares in per cent."""
    cameras = cameras_of(environment)
    shown = {camera.pk for camera in cameras}
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, [(until - since) / BUCKETS, since, environment.pk, since, until])
        seen = [row for row in (Seen(*row) for row in cursor.fetchall()) if row.camera in shown]
    came, due = _frames(environment, since, until)
    own: dict[int, list[Seen]] = defaultdict(list)
    for row in seen:
        own[row.camera].append(row)
    visits = {camera.pk: visits_of(own[camera.pk]) for camera in cameras}
    data: dict[str, Any] = {
        "summary": {
            "total_detections": sum(row.n for row in seen),
            "average_confidence_percent": _confidence_percent(seen),
            "system_uptime_percent": _percent(sum(came.values()), sum(due.values())),
        },
        "cameras": [
            {
                "camera_id": camera.slug,
                "detections": sum(row.n for row in own[camera.pk]),
                "unique_entities": len({row.person for row in own[camera.pk]}),
                "average_confidence_percent": _confidence_percent(own[camera.pk]),
                "uptime_percent": _percent(came[camera.slug], due[camera.slug]),
            }
            for camera in cameras
        ],
        "charts": _charts(seen),
    }
    if seen:
        minutes = [visit.minutes for there in visits.values() for visit in there]
        data["person_statistics"] = {
            "uniquePersons": len({row.person for row in seen}),
            "averageDetectionTime": round(sum(minutes) / len(minutes), 3),
        }
        dwell = [_dwell(camera.slug, visits[camera.pk]) for camera in cameras if visits[camera.pk]]
        data["dwell_time"] = {"data": dwell, "trends": None}
    return data


def visits_of(seen: Iterable[Seen]) -> list[Visit]:
    """Of one camera. What several tasks saw of the same time is one visit."""
    visits: list[Visit] = []
    person: UUID | None = None
    for row in sorted(seen, key=lambda row: (row.person, row.first)):
        if row.person != person or row.first - visits[-1].last > timedelta(seconds=LEFT_S):
            visits.append(Visit(row.first, row.last))
            person = row.person
        visit = visits[-1]
        visit.last = max(visit.last, row.last)
        visit.n, visit.confidence = visit.n + row.n, visit.confidence + row.confidence
    return visits


def _frames(
    environment: Environment, since: datetime, until: datetime
) -> tuple[dict[str, int], dict[str, int]]:
    """(came, due) by camera: frames in what the tasks of this window have processed."""
    came: dict[str, int] = defaultdict(int)
    due: dict[str, int] = defaultdict(int)
    tasks = ProcessingTask.objects.filter(environment=environment, start__lt=until)
    tasks = tasks.filter(Q(end=None, progressed_at__gte=since) | Q(end__gt=since))
    for task in tasks.annotate(instants=Sum("batches__instants")).defer("choices"):
        for slug in task.cameras:
            came[slug] += task.camera_totals.get(slug, {}).get("frames", 0)
            due[slug] += task.instants or 0
    return came, due


def _charts(seen: list[Seen]) -> dict[str, list[dict[str, Any]]]:
    buckets: dict[datetime, list[Seen]] = defaultdict(list)
    for row in seen:
        buckets[row.bucket].append(row)
    rows = sorted(buckets.items())
    return {
        "detections_per_bucket": [
            {"timestamp": isoformat(begin), "detections": sum(row.n for row in inside)}
            for begin, inside in rows
        ],
        "average_confidence_trend": [
            {"confidence_percent": _confidence_percent(inside)} for _, inside in rows
        ],
    }


def _dwell(slug: str, visits: list[Visit]) -> dict[str, Any]:
    minutes = sorted(visit.minutes for visit in visits)
    middle = len(minutes) // 2
    return {
        "cameraId": slug,
        "averageDwellTime": round(sum(minutes) / len(minutes), 3),
        "medianDwellTime": round((minutes[middle] + minutes[-middle - 1]) / 2, 3),
        "minDwellTime": round(minutes[0], 3),
        "maxDwellTime": round(minutes[-1], 3),
        "dwellTimeDistribution": _distribution(visits),
    }


def _distribution(visits: list[Visit]) -> list[dict[str, Any]]:
    """Empty groups too: the client adds up the groups of several cameras by their place in the list."""
    groups = []
    for low, high in pairwise((0.0, *VISITS_MIN, float("inf"))):
        inside = [visit for visit in visits if low <= visit.minutes < high]
        groups.append(
            {
                "range": f"{low:g}-{high:g} min" if high < float("inf") else f"{low:g} min +",
                "count": len(inside),
                "percentage": _percent(len(inside), len(visits)),
                "avgConfidence": round(_confidence_percent(inside) / 100, 4),
            }
        )
    return groups


def _confidence_percent(counted: Iterable[Seen] | Iterable[Visit]) -> float:
    counted = list(counted)
    return _percent(sum(row.confidence for row in counted), sum(row.n for row in counted))


def _percent(part: float, whole: float) -> float:
    return round(min(100.0, 100 * part / whole), 2) if whole else 0.0
