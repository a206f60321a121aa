"""`manage.py workers`: this host's Celery workers, one perceive worker per GPU or share of the cores."""

import os
import sys
from argparse import ArgumentParser

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from spoton.management.commands.prepare import compile_loops
from spoton.services import processes
from spoton.services.logs import LogForwarder
from spoton.services.supervisor import Supervisor


class Command(BaseCommand):
    help = (
        "Runs this host's workers until Ctrl-C. On further hosts, set DATABASE_URL and REDIS_URL to those of "
        "the first. Hosts share the device queues (gpu.0, cpu.0, ...): workers of one name take turns."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--only",
            action="append",
            choices=processes.WORKER_KINDS,
            help="run only workers of this kind; may be given more than once",
        )

    def handle(self, *, only: list[str] | None, **options: object) -> None:
        if not (settings.DATABASE_URL and settings.REDIS_URL):
            raise CommandError(
                "No services to work for: set DATABASE_URL and REDIS_URL, or run `make up` here "
                "(which starts its own workers)"
            )
        compile_loops(self.stdout)
        env = {**os.environ, "DATABASE_URL": settings.DATABASE_URL, "REDIS_URL": settings.REDIS_URL}
        kinds = only or processes.WORKER_KINDS
        specs = processes.workers(
            env,
            cpu_workers=settings.ENV.cpu_workers,
            associate_workers=settings.ENV.associate_workers,
            only=kinds,
        )
        width = max(len(spec.name) for spec in specs)
        json_lines = settings.ENV.log_format == "json"
        logs = LogForwarder(
            sys.stdout, settings.ENV.var_dir / "log" / "workers.log", width=width, json_lines=json_lines
        )
        supervisor = Supervisor(specs, logs, cwd=settings.BASE_DIR)
        supervisor.handle_signals()
        try:
            supervisor.start()
            for name, pid in supervisor.pids().items():
                logs.line(name, f"started, process {pid}")
            supervisor.run()
        finally:
            supervisor.stop()
            logs.close()
