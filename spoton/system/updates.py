"""What `/ws/system` sends: of the system's state what changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from environments.models import Environment
from spoton.health import component_states, overall
from spoton.system.selectors import cameras_status
from tracking import performance
from tracking.devices import live_workers
from tracking.messages import isoformat


def system_update(environments: Sequence[Environment]) -> dict[str, Any]:
    """Components, tasks and queues of the whole system; cameras of these environments."""
    components = component_states()
    stores_are_up = all(components[name]["status"] == "healthy" for name in ("database", "redis"))
    workers = live_workers() if stores_are_up else {}
    return {
        "timestamp": isoformat(timezone.now()),
        "status": overall(components),
        "components": components,
        "tasks": performance.tasks_by_status() if stores_are_up else {},
        "queues": performance.queue_lengths(workers) if stores_are_up else {},
        "workers": performance.workers_by_queue(workers),
        "cameras": cameras_status(environments) if stores_are_up else [],
    }
