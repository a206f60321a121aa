"""Signs a user out everywhere."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from environments.management.lookups import user_named
from spoton.auth.sessions import sessions_end_all


class Command(BaseCommand):
    help = (
        "End all sign-in sessions of a user: API, console and administration. Signing in again is possible."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        sessions_end_all(user=user_named(username))
        self.stdout.write(self.style.SUCCESS(f"{username} is signed out everywhere."))
