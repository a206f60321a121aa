"""Lists who may see which environment."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console
from rich.table import Table
from rich.text import Text

from environments.management.lookups import environment_named
from environments.people import Member, members
from environments.spans import isoformat


class Command(BaseCommand):
    help = "List the members of all environments or of one, with superusers, who are Admin everywhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("environment", nargs="?", help="its id, for example campus; all without it")
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")

    def handle(self, *args: Any, environment: str | None, json: bool, **options: Any) -> None:
        found = members(environment_named(environment) if environment else None)
        if json:
            self.stdout.write(_as_json(found))
        else:
            Console(file=self.stdout).print(_as_table(found))


def _as_json(found: list[Member]) -> str:
    rows = [asdict(m) | {"last_login": m.last_login and isoformat(m.last_login)} for m in found]
    return json.dumps(rows, indent=2)


def _as_table(found: list[Member]) -> Table:
    table = Table("Environment", "User", "Name", "Role", "Active", "Last sign-in (UTC)")
    for m in found:
        # as text: names may hold what rich takes for markup
        cells = (
            m.environment or "(all)",
            m.username,
            m.full_name or m.email,
            m.role.label,
            "yes" if m.is_active else "no",
            f"{m.last_login:%Y-%m-%d %H:%M}" if m.last_login else "never",
        )
        table.add_row(*map(Text, cells))
    return table
