"""Having models read from their files again: workers compare a mark in Redis before each message."""

from __future__ import annotations

import uuid

from environments.redis import redis_client

_KEY = "spoton:models"


def models_generation() -> bytes:
    """Another value than before: what is loaded is out of date."""
    return redis_client().get(_KEY) or b""


def models_reload() -> None:
    """Let every worker drop its models before its next message and load them anew when it needs them."""
    redis_client().set(_KEY, uuid.uuid4().hex)
