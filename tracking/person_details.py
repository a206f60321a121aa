"""What is known of a person over a range of time. PostgreSQL joins the rows, so a whole day is a second's work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Max
from django.urls import reverse

from environments.errors import RangeNotAvailableError
from environments.models import Camera
from environments.selectors import zones_of
from tracking import movement
from tracking.messages import from_seconds, isoformat
from tracking.models import Detection, Person, ProcessingTask
from tracking.movement import Places
from tracking.planning import utc
from tracking.selectors import ACTIVE_SECONDS

# Rows are joined to parts of this length (s), or longer ones: there are never more parts than these, so memory is
# bounded however long somebody was there.
PART_S, MOST_PARTS = 1.0, 100_000

_SEEN = """
WITH seen AS MATERIALIZED (
    SELECT task_id, camera_id, date_bin(%(part)s, captured_at, %(start)s) AS part,
           min(captured_at) AS first, max(captured_at) AS last, sum(confidence) AS confidence, count(*) AS boxes
    FROM tracking_detection
    WHERE person_id = %(person)s AND captured_at >= %(start)s AND captured_at < %(end)s
    GROUP BY 1, 2, 3
)
SELECT task_id, camera_id, min(first), max(last), count(DISTINCT part), sum(confidence) / sum(boxes),
       CASE WHEN grouping(task_id, camera_id) = 3 THEN ARRAY(
           SELECT DISTINCT (date_part('epoch', part - %(start)s) / %(part_s)s)::int FROM seen ORDER BY 1
       ) END
FROM seen GROUP BY GROUPING SETS ((task_id), (camera_id), ())
"""
# The very first and last position too: the means alone would leave out half a part's way at either end.
_PLACES = """
WITH known AS NOT MATERIALIZED (
    SELECT captured_at, x_m, y_m, vx_m_s, vy_m_s FROM tracking_position
    WHERE person_id = %(person)s AND captured_at >= %(start)s AND captured_at < %(end)s
), ends AS (
    (SELECT * FROM known ORDER BY captured_at LIMIT 1) UNION ALL
    (SELECT * FROM known ORDER BY captured_at DESC LIMIT 1)
)
SELECT date_part('epoch', min(captured_at)), date_part('epoch', max(captured_at)), avg(x_m), avg(y_m),
       sqrt(avg(vx_m_s) ^ 2 + avg(vy_m_s) ^ 2)
FROM known GROUP BY date_bin(%(part)s, captured_at, %(start)s)
UNION ALL SELECT date_part('epoch', captured_at), date_part('epoch', captured_at), x_m, y_m, 0 FROM ends
ORDER BY 1, 2
"""
_NEXT_SEEN = """
SELECT DISTINCT ON (next.captured_at) next.*
FROM unnest(%(moments)s::timestamptz[]) AS moment CROSS JOIN LATERAL (
    SELECT captured_at, camera_id, track_id, x1, y1, x2, y2, map_x, map_y FROM tracking_detection
    WHERE person_id = %(person)s AND captured_at >= moment AND captured_at < %(end)s
    ORDER BY captured_at, confidence DESC, task_id, camera_id LIMIT 1
) AS next ORDER BY next.captured_at
"""


@dataclass(frozen=True)
class _Seen:
    """Attributes: where or by whom (camera or task), when first and last, in how many parts, how surely."""

    which: Any
    first: datetime
    last: datetime
    parts: int
    confidence: float


def person_details(
    *, person: Person, start: datetime | None = None, end: datetime | None = None, points: int = 200
) -> dict[str, Any]:
    """Statistics of a person, all of them of [start, end) but `current_camera` and `available`.

    What several tasks saw of the same time counts once.

    Args:
        start, end: None: as far as the person was seen.
        points: at most so many entries of `position_history`, evenly over the time they were there.

    Raises:
        RangeNotAvailableError: the range is empty, or the person was not seen in it; details hold when they were.
    """
    low, high = person.first_seen_at, person.last_seen_at + timedelta(microseconds=1)
    span = (max(start or low, low), min(end or high, high))
    available = {"start": isoformat(person.first_seen_at), "end": isoformat(person.last_seen_at)}
    if start is not None and end is not None and end <= start:
        raise RangeNotAvailableError("`end` must lie after `start`.", details={"available": available})
    seen = _seen(person, *span) if span[0] < span[1] else None
    if seen is None:
        raise RangeNotAvailableError(
            "This person was not seen in this range.", details={"available": available}
        )
    whole, cameras, tasks, stays = seen
    places = _places(person, *span)
    slugs = dict(Camera.objects.filter(pk__in=[row.which for row in cameras]).values_list("pk", "slug"))
    visited = sorted(cameras, key=lambda row: (row.first, slugs[row.which]))
    picture = reverse("tracking:person-image", args=[person.pk])
    return {
        "global_person_id": str(person.pk),
        "environment_id": person.environment.slug,
        "available": available,
        "first_detected_time": isoformat(whole.first),
        "last_seen_time": isoformat(whole.last),
        "tracking_duration": round((whole.last - whole.first).total_seconds(), 3),
        "detection_confidence": round(whole.confidence, 4),
        "current_camera": current_camera(person),
        "movement_metrics": _movement(places, dwell_s=sum(until - since for since, until in stays)),
        "cameras": [{"camera": slugs[row.which], **_when(row, *span)} for row in visited],
        "zones": _zones(person, places),
        "tasks": _tasks(tasks, *span),
        "cropped_images": [f"{picture}?camera={slugs[row.which]}" for row in visited],
        "position_history": _history(person, stays, span[1], points, slugs),
    }


def current_camera(person: Person) -> str | None:
    """The camera that shows the person now: in a task that runs, live ones first; None when there is none."""
    tasks = ProcessingTask.objects.filter(environment=person.environment_id, status__in=ProcessingTask.ACTIVE)
    for task in tasks.order_by("mode", "-created_at"):
        now = Detection.objects.filter(task=task).aggregate(last=Max("captured_at"))["last"]
        if now is None:
            continue
        since = now - timedelta(seconds=ACTIVE_SECONDS)
        rows = Detection.objects.filter(person=person, task=task, captured_at__gte=since)
        row = rows.select_related("camera").order_by("-captured_at", "-confidence").first()
        if row is not None:
            return row.camera.slug
    return None


def _part_s(start: datetime, end: datetime) -> float:
    return max(PART_S, (end - start).total_seconds() / MOST_PARTS)


def _parameters(person: Person, start: datetime, end: datetime) -> dict[str, Any]:
    part_s = _part_s(start, end)
    part = timedelta(seconds=part_s)
    return {"person": person.pk, "start": start, "end": end, "part": part, "part_s": part.total_seconds()}


def _seen(
    person: Person, start: datetime, end: datetime
) -> tuple[_Seen, list[_Seen], list[_Seen], list[tuple[float, float]]] | None:
    """In all, by camera, by task, and the stays as (from, to) in UNIX seconds; None when there is nothing."""
    parameters = _parameters(person, start, end)
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, parameters)
        rows = cursor.fetchall()
    (*_, parts), *_ = [row for row in rows if row[0] is None and row[1] is None]
    if not parts:
        return None
    whole, cameras, tasks = None, [], []
    for task, camera, *figures, _ in rows:
        row = _Seen(camera or task, *figures)
        if row.which is None:
            whole = row
        else:
            (cameras if camera else tasks).append(row)
    begin = start.timestamp() + np.array(parts) * parameters["part_s"]
    # what lies before the first and after the last moment was not seen
    until = np.minimum(begin + parameters["part_s"], whole.last.timestamp())
    begin = np.maximum(begin, whole.first.timestamp())
    number = movement.stays(begin, until)
    stays = [(float(begin[number == n][0]), float(until[number == n][-1])) for n in np.unique(number)]
    return whole, cameras, tasks, stays


def _places(person: Person, start: datetime, end: datetime) -> Places:
    with connection.cursor() as cursor:
        cursor.execute(_PLACES, _parameters(person, start, end))
        return Places.of(cursor.fetchall())


def _movement(places: Places, *, dwell_s: float) -> dict[str, float | None]:
    on_map_s = float(places.duration_s.sum())
    known = len(places.begin_s) > 0
    way_m = movement.distance_m(places)
    return {
        "average_speed": round(way_m / on_map_s, 3) if on_map_s else (0.0 if known else None),
        "max_speed": round(float(places.speed_m_s.max()), 3) if known else None,
        "total_distance": round(way_m, 3) if known else None,
        "dwell_time": round(dwell_s, 3),
    }


def _when(row: _Seen, start: datetime, end: datetime) -> dict[str, Any]:
    # a part may reach beyond what was seen
    seconds = min(row.parts * _part_s(start, end), (row.last - row.first).total_seconds())
    return {"first": isoformat(row.first), "last": isoformat(row.last), "seconds": round(seconds, 3)}


def _zones(person: Person, places: Places) -> list[dict[str, Any]]:
    found = []
    for zone in zones_of(person.environment):
        visits = movement.visits(places, zone.polygon)
        if visits is not None:
            found.append(
                {
                    "zone_id": str(zone.pk),
                    "zone": zone.slug,
                    "name": zone.name,
                    "kind": zone.kind,
                    "entries": visits.entries,
                    "dwell_time": round(visits.dwell_s, 3),
                    "first": from_seconds(visits.first_s),
                    "last": from_seconds(visits.last_s),
                }
            )
    return sorted(found, key=lambda zone: (zone["first"], zone["zone"]))


def _tasks(rows: Sequence[_Seen], start: datetime, end: datetime) -> list[dict[str, Any]]:
    tasks = ProcessingTask.objects.in_bulk([row.which for row in rows])
    return [
        {
            "task_id": str(row.which),
            "mode": tasks[row.which].mode,
            "status": tasks[row.which].status,
            **_when(row, start, end),
        }
        for row in sorted(rows, key=lambda row: (row.first, row.which))
    ]


def _history(
    person: Person, stays: Sequence[tuple[float, float]], end: datetime, points: int, slugs: dict[int, str]
) -> list[dict[str, Any]]:
    """What was seen at moments that lie evenly over the stays: one look at the index for each, however many rows."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_SEEN, {"person": person.pk, "end": end, "moments": evenly(stays, points)})
        rows = cursor.fetchall()
    return [
        {
            "timestamp": isoformat(at),
            "camera": slugs[camera],
            "track_id": track,
            "bbox": [round(v, 2) for v in box],
            "map_coords": None if x is None else [round(x, 3), round(y, 3)],
        }
        for at, camera, track, *box, x, y in rows
        if camera in slugs
    ]


def evenly(stays: Sequence[tuple[float, float]], points: int) -> list[datetime]:
    """So many moments, evenly over the stays ((from, to) in UNIX seconds), the first and the last included."""
    lengths = np.array([until - since for since, until in stays])
    before = np.concatenate([[0.0], np.cumsum(lengths)])
    into = np.linspace(0.0, before[-1], points)
    which = np.clip(np.searchsorted(before, into, side="right") - 1, 0, len(stays) - 1)
    begins = np.array([since for since, _ in stays])
    # a little early: rounding must not lead past the very row that is meant
    return [utc(second - 1e-3) for second in (begins[which] + into - before[which]).tolist()]
