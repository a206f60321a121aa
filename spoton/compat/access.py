"""Who acts for the old client: a user of its own, with a role in the named environments and nowhere else."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import transaction

from environments.errors import PermissionDeniedError
from environments.models import Environment, Membership, Role

USERNAME = "web-client"
# memberships are compared with the setting this often
FRESH_S = 30


def enabled() -> bool:
    return bool(settings.ENV.compat_environments)


def client_user() -> Any:
    """The user who stands for everybody who uses the old client.

    Nobody can sign in as them. They go through the same checks as everybody else, so an administrator sees what they
    do, and ends it by taking the environment out of the setting or by making the user inactive.

    Raises:
        PermissionDeniedError: somebody else has this name.
    """
    user = get_user_model().objects.filter(username=USERNAME).first()
    named = ",".join(settings.ENV.compat_environments)
    if user is None or cache.add(f"compat-memberships:{named}", 1, FRESH_S):
        user = _prepared()
    if user.has_usable_password() or user.is_staff or user.is_superuser:
        # anonymous requests must never act as a person, nor with more rights than an operator's
        raise PermissionDeniedError(
            f"The user {USERNAME} has a password or is staff, so it cannot stand for the old client: rename it."
        )
    return user


@transaction.atomic
def _prepared() -> Any:
    user, created = get_user_model().objects.get_or_create(
        username=USERNAME, defaults={"first_name": "Web client", "last_name": "(anonymous)"}
    )
    if created:
        user.set_unusable_password()
        user.save()
    named = Environment.objects.filter(slug__in=settings.ENV.compat_environments)
    for membership in Membership.objects.filter(user=user).exclude(environment__in=named):
        membership.delete()
    for environment in named:
        Membership.objects.get_or_create(user=user, environment=environment, defaults={"role": Role.OPERATOR})
    return user
