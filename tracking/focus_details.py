"""What viewers are told of the focused person: where they are and how they move, within one task and up to a time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Max, Min

from tracking import movement
from tracking.messages import isoformat
from tracking.models import Detection, Person, Position, ProcessingTask
from tracking.movement import Places

# the last so many places are told; older ones are the person's own history
MOST_POINTS = 50
# someone not seen for this long is in no camera now (s)
GONE_S = 2.0


def focus_details(*, task: ProcessingTask, person: Person, until: datetime | None = None) -> dict[str, Any]:
    """The focused person in this task, as far as it is processed, or up to a capture time.

    The way is taken from places a second apart, as that of `tracking.person_details`: jitter does not count as walking.
    """
    rows = Detection.objects.filter(task=task, person=person)
    places = Position.objects.filter(task=task, person=person)
    if until is not None:
        rows, places = rows.filter(captured_at__lte=until), places.filter(captured_at__lte=until)
    span = rows.aggregate(first=Min("captured_at"), last=Max("captured_at"))
    latest = list(rows.select_related("camera").order_by("-captured_at")[:MOST_POINTS])
    now = until or Detection.objects.filter(task=task).aggregate(last=Max("captured_at"))["last"]
    here = latest[0] if latest and (now - latest[0].captured_at).total_seconds() <= GONE_S else None
    duration_s = (span["last"] - span["first"]).total_seconds() if latest else 0.0
    step = max(1, round(task.fps))
    walked = places.extra(where=["instant %% %s = 0"], params=[step]).order_by("captured_at")
    path = [
        (at.timestamp(), at.timestamp(), x, y, 0.0)
        for at, x, y in walked.values_list("captured_at", "x_m", "y_m")
    ]
    distance_m = movement.distance_m(Places.of(path))
    return {
        "global_id": str(person.pk),
        "first_detected": isoformat(span["first"]) if latest else None,
        "tracking_duration": round(duration_s, 3),
        "current_camera": here.camera.slug if here else None,
        "position_history": [_point(row) for row in reversed(latest)],
        "movement_metrics": {
            "average_speed": round(distance_m / duration_s, 3) if duration_s else 0.0,
            "total_distance": round(distance_m, 3),
            "dwell_time": round(duration_s, 3),
        },
    }


def _point(row: Detection) -> dict[str, Any]:
    return {
        "timestamp": isoformat(row.captured_at),
        "camera": row.camera.slug,
        "track_id": row.track_id,
        "bbox": [round(v, 2) for v in (row.x1, row.y1, row.x2, row.y2)],
        "map_coords": None if row.map_x is None else [round(row.map_x, 3), round(row.map_y, 3)],
    }
