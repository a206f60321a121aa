"""What commands are told by name."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from environments.models import Environment


def user_named(username: str) -> Any:
    """Raises CommandError when there is no such user."""
    users = get_user_model().objects
    try:
        return users.get_by_natural_key(username)
    except users.model.DoesNotExist:
        raise CommandError(
            f"There is no user {username!r}. Create one with `manage.py create_user` or in the admin."
        ) from None


def environment_named(slug: str) -> Environment:
    """Raises CommandError, which names those there are, when there is no such environment."""
    found = Environment.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Environment.objects.values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"There is no environment {slug!r}; there are: {known}.")
    return found
