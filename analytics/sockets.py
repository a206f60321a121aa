"""`/ws/analytics/{env_id}`: live figures of an environment, with alerts."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

from typing_extensions import TypedDict

from analytics.live import analytics_update
from environments.models import Environment
from environments.notices import environment_group
from environments.selectors import environment_get
from tracking.sockets.described import ALWAYS_RECEIVED, ALWAYS_SENT, Channel, numbered
from tracking.sockets.steady import SteadySocket


class AnalyticsSocket(SteadySocket):
    """One viewer of an environment's figures: at once, and at most every second while something is processed."""

    kind = "analytics_update"
    environment: Environment

    def admit(self, user: Any) -> None:
        slug = self.scope["url_route"]["kwargs"]["env_id"]
        self.environment = environment_get(user=user, slug=slug)

    def group(self) -> str:
        return environment_group(self.environment.pk)

    def same_for(self) -> Hashable:
        return self.environment.pk

    def tell(self) -> str:
        return json.dumps(analytics_update(self.environment))


class AnalyticsUpdate(TypedDict):
    environment_id: str
    timestamp: str | None
    live_metrics: dict[str, Any]
    alerts: list[dict[str, Any]]


CHANNELS = (
    Channel(
        "analytics",
        "/ws/analytics/{env_id}",
        "Live figures of an environment, with alerts.",
        {"env_id": "Slug of an environment."},
        (numbered("analytics_update", AnalyticsUpdate, "Counts, dwell and alerts of now."), *ALWAYS_SENT),
        ALWAYS_RECEIVED,
    ),
)
