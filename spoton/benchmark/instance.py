"""A SpotOn of its own for measurements: services and workers in a temporary folder, gone afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import psutil
from django.conf import settings

from spoton.services import processes
from spoton.services.embedded import EmbeddedServices
from spoton.services.logs import LogForwarder
from spoton.services.supervisor import ChildSpec, Supervisor
from workers.types import EngineError

START_SECONDS = 120
WEB_PORT = 8700


class Instance:
    """PostgreSQL and Redis with an empty, migrated database.

    Example:
        with Instance() as instance, instance.workers(2):
            figures = instance.measure("pacing", "--seconds", "20")
    """

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        with self._stack:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="spoton-benchmark-")))
            services = self._stack.enter_context(EmbeddedServices(folder))
            self._services, self._folder = services, folder
            urls = {"DATABASE_URL": services.database_url, "REDIS_URL": services.redis_url}
            self._env = {**os.environ, **urls, "SPOTON_VAR_DIR": str(folder)}
            self.manage("prepare")
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)

    def manage(self, *arguments: str) -> str:
        """Run a management command here; what it prints.

        Raises:
            EngineError: it failed; the message holds the end of what it said.
        """
        command = [sys.executable, str(processes.MANAGE_PY), *arguments]
        done = subprocess.run(
            command, env=self._env, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise EngineError(f"`manage.py {' '.join(arguments)}` failed: {done.stderr.strip()[-800:]}")
        return done.stdout

    def measure(self, name: str, *arguments: str) -> Any:
        """Run a step of a benchmark with `manage.py benchmark_step`; its result."""
        return json.loads(self.manage("benchmark_step", name, *arguments).splitlines()[-1])

    @contextlib.contextmanager
    def workers(self, count: int) -> Iterator[None]:
        """All workers, `count` of them for perception on the CPU."""
        specs = [*processes.workers(self._env, cpu_workers=count), processes.beat(self._env)]
        with self._supervised(specs, "workers"):
            yield

    @contextlib.contextmanager
    def _supervised(self, specs: list[ChildSpec], name: str) -> Iterator[None]:
        with (self._folder / f"{name}.out").open("w") as quiet:
            logs = LogForwarder(quiet, self._folder / f"{name}.log")
            supervisor = Supervisor(specs, logs, cwd=settings.BASE_DIR, tick=self._services.restart_dead)
            supervisor.start()
            try:
                supervisor.wait_ready(START_SECONDS)
                yield
            finally:
                supervisor.stop()
                logs.close()

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Begin a step of a benchmark; it goes on beside what the caller does."""
        command = [sys.executable, str(processes.MANAGE_PY), "benchmark_step", name, *arguments]
        return subprocess.Popen(command, env=self._env, cwd=settings.BASE_DIR, stdout=subprocess.DEVNULL)

    @contextlib.contextmanager
    def web(self) -> Iterator[str]:
        """A web server; its address. Its process is `web_pid`."""
        port = processes.free_port("127.0.0.1", WEB_PORT)
        spec = processes.web("127.0.0.1", port, self._env)
        with self._supervised([spec], "web"):
            command = " ".join(spec.argv[1:])
            self.web_pid = next(
                child.pid
                for child in psutil.Process().children(recursive=True)
                if command in " ".join(child.cmdline())
            )
            yield f"http://127.0.0.1:{port}"

    def processor_seconds(self) -> float:
        """Processor time that everything here has used so far, without what this process has."""
        spent = 0.0
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                spent += sum(child.cpu_times()[:2])
        return spent
