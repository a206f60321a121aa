"""The figures of now that the analytics socket sends: counts, dwell, density and alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analytics.occupancy import live_metrics
from environments.models import Environment

NOTHING: dict[str, Any] = {
    "timestamp": None,
    "total_persons": 0,
    "persons_per_camera": {},
    "zone_occupancy": [],
    "avg_dwell_time": None,
    "crowd_density": 0.0,
}


def analytics_update(environment: Environment) -> dict[str, Any]:
    """The payload of `analytics_update`, from the environment's running (or last) task."""
    metrics = live_metrics(environment) or NOTHING
    shown = ("total_persons", "persons_per_camera", "zone_occupancy", "avg_dwell_time", "crowd_density")
    return {
        "environment_id": environment.slug,
        "timestamp": metrics["timestamp"],
        "live_metrics": {name: metrics[name] for name in shown},
        "alerts": alerts_of(metrics["zone_occupancy"]),
    }


def alerts_of(zones: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """`high_occupancy` for every zone that holds more persons than it should."""
    return [
        {
            "type": "high_occupancy",
            "zone": zone["slug"],
            "count": zone["persons"],
            "threshold": zone["max_persons"],
        }
        for zone in zones
        if zone["max_persons"] is not None and zone["persons"] > zone["max_persons"]
    ]
