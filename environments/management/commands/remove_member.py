"""Takes a user out of an environment."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from environments.errors import DomainError
from environments.management.lookups import environment_named, user_named
from environments.people import membership_remove


class Command(BaseCommand):
    help = "Take a user out of an environment; the user stays."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("environment", help="its id, for example campus")

    def handle(self, *args: Any, username: str, environment: str, **options: Any) -> None:
        user, found = user_named(username), environment_named(environment)
        try:
            membership_remove(user=user, environment=found)
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(self.style.SUCCESS(f"{username} is no member of {found} any more."))
