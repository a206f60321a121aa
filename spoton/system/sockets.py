"""`/ws/system`: the state of components, cameras and queues, for operators."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

from environments.models import Environment, Role
from environments.selectors import environments_with_role
from spoton.system.updates import system_update
from tracking.sockets.described import ALWAYS_RECEIVED, ALWAYS_SENT, Channel, numbered
from tracking.sockets.steady import SteadySocket


class SystemSocket(SteadySocket):
    """One viewer of the system; cameras are those of the environments in which they are an operator."""

    kind = "system_update"
    least_s = most_s = 2.0
    environments: list[Environment]

    def admit(self, user: Any) -> None:
        self.environments = environments_with_role(user=user, role=Role.OPERATOR)

    def group(self) -> str:
        return "system"

    def same_for(self) -> Hashable:
        return tuple(environment.pk for environment in self.environments)

    def tell(self) -> str:
        return json.dumps(system_update(self.environments))


_UPDATE = {
    "type": "object",
    "required": ["status", "components", "cameras", "queues"],
    "description": "Of GET /api/v1/system/status, /cameras/status and /performance what changes.",
}
CHANNELS = (
    Channel(
        "system",
        "/ws/system",
        "Components, cameras and queues, every two seconds. For operators of some environment.",
        {},
        (numbered("system_update", _UPDATE, "How everything is."), *ALWAYS_SENT),
        ALWAYS_RECEIVED,
    ),
)
