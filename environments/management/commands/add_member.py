"""Gives a user a role in an environment."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from environments.errors import DomainError
from environments.models import Environment, Role
from environments.services import membership_set


class Command(BaseCommand):
    help = "Make a user a member of an environment, or change the role. Users are never created here."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("environment", help="its id, for example campus")
        parser.add_argument("role", choices=Role.values)

    def handle(self, *args: Any, username: str, environment: str, role: str, **options: Any) -> None:
        users = get_user_model().objects
        try:
            user = users.get_by_natural_key(username)
        except users.model.DoesNotExist:
            raise CommandError(
                f"There is no user {username!r}. Create one with `manage.py createsuperuser` or in the admin."
            ) from None
        found = Environment.objects.filter(slug=environment).first()
        if found is None:
            known = ", ".join(Environment.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no environment {environment!r}; there are: {known}.")
        try:
            membership = membership_set(user=user, environment=found, role=role)
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(
            self.style.SUCCESS(f"{username} is now {membership.get_role_display()} of {found}.")
        )
