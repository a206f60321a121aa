"""Health: is the process alive, and can it do its work. Tells no secrets."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.http import HttpRequest, JsonResponse

from environments.redis import redis_client
from spoton.api.envelope import timestamp_utc
from spoton.api.methods import read_only
from tracking.devices import live_workers

# without one of each, tasks do not go on or pictures are missing
NEEDED = ("associate", "background", "maintenance", "media")


@read_only
def live(request: HttpRequest) -> JsonResponse:
    """The web process answers."""
    return JsonResponse({"status": "healthy", "timestamp": timestamp_utc()})


@read_only
def ready(request: HttpRequest) -> JsonResponse:
    """Database and Redis answer: requests can be served."""
    return _answer({"database": _database(), "redis": _redis()})


@read_only
def health(request: HttpRequest) -> JsonResponse:
    """Everything the product needs; without workers it is degraded, without its stores unhealthy."""
    return _answer(component_states())


def component_states() -> dict[str, dict[str, Any]]:
    """Database, Redis and workers, each with its status, and what is wrong with it."""
    components = {"database": _database(), "redis": _redis()}
    components["workers"] = (
        _workers() if components["redis"]["status"] == "healthy" else {"status": "unhealthy"}
    )
    return components


def overall(components: dict[str, dict[str, Any]]) -> str:
    stores_up = all(components[name]["status"] == "healthy" for name in ("database", "redis"))
    all_up = all(component["status"] == "healthy" for component in components.values())
    return "healthy" if all_up else "degraded" if stores_up else "unhealthy"


def _answer(components: dict[str, dict[str, Any]]) -> JsonResponse:
    status = overall(components)
    body = {"status": status, "components": components, "timestamp": timestamp_utc()}
    return JsonResponse(body, status=503 if status == "unhealthy" else 200)


def _database() -> dict[str, Any]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception:
        return {"status": "unhealthy", "message": "The database does not answer."}
    return {"status": "healthy"}


def _redis() -> dict[str, Any]:
    try:
        redis_client().ping()
    except Exception:
        return {"status": "unhealthy", "message": "Redis does not answer."}
    return {"status": "healthy"}


def _workers() -> dict[str, Any]:
    workers = live_workers()
    devices = sorted(queue for queue in workers.values() if queue)
    if not devices:
        return {"status": "degraded", "message": "No perceive worker is running; start `manage.py workers`."}
    kinds = {name.split("@")[0].split("-")[0] for name in workers}
    missing = sorted(kind for kind in NEEDED if kind not in kinds)
    if missing:
        return {
            "status": "degraded",
            "message": f"No worker of these kinds is running: {', '.join(missing)}.",
        }
    return {"status": "healthy", "count": len(workers), "devices": devices}
