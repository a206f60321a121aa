"""A user's preferences."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from environments.errors import EnvironmentNotFoundError, ValidationFailedError
from environments.models import Preferences
from environments.selectors import environment_get, role_of

NOTHING_SET: dict[str, Any] = {"default_environment": None, "overlay": {}, "layout": {}}


def preferences_of(user: Any) -> Preferences:
    """What the user has set, or what holds until then (not stored).

    A default environment that the user may not see any more is none.
    """
    row = Preferences.objects.select_related("default_environment").filter(user=user).first()
    if row is None:
        return Preferences(user=user)
    default = row.default_environment
    if default is not None and not (default.is_active and role_of(user=user, environment=default)):
        row.default_environment = None
    return row


@transaction.atomic
def preferences_set(*, user: Any, fields: dict[str, Any], replace: bool) -> Preferences:
    """Set some preferences.

    Args:
        fields: of `NOTHING_SET`; `default_environment` is a slug or None.
        replace: what is not among `fields` goes back to nothing; else it stays.

    Raises:
        ValidationFailedError: the default environment is unknown or not visible to the user.
    """
    fields = {**NOTHING_SET, **fields} if replace else dict(fields)
    slug = fields.get("default_environment")
    if slug is not None:
        try:
            fields["default_environment"] = environment_get(user=user, slug=slug)
        except EnvironmentNotFoundError as error:
            raise ValidationFailedError(
                error.message, details={"fields": {"default_environment": [error.message]}}
            ) from error
    Preferences.objects.get_or_create(user=user)
    row = Preferences.objects.select_for_update().get(user=user)
    for name, value in fields.items():
        setattr(row, name, value)
    row.save()
    return preferences_of(user)
