"""The tests' PostgreSQL and Redis: a pytest plugin, loaded before Django reads its settings."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from spoton.services.embedded import ephemeral_services

_stack = ExitStack()


def skips_forbidden() -> bool:
    """Whether a skipped test counts as failed (SPOTON_TEST_NO_SKIP=1, as in CI)."""
    return os.environ.get("SPOTON_TEST_NO_SKIP") == "1"


def _start() -> None:
    folder = Path(tempfile.mkdtemp(prefix="spoton-test-"))
    _stack.callback(shutil.rmtree, folder, ignore_errors=True)
    services = _stack.enter_context(ephemeral_services(folder))
    os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = services.database_url, services.redis_url
    os.environ["SPOTON_VAR_DIR"] = str(folder)
    atexit.register(_stack.close)


# when the plugin is loaded, not in a hook: pytest-django reads the settings in its first hook
_start()


def pytest_unconfigure(config: pytest.Config) -> None:
    _stack.close()
