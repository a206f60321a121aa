"""The old client's dashboard; its numbers come from `spoton.compat.figures`."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from environments.errors import DomainError, ValidationFailedError
from environments.models import Environment
from environments.redis import redis_client
from environments.selectors import environment_get
from spoton.compat.figures import figures
from spoton.health import component_states

# the client asks every minute; what took long to count (about 1 s for a million detections) is kept for longer
KEPT_S, KEPT_TIMES = 50, 50
# the client waits for 15 s; whoever counts may take longer, and those who come meanwhile do not count too
PATIENCE_S, LONGEST_S, LOOK_S = 10.0, 600, 0.25
MOST_HOURS = 24 * 366


class StillCountingError(DomainError):
    code = "service_unavailable"
    status = 503


def dashboard(user: Any, request: HttpRequest) -> HttpResponse:
    environment = environment_get(user=user, slug=request.GET.get("environment_id", ""))
    try:
        hours = float(request.GET.get("window_hours", "24"))
    except ValueError as error:
        raise ValidationFailedError("`window_hours` must be a number.") from error
    if not 0 < hours <= MOST_HOURS:
        raise ValidationFailedError(f"`window_hours` must be above 0 and at most {MOST_HOURS}.")
    key = f"compat-dashboard:{environment.pk}:{hours:g}"
    return HttpResponse(cache.get(key) or _counted(key, environment, hours), content_type="application/json")


def _counted(key: str, environment: Environment, hours: float) -> bytes:
    lock = f"{key}:counting"
    if not cache.add(lock, 1, LONGEST_S):
        return _from_who_counts(key)
    try:
        begun, now = time.monotonic(), timezone.now()
        data = figures(environment, since=now - timedelta(hours=hours), until=now)
        body = json.dumps({"status": "success", "data": data}).encode()
        cache.set(key, body, max(KEPT_S, round(KEPT_TIMES * (time.monotonic() - begun))))
        return body
    finally:
        cache.delete(lock)


def _from_who_counts(key: str) -> bytes:
    give_up_at = time.monotonic() + PATIENCE_S
    while (body := cache.get(key)) is None:
        if time.monotonic() >= give_up_at:
            raise StillCountingError(
                "This window is being counted, which takes a while; look again in a minute."
            )
        time.sleep(LOOK_S)
    return body


def statistics(user: Any, request: HttpRequest) -> dict[str, Any]:
    """Of the stores; more is not measured here."""
    states = component_states()
    service: dict[str, Any] = {"database_status": {"connected": states["database"]["status"] == "healthy"}}
    if states["redis"]["status"] == "healthy":
        clients = redis_client().info("clients")["connected_clients"]
        service["cache_stats"] = {"redis_info": {"connected_clients": clients}}
    return {"data": {"database_service": {"integrated_service": service}}}
