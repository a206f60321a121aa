"""`manage.py prepare`: what must be done before SpotOn's processes start; quick when all is done."""

from argparse import ArgumentParser
from pathlib import Path

from django.conf import settings
from django.core.management import BaseCommand, call_command
from django.core.management.base import OutputWrapper
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def compile_loops(stdout: OutputWrapper) -> None:
    """Once for each machine and version, before a task waits for it."""
    from workers.compiled import is_compiled
    from workers.warm import warm

    if not is_compiled():
        stdout.write("Compiling the engine's loops: once, a minute or two")
        warm()


class Command(BaseCommand):
    help = (
        "Brings the database up to date, compiles the engine's loops; "
        "with --demo also the demo's footage and user."
    )

    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="prepare the demo, too")

    def handle(self, *, demo: bool, **options: object) -> None:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if pending:
            self.stdout.write(f"Bringing the database up to date ({len(pending)} migrations)")
            call_command("migrate", interactive=False, verbosity=0)
        # everything is served from where it lies; the folder only has to exist
        Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
        compile_loops(self.stdout)
        if demo:
            call_command("demo_setup")
