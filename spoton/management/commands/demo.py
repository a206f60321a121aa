"""`manage.py demo`: the demo campus through the whole system without a browser; prints results and ends."""

import contextlib
import os
import subprocess
import sys
from argparse import ArgumentParser

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from rich.console import Console

from spoton.services import processes, spawn
from spoton.services.embedded import EmbeddedServices, ServiceError
from spoton.services.logs import LogForwarder
from spoton.services.supervisor import ChildFailedError, Supervisor

START_SECONDS = 90
TICK_SECONDS = 0.2


class Command(BaseCommand):
    help = (
        "Processes the demo campus as fast as possible on real workers and prints how good and fast it was."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seconds", type=float, help="length of the scene (default: the demo's minute)")
        parser.add_argument("--people", type=int, help="number of people (default: the demo's)")
        parser.add_argument("--seed", type=int, help="of the scene (default: the demo's)")
        parser.add_argument("--environment", default="campus", choices=("campus", "factory"))
        parser.add_argument("--detector", default="auto")
        parser.add_argument("--embedder", default="auto")

    def handle(self, **options: object) -> None:
        env = settings.ENV
        names = ("environment", "seconds", "people", "seed", "detector", "embedder")
        wish = [
            part for name in names if options[name] is not None for part in (f"--{name}", str(options[name]))
        ]
        try:
            with EmbeddedServices(
                env.var_dir, database_url=env.database_url, redis_url=env.redis_url
            ) as services:
                status = self._run(services, wish)
        except (ServiceError, ChildFailedError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("stopped") from None
        if status != 0:
            sys.exit(status)

    def _run(self, services: EmbeddedServices, wish: list[str]) -> int:
        urls = {"DATABASE_URL": services.database_url, "REDIS_URL": services.redis_url}
        env = {**os.environ, **urls}
        _manage(env, "prepare")
        # the scene first, while no worker competes for the cores
        _manage(env, "demo_run", "--only-prepare", *wish)
        specs = [*processes.workers(env, cpu_workers=settings.ENV.cpu_workers), processes.beat(env)]
        console = Console()
        log_path = settings.ENV.var_dir / "log" / "demo.log"
        with (log_path.parent / "demo.out").open("w") as quiet:
            logs = LogForwarder(quiet, log_path)
            supervisor = Supervisor(specs, logs, cwd=settings.BASE_DIR, tick=services.restart_dead)
            supervisor.handle_signals()
            try:
                with console.status(f"Starting {len(specs)} processes"):
                    supervisor.start()
                    supervisor.wait_ready(START_SECONDS)
                names = ", ".join(f"{name} {pid}" for name, pid in supervisor.pids().items())
                console.print(f"Running: {names}", style="dim", highlight=False)
                child = _start(env, "demo_run", *wish)
                while child.poll() is None and not supervisor.stopping:
                    supervisor.watch_once()
                    _wait(child)
                if supervisor.stopping:
                    child.terminate()
                    return 130
                return child.returncode
            finally:
                supervisor.stop()
                logs.close()


def _start(env: dict[str, str], *arguments: str):
    return spawn.spawn([sys.executable, str(processes.MANAGE_PY), *arguments], env=env, cwd=settings.BASE_DIR)


def _manage(env: dict[str, str], *arguments: str) -> None:
    if _start(env, *arguments).wait() != 0:
        raise CommandError(f"`manage.py {arguments[0]}` failed, see above")


def _wait(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(TICK_SECONDS)
