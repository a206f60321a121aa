"""Users and their roles in environments, as commands manage them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from environments.errors import NotFoundError, ValidationFailedError
from environments.models import Environment, Membership, Role
from environments.services import membership_set


@dataclass(frozen=True)
class Member:
    """One role of one user; `environment` and `name` are None for a superuser, who is Admin everywhere."""

    environment: str | None
    name: str | None
    username: str
    full_name: str
    email: str
    role: Role
    is_active: bool
    last_login: datetime | None


def password_generate() -> str:
    """A password nobody can guess (96 bits)."""
    return secrets.token_urlsafe(12)


@transaction.atomic
def user_create(
    *,
    username: str,
    password: str,
    email: str = "",
    is_superuser: bool = False,
    roles: Iterable[tuple[Environment, Role | str]] = (),
) -> Any:
    """Create a user with roles; everything or nothing.

    Args:
        is_superuser: may do everything everywhere, in the administration too.

    Raises:
        ValidationFailedError: the name is taken or impossible, the password too weak, or there is no such role.
    """
    User = get_user_model()
    user = User(username=username, email=email, is_superuser=is_superuser, is_staff=is_superuser)
    try:
        validate_password(password, user)
        user.set_password(password)
        user.full_clean()
    except ValidationError as error:
        raise ValidationFailedError(" ".join(error.messages)) from error
    user.save()
    for environment, role in roles:
        membership_set(user=user, environment=environment, role=role)
    return user


def role_change(*, user: Any, environment: Environment, role: Role | str) -> Membership:
    """Give a member another role.

    Raises:
        NotFoundError: the user is no member.
        ValidationFailedError: no such role.
    """
    if not Membership.objects.filter(user=user, environment=environment).exists():
        raise NotFoundError(f"{user.get_username()} is no member of {environment}; use add_member.")
    return membership_set(user=user, environment=environment, role=role)


def membership_remove(*, user: Any, environment: Environment) -> None:
    """Take a user out of an environment.

    Raises:
        NotFoundError: the user is no member.
    """
    membership = Membership.objects.filter(user=user, environment=environment).first()
    if membership is None:
        raise NotFoundError(f"{user.get_username()} is no member of {environment}.")
    membership.delete()


def members(environment: Environment | None = None) -> list[Member]:
    """Who may see the environment, or any: superusers first, then by environment and user name."""
    superusers = get_user_model().objects.filter(is_superuser=True).order_by("username")
    rows = Membership.objects.select_related("user", "environment")
    if environment is not None:
        rows = rows.filter(environment=environment)
    return [
        *(_member(user, None, Role.ADMIN) for user in superusers),
        *(
            _member(row.user, row.environment, Role(row.role))
            for row in rows.order_by("environment__slug", "user__username")
        ),
    ]


def _member(user: Any, environment: Environment | None, role: Role) -> Member:
    return Member(
        environment=environment and environment.slug,
        name=environment and environment.name,
        username=user.get_username(),
        full_name=user.get_full_name(),
        email=user.email,
        role=role,
        is_active=user.is_active,
        last_login=user.last_login,
    )
