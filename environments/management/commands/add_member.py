"""Gives a user a role in an environment."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from environments.management.lookups import environment_named, user_named
from environments.models import Role
from environments.services import membership_set


class Command(BaseCommand):
    help = "Make a user a member of an environment, or change the role. Users are never created here."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("environment", help="its id, for example campus")
        parser.add_argument("role", choices=Role.values)

    def handle(self, *args: Any, username: str, environment: str, role: str, **options: Any) -> None:
        user, found = user_named(username), environment_named(environment)
        membership = membership_set(user=user, environment=found, role=role)
        self.stdout.write(
            self.style.SUCCESS(f"{username} is now {membership.get_role_display()} of {found}.")
        )
