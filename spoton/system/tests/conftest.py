"""The yard of `tracking.tests`, with two committed batches where a test asks for `running`."""

from __future__ import annotations

from typing import Any

import pytest

from environments.models import Role
from tracking.tests import factories
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


@pytest.fixture
def admin(yard: Any) -> Any:  # noqa: F811
    return factories.person("ada", yard, Role.ADMIN)


@pytest.fixture
def superuser(db: None) -> Any:
    return factories.person("root", is_superuser=True)
