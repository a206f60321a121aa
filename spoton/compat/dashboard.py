"""The old client's dashboard; its numbers come from `spoton.compat.figures`."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from environments.errors import ValidationFailedError
from environments.selectors import environment_get
from spoton.compat.figures import figures
from spoton.health import component_states
from tracking.redis import redis_client
from tracking.single_flight import made_once

# the client asks every minute; what took long to count is kept for as many times as long
KEPT_S, KEPT_TIMES = 50, 50
MOST_HOURS = 24 * 366


def dashboard(user: Any, request: HttpRequest) -> HttpResponse:
    environment = environment_get(user=user, slug=request.GET.get("environment_id", ""))
    try:
        hours = float(request.GET.get("window_hours", "24"))
    except ValueError as error:
        raise ValidationFailedError("`window_hours` must be a number.") from error
    if not 0 < hours <= MOST_HOURS:
        raise ValidationFailedError(f"`window_hours` must be above 0 and at most {MOST_HOURS}.")
    key = f"compat-dashboard:{environment.pk}:{hours:g}"

    def make() -> bytes:
        begun, now = time.monotonic(), timezone.now()
        data = figures(environment, since=now - timedelta(hours=hours), until=now)
        body = json.dumps({"status": "success", "data": data}).encode()
        cache.set(key, body, max(KEPT_S, round(KEPT_TIMES * (time.monotonic() - begun))))
        return body

    return HttpResponse(cache.get(key) or made_once(key, make), content_type="application/json")


def statistics(user: Any, request: HttpRequest) -> dict[str, Any]:
    """Of the stores; more is not measured here."""
    states = component_states()
    service: dict[str, Any] = {"database_status": {"connected": states["database"]["status"] == "healthy"}}
    if states["redis"]["status"] == "healthy":
        clients = redis_client().info("clients")["connected_clients"]
        service["cache_stats"] = {"redis_info": {"connected_clients": clients}}
    return {"data": {"database_service": {"integrated_service": service}}}
