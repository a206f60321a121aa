"""`manage.py up`: the whole of SpotOn on this machine, until Ctrl-C."""

import os
import signal
import sys
import time
from argparse import ArgumentParser

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from spoton.compat.announcement import announcement
from spoton.services import processes, spawn
from spoton.services.embedded import EmbeddedServices, ServiceError
from spoton.services.logs import LogForwarder
from spoton.services.supervisor import ChildFailedError, ChildSpec, Supervisor

FLOWER_PORT = 5555
DEMO_CAMERAS_PORT = 8554
START_SECONDS = 90


class Command(BaseCommand):
    help = "Starts PostgreSQL and Redis (unless DATABASE_URL and REDIS_URL are set), web, workers, Flower."

    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port, or the next free one (%(default)s)")
        parser.add_argument("--demo", action="store_true", help="prepare the demo and process it at once")
        parser.add_argument("--no-flower", action="store_true", help="without Flower")

    def handle(self, *, host: str, port: int, demo: bool, no_flower: bool, **options: object) -> None:
        # until the children run, SIGTERM unwinds like Ctrl-C, so that nothing started stays behind
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        env = settings.ENV
        console = Console(highlight=False)
        services = EmbeddedServices(env.var_dir, database_url=env.database_url, redis_url=env.redis_url)
        try:
            processes.free_port(host, port)  # an impossible address fails here, not after the preparations
            with services:
                console.print("Services are running", style="dim")
                _Run(console, services, host, port, demo=demo, flower=not no_flower).run()
        except (ServiceError, ChildFailedError, processes.NoFreePortError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            pass
        console.print("Stopped.")


class _Run:
    """One run, from running services to the end."""

    def __init__(
        self, console: Console, services: EmbeddedServices, host: str, port: int, *, demo: bool, flower: bool
    ) -> None:
        self.console = console
        self.services = services
        self.demo = demo
        self.host = host
        self.port = port
        self.flower_port = FLOWER_PORT if flower else None
        self.cameras_port = DEMO_CAMERAS_PORT if demo else None
        self.env = {**os.environ, "DATABASE_URL": services.database_url, "REDIS_URL": services.redis_url}
        self.workers = processes.workers(
            self.env, cpu_workers=settings.ENV.cpu_workers, associate_workers=settings.ENV.associate_workers
        )
        self.log_path = settings.ENV.var_dir / "log" / "spoton.log"

    def run(self) -> None:
        self._manage("prepare", *(["--demo"] if self.demo else []))
        self._choose_ports()
        specs = self._specs()
        json_lines = settings.ENV.log_format == "json"
        logs = LogForwarder(
            sys.stdout, self.log_path, width=max(len(spec.name) for spec in specs), json_lines=json_lines
        )
        supervisor = Supervisor(specs, logs, cwd=settings.BASE_DIR, tick=lambda: self._tend_services(logs))
        supervisor.handle_signals()
        try:
            self.console.print(f"Starting {len(specs)} processes", style="dim")
            supervisor.start()
            if supervisor.wait_ready(START_SECONDS) and self._wait_for_health(supervisor):
                self._show_table(supervisor)
                if self.demo:
                    self._manage("demo_start", "--cameras-port", str(self.cameras_port))
                supervisor.run()
            self.console.print("Stopping ...", style="dim")
        finally:
            supervisor.stop()
            logs.close()

    def _choose_ports(self) -> None:
        """As late as possible: preparing may have taken minutes."""
        self.port = self._free_port("The web server", self.host, self.port)
        if self.flower_port:
            self.flower_port = self._free_port("Flower", "127.0.0.1", self.flower_port)
        if self.cameras_port:
            self.cameras_port = self._free_port("The demo's cameras", "127.0.0.1", self.cameras_port)
            hosts = [*settings.ENV.stream_hosts, f"127.0.0.1:{self.cameras_port}"]
            self.env["SPOTON_STREAM_HOSTS"] = ",".join(hosts)

    @property
    def url(self) -> str:
        """What to type into a browser on this machine."""
        shown_host = "localhost" if self.host in ("127.0.0.1", "0.0.0.0", "::", "::1") else self.host
        return f"http://{shown_host}:{self.port}"

    def _specs(self) -> list[ChildSpec]:
        specs = [processes.web(self.host, self.port, self.env, allowed_host=_allowed_host())]
        specs += self.workers
        specs += [processes.beat(self.env), processes.ingest(self.env)]
        if self.flower_port:
            specs.append(processes.flower(self.flower_port, self.env))
        if self.cameras_port:
            folder = settings.ENV.footage_dir / "demo-campus"
            specs.append(processes.demo_cameras(folder, self.cameras_port, self.env))
        return specs

    def _free_port(self, what: str, host: str, wanted: int) -> int:
        port = processes.free_port(host, wanted)
        if port != wanted:
            self.console.print(f"Port {wanted} is taken: {what} uses {port} instead", style="yellow")
        return port

    def _manage(self, *arguments: str) -> None:
        """Run a command that needs the services: the settings of this process were read before they ran.

        Raises:
            CommandError: it failed; what went wrong is on the terminal.
        """
        command = [sys.executable, str(processes.MANAGE_PY), *arguments]
        process = spawn.spawn(command, env=self.env, cwd=settings.BASE_DIR)
        try:
            status = process.wait()
        except KeyboardInterrupt:
            spawn.stop(process, signal.SIGTERM, deadline_seconds=5)
            raise
        if status != 0:
            raise CommandError(f"`manage.py {' '.join(arguments)}` failed, see above")

    def _wait_for_health(self, supervisor: Supervisor, patience_seconds: float = 45) -> bool:
        """Wait until the stores answer and every worker has announced itself; False when asked to stop.

        Work that starts earlier would be planned for the few workers known by then.
        """
        deadline = time.monotonic() + patience_seconds
        url = f"{processes.local_url(self.host, self.port)}/health"
        while True:
            health = processes.get_json(url, allowed_host=_allowed_host())
            if health.get("components", {}).get("workers", {}).get("count", 0) >= len(self.workers):
                return True
            if supervisor.stopping:
                return False
            if time.monotonic() > deadline:
                self.console.print(f"Not everything is ready yet, see {self.url}/health", style="yellow")
                return True
            supervisor.watch_once()
            time.sleep(0.2)

    def _tend_services(self, logs: LogForwarder) -> None:
        try:
            restarted = self.services.restart_dead()
        except ServiceError as error:
            # everything else waits for it; it is tried again in a second
            logs.line("services", str(error))
            return
        for name in restarted:
            logs.line("services", f"{name} had ended and was started again")

    def _show_table(self, supervisor: Supervisor) -> None:
        table = Table(
            show_header=False, box=None, padding=(0, 2), title="SpotOn is running", title_justify="left"
        )
        table.add_row("Console", self.url)
        table.add_row("API", f"{self.url}/api/docs/")
        table.add_row("Admin", f"{self.url}/admin/")
        if self.flower_port:
            table.add_row("Flower", f"http://localhost:{self.flower_port}")
        if self.demo:
            # not above: it brings in the scene generator, which nothing else needs here
            from spoton import demo

            table.add_row("Sign in as", f"{demo.USER}, password {demo.password()}")
        table.add_row("Processes", ", ".join(supervisor.pids()))
        table.add_row("Data", str(settings.ENV.var_dir))
        table.add_row("Log", str(self.log_path))
        table.add_row("", "Ctrl-C stops everything")
        self.console.print()
        self.console.print(table)
        if warning := announcement():
            self.console.print(f"\n  Careful: {warning}", style="bold yellow")
        self.console.print()


def _allowed_host() -> str:
    """A name that the web server answers to, whatever the operator allowed."""
    return next((name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*"), "localhost")
