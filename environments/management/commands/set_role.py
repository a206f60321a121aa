"""Gives a member of an environment another role."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from environments.errors import DomainError
from environments.management.lookups import environment_named, user_named
from environments.models import Role
from environments.people import role_change


class Command(BaseCommand):
    help = "Change the role of a member of an environment."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("environment", help="its id, for example campus")
        parser.add_argument("role", choices=Role.values)

    def handle(self, *args: Any, username: str, environment: str, role: str, **options: Any) -> None:
        user, found = user_named(username), environment_named(environment)
        try:
            membership = role_change(user=user, environment=found, role=role)
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(
            self.style.SUCCESS(f"{username} is now {membership.get_role_display()} of {found}.")
        )
