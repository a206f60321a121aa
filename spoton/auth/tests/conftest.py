"""A user with a password, and a cache without attempts of earlier tests."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from rest_framework.test import APIClient

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _no_earlier_attempts() -> None:
    cache.clear()


@pytest.fixture(autouse=True)
def _cheap_hashes(settings: Any) -> None:
    # real hashing is slow on purpose; one round tests the same
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada(db: None) -> Any:
    return get_user_model().objects.create_user(
        "ada", "ada@example.org", PASSWORD, first_name="Ada", last_name="Keller"
    )


@pytest.fixture
def client() -> APIClient:
    return APIClient()


@pytest.fixture
def tokens(client: APIClient, ada: Any) -> dict[str, Any]:
    """What ada got when she signed in."""
    return client.post("/api/v1/auth/login", {"username": "ada", "password": PASSWORD}).json()["data"]
