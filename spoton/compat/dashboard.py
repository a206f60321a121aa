"""The old client's dashboard: what was measured, and nothing else.

Blocks for which nothing is measured are left out, which that client takes; a half-filled one would crash it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from environments.errors import ValidationFailedError
from environments.models import Environment
from environments.selectors import cameras_of, environment_get
from spoton.health import component_states
from tracking.messages import isoformat
from tracking.models import ProcessingTask
from tracking.redis import redis_client

# the client asks every minute; a year of detections takes a while to count
KEPT_S = 50
MOST_HOURS = 24 * 366
BUCKETS = 48
# upper ends of the groups into which stays in a camera's view are sorted (s)
STAYS_S = (10, 30, 60, 300)

_VIEWS = """
    SELECT d.camera_id, d.person_id, count(*) AS n, avg(d.confidence) AS confidence,
           extract(epoch FROM max(d.captured_at) - min(d.captured_at)) AS stay_s
    FROM tracking_detection d JOIN tracking_processingtask t ON t.id = d.task_id
    WHERE t.environment_id = %s AND d.captured_at >= %s AND d.captured_at < %s
    GROUP BY d.camera_id, d.person_id
"""
_BUCKETS = """
    SELECT date_bin(%s, d.captured_at, %s), count(*)
    FROM tracking_detection d JOIN tracking_processingtask t ON t.id = d.task_id
    WHERE t.environment_id = %s AND d.captured_at >= %s AND d.captured_at < %s
    GROUP BY 1 ORDER BY 1
"""


def dashboard(user: Any, request: HttpRequest) -> dict[str, Any]:
    environment = environment_get(user=user, slug=request.GET.get("environment_id", ""))
    try:
        hours = float(request.GET.get("window_hours", "24"))
    except ValueError as error:
        raise ValidationFailedError("`window_hours` must be a number.") from error
    if not 0 < hours <= MOST_HOURS:
        raise ValidationFailedError(f"`window_hours` must be above 0 and at most {MOST_HOURS}.")
    key = f"compat-dashboard:{environment.pk}:{hours}"
    data = cache.get(key)
    if data is None:
        data = dashboard_data(
            environment, since=timezone.now() - timedelta(hours=hours), until=timezone.now()
        )
        cache.set(key, data, KEPT_S)
    return {"status": "success", "data": data}


def dashboard_data(environment: Environment, *, since: datetime, until: datetime) -> dict[str, Any]:
    """Of what was captured in [since, until)."""
    names = {camera.pk: camera.slug for camera in cameras_of(environment)}
    with connection.cursor() as cursor:
        cursor.execute(_VIEWS, [environment.pk, since, until])
        views = [row for row in cursor.fetchall() if row[0] in names]
    uptimes = _uptimes(environment, since, until)
    total = sum(n for _, _, n, _, _ in views)
    cameras = []
    for camera_id, slug in names.items():
        own = [view for view in views if view[0] == camera_id]
        cameras.append(
            {
                "camera_id": slug,
                "detections": sum(n for _, _, n, _, _ in own),
                "unique_entities": len(own),
                "average_confidence_percent": _confidence(own),
                "uptime_percent": uptimes.get(slug, 0.0),
            }
        )
    data: dict[str, Any] = {
        "summary": {
            "total_detections": total,
            "average_confidence_percent": _confidence(views),
            "system_uptime_percent": max(uptimes.values(), default=0.0),
        },
        "cameras": cameras,
        "charts": {"detections_per_bucket": _buckets(environment, views, since, until)},
    }
    if views:
        stays = [float(stay_s) for *_, stay_s in views]
        data["person_statistics"] = {
            "uniquePersons": len({person for _, person, *_ in views}),
            "averageDetectionTime": round(sum(stays) / len(stays), 2),
        }
        data["dwell_time"] = {"data": _dwell(names, views), "trends": None}
    return data


def statistics(user: Any, request: HttpRequest) -> dict[str, Any]:
    """Of the stores; more is not measured here."""
    states = component_states()
    service: dict[str, Any] = {"database_status": {"connected": states["database"]["status"] == "healthy"}}
    if states["redis"]["status"] == "healthy":
        clients = redis_client().info("clients")["connected_clients"]
        service["cache_stats"] = {"redis_info": {"connected_clients": clients}}
    return {"data": {"database_service": {"integrated_service": service}}}


def _confidence(views: list[tuple]) -> float:
    total = sum(n for _, _, n, _, _ in views)
    return round(100 * sum(n * confidence for _, _, n, confidence, _ in views) / total, 2) if total else 0.0


def _buckets(
    environment: Environment, views: list[tuple], since: datetime, until: datetime
) -> list[dict[str, Any]]:
    if not views:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_BUCKETS, [(until - since) / BUCKETS, since, environment.pk, since, until])
        return [{"timestamp": isoformat(begin), "detections": n} for begin, n in cursor.fetchall()]


def _uptimes(environment: Environment, since: datetime, until: datetime) -> dict[str, float]:
    """Per camera the share of frames that came, of those that were due in tasks of this window (per cent)."""
    came: dict[str, int] = {}
    due: dict[str, int] = {}
    tasks = ProcessingTask.objects.filter(environment=environment, start__lt=until, batches_done__gt=0)
    for task in tasks.filter(Q(end=None) | Q(end__gte=since)):
        instants = task.batches_done * (task.plan["batch_instants"] if task.end else 1)
        for slug in task.cameras:
            came[slug] = came.get(slug, 0) + task.camera_totals.get(slug, {}).get("frames", 0)
            due[slug] = due.get(slug, 0) + instants
    return {slug: round(min(100.0, 100 * came[slug] / due[slug]), 2) for slug in due if due[slug]}


def _dwell(names: dict[Any, str], views: list[tuple]) -> list[dict[str, Any]]:
    found = []
    for camera_id, slug in names.items():
        own = sorted(
            (float(stay_s), float(confidence)) for c, _, _, confidence, stay_s in views if c == camera_id
        )
        if not own:
            continue
        stays = [stay_s for stay_s, _ in own]
        middle = len(stays) // 2
        found.append(
            {
                "cameraId": slug,
                "averageDwellTime": round(sum(stays) / len(stays), 2),
                "medianDwellTime": round((stays[middle] + stays[-middle - 1]) / 2, 2),
                "minDwellTime": round(stays[0], 2),
                "maxDwellTime": round(stays[-1], 2),
                "dwellTimeDistribution": _distribution(own),
            }
        )
    return found


def _distribution(own: list[tuple[float, float]]) -> list[dict[str, Any]]:
    edges = [0.0, *STAYS_S, float("inf")]
    groups = []
    for low, high in pairwise(edges):
        inside = [confidence for stay_s, confidence in own if low <= stay_s < high]
        if inside:
            groups.append(
                {
                    "range": f"{low:g}-{high:g}s" if high < float("inf") else f"{low:g}s+",
                    "count": len(inside),
                    "percentage": round(100 * len(inside) / len(own), 2),
                    "avgConfidence": round(sum(inside) / len(inside), 4),
                }
            )
    return groups
