"""A world to ask about over REST."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction

from environments.redis import redis_client
from spoton.tests.authorisation_world import FAST_HASHES, World, build_world


@pytest.fixture
def world(db: None, settings: Any, tmp_path: Any) -> World:
    """One environment with something of everything, and callers with tokens; see `authorisation_world`."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.PASSWORD_HASHERS = FAST_HASHES
    redis_client().flushall()
    return build_world()


@contextmanager
def undone() -> Iterator[None]:
    """What is changed inside is taken back: the next request meets the same world."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
