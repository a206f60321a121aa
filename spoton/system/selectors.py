"""What operators are told of the running system over REST, within the environments they may see."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from django.db import connection

from environments.models import Camera, Environment
from environments.redis import redis_client
from spoton.health import component_states, overall
from tracking import metrics, performance
from tracking.devices import live_workers
from tracking.gpus import gpus
from tracking.messages import from_seconds

_PACKAGES = ("django", "celery", "channels", "numpy", "onnxruntime", "av")


def system_status() -> dict[str, Any]:
    """Components, their versions, and how many tasks run."""
    components = component_states()
    up = {name for name, component in components.items() if component["status"] == "healthy"}
    return {
        "status": overall(components),
        "components": components,
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in _PACKAGES},
            **(_database_versions() if "database" in up else {}),
            **({"redis": redis_client().info("server")["redis_version"]} if "redis" in up else {}),
        },
        "tasks": performance.tasks_by_status() if "database" in up else {},
    }


def _database_versions() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (server,) = cursor.fetchone()
        cursor.execute(
            "SELECT extname, extversion FROM pg_extension WHERE extname IN ('vector', 'timescaledb')"
        )
        return {"postgresql": server, **dict(cursor.fetchall())}


def system_performance(environments: Sequence[Environment]) -> dict[str, Any]:
    """Stage times, throughput, queues and devices of the whole system; cameras of these environments."""
    workers, recent = live_workers(), performance.recent()
    figures = recent.cameras
    slugs = {environment.slug for environment in environments}
    return {
        "stages": recent.stages,
        "frames_per_second": round(sum(camera.fps or 0.0 for camera in figures), 2),
        "tasks": performance.tasks_by_status(),
        "queues": performance.queue_lengths(workers),
        "workers": performance.workers_by_queue(workers),
        "devices": gpus(workers),
        "cameras": [
            {
                "environment_id": camera.environment,
                "camera_id": camera.camera,
                **_figures(camera),
            }
            for camera in figures
            if camera.environment in slugs
        ],
    }


def cameras_status(environments: Sequence[Environment]) -> list[dict[str, Any]]:
    """Every camera of these environments, also those that nobody processes now."""
    slugs = {environment.slug for environment in environments}
    # the newest task that has the camera
    running = {(c.environment, c.camera): c for c in reversed(performance.recent().cameras)}
    cameras = Camera.objects.filter(environment__slug__in=slugs).select_related("environment")
    published = metrics.last_published()
    states = []
    for camera in cameras.order_by("environment__slug", "slug"):
        key = (camera.environment.slug, camera.slug)
        last_frame_s = published.get(key, {}).get("captured_at")
        idle = performance.CameraFigures(*key, None, None, None, 0, [], last_frame_s)
        states.append(
            {
                "environment_id": key[0],
                "camera_id": key[1],
                "name": camera.name,
                "state": "processing" if key in running else "idle",
                **_figures(running.get(key, idle)),
            }
        )
    return states


def _figures(camera: performance.CameraFigures) -> dict[str, Any]:
    return {
        "task_id": camera.task_id,
        "fps": camera.fps,
        "lag_s": camera.lag_s,
        "dropped": camera.dropped,
        "problems": camera.problems,
        "last_frame_at": None if camera.last_frame_s is None else from_seconds(camera.last_frame_s),
    }
