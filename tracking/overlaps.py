"""Nobody is at two places at once: whether two persons can be the same human being."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

# two positions on the map are one place up to this distance and what both are unsure of (m): cameras disagree a little
SAME_PLACE_M = 2.0
# positions of different tasks are of one instant within this time (s): half of what lies between instants, mostly
SAME_INSTANT_S = 0.05


@dataclass(frozen=True)
class Overlap:
    """Where and when both were seen at different places. `camera`: None on the map."""

    at: datetime
    camera: str | None


def find_overlap(first: UUID, second: UUID) -> Overlap | None:
    """When two persons were at two places at once: in one camera, or far apart on the map.

    In one camera of one task, two boxes are two people. Tasks that processed the same recording may have found the
    same human being each for itself: then their boxes meet.
    """
    with connection.cursor() as cursor:
        cursor.execute(_IN_CAMERA, [first, second])
        row = cursor.fetchone()
        if row is None:
            cursor.execute(_ON_MAP, [SAME_INSTANT_S, SAME_INSTANT_S, first, second, SAME_PLACE_M])
            row = cursor.fetchone()
    return None if row is None else Overlap(*row)


# boxes with confidence 0 are not seen but bridged
_IN_CAMERA = """
    SELECT a.captured_at, c.slug FROM tracking_detection a
    JOIN tracking_detection b ON b.captured_at = a.captured_at AND b.camera_id = a.camera_id
    JOIN environments_camera c ON c.id = a.camera_id
    WHERE a.person_id = %s AND b.person_id = %s AND a.confidence > 0 AND b.confidence > 0
    AND (a.task_id = b.task_id OR a.x2 < b.x1 OR b.x2 < a.x1 OR a.y2 < b.y1 OR b.y2 < a.y1)
    ORDER BY a.captured_at LIMIT 1"""
_ON_MAP = """
    SELECT a.captured_at, NULL FROM tracking_position a
    JOIN tracking_position b ON b.captured_at
        BETWEEN a.captured_at - make_interval(secs => %s) AND a.captured_at + make_interval(secs => %s)
    WHERE a.person_id = %s AND b.person_id = %s
    AND sqrt((a.x_m - b.x_m) ^ 2 + (a.y_m - b.y_m) ^ 2) > %s + a.sigma_m + b.sigma_m
    ORDER BY a.captured_at LIMIT 1"""
