"""The yard of `tracking.tests` with two persons walking through it."""

from __future__ import annotations

from tracking.tests.conftest import (  # noqa: F401 - fixtures
    _empty_redis,
    _own_connections,
    api_of,
    operator,
    running,
    stranger,
    task,
    viewer,
    yard,
)
