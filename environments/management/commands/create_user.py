"""Creates a user, with roles in environments."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from environments.errors import DomainError
from environments.management.lookups import environment_named
from environments.models import Environment, Role
from environments.people import password_generate, user_create


class Command(BaseCommand):
    help = "Create a user. The password is asked for, read from a file, or generated and shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--email", default="")
        password = parser.add_mutually_exclusive_group()
        password.add_argument("--password-file", type=Path, help="its first line is the password")
        password.add_argument(
            "--generate-password", action="store_true", help="make a password and print it, once"
        )
        parser.add_argument("--superuser", action="store_true", help="may do everything, everywhere")
        parser.add_argument(
            "--member",
            action="append",
            default=[],
            metavar="ENVIRONMENT:ROLE",
            help=f"for example campus:operator ({', '.join(Role.values)}); may be given more than once",
        )

    def handle(self, *args: Any, username: str, email: str, superuser: bool, **options: Any) -> None:
        roles = [_role(text) for text in options["member"]]
        password = _password(options["password_file"], options["generate_password"])
        try:
            user_create(
                username=username, password=password, email=email, is_superuser=superuser, roles=roles
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        what = "Admin everywhere" if superuser else ", ".join(f"{Role(r).label} of {e}" for e, r in roles)
        self.stdout.write(self.style.SUCCESS(f"{username} is created: {what or 'no role yet'}."))
        if options["generate_password"]:
            self.stdout.write(f"Password (it is not shown again): {password}")


def _role(text: str) -> tuple[Environment, str]:
    slug, colon, role = text.partition(":")
    if not colon or role not in Role.values:
        raise CommandError(
            f"--member {text!r} must be ENVIRONMENT:ROLE with a role of {', '.join(Role.values)}."
        )
    return environment_named(slug), role


def _password(file: Path | None, generate: bool) -> str:
    if generate:
        return password_generate()
    if file is not None:
        try:
            password = (file.read_text("utf-8").splitlines() or [""])[0]
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"The password file cannot be read: {error}") from error
        if not password:
            raise CommandError(f"The first line of {file} is empty.")
        return password
    if not sys.stdin.isatty():
        raise CommandError(
            "There is no terminal to ask for a password: use --password-file or --generate-password."
        )
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Again: "):
        raise CommandError("The two passwords differ; nothing was created.")
    return password
