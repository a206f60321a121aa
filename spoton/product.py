"""SpotOn started as users start it, in a folder of its own, and talked to from outside.

The end-to-end tests, `manage.py chaos` and `manage.py soak` use it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import Message
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis

from spoton.services import spawn
from spoton.services.processes import free_port

ROOT = Path(__file__).resolve().parents[1]
# the very first start compiles the engine's loops
START_SECONDS = 300
STOP_SECONDS = 40
# far less than a token lives
TOKEN_SECONDS = 600.0
FINAL = ("COMPLETED", "STOPPED", "FAILED")


class ProductError(AssertionError):
    """The product did not do what was asked; the message holds what it said. To a test it is a failure."""


class Product:
    """`manage.py up` in a folder of its own, with a short demo scene of the campus.

    Args:
        var_dir: an existing, empty folder.
        scene_seconds: length of the scene; people: how many walk in it.
        env: further settings.

    Attributes:
        base_url: of the web server; other_site: an origin whose pages may use it too.
        username, password: of the demo user.
    """

    username = "demo"

    def __init__(
        self,
        var_dir: Path,
        *,
        scene_seconds: float = 12.0,
        people: int = 6,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.var_dir = var_dir
        self.scene_seconds = scene_seconds
        self.people = people
        # two suites that start at once on one machine find the same ports free for a minute
        self.port = free_port("127.0.0.1", 8600 + os.getpid() % 1000)
        self.base_url = f"http://localhost:{self.port}"
        # under its other name a page is one of another site
        self.other_site = f"http://127.0.0.1:{self.port}"
        own = {
            "SPOTON_VAR_DIR": str(var_dir),
            "SPOTON_ALLOWED_HOSTS": "localhost,127.0.0.1",
            "SPOTON_CORS_ORIGINS": self.other_site,
        }
        kept = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
        self.env = {**kept, **own, **(env or {})}
        self.log = var_dir / "up.log"
        self._process: subprocess.Popen | None = None
        self._token = ("", 0.0)

    def __enter__(self) -> Product:
        command = [sys.executable, "manage.py", "up", "--port", str(self.port), "--no-flower"]
        with self.log.open("wb") as log:
            # should we be killed, it stops as by Ctrl-C
            self._process = spawn.spawn(
                command, cwd=ROOT, env=self.env, stdout=log, death_signal=signal.SIGINT
            )
        try:
            self.wait_until_healthy(START_SECONDS)
            self.manage(
                "demo_run", "--only-prepare",
                "--seconds", str(self.scene_seconds), "--people", str(self.people),
            )  # fmt: skip
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        spawn.stop(self._process, signal.SIGINT, STOP_SECONDS)

    @property
    def password(self) -> str:
        return (self.var_dir / "demo-password").read_text().strip()

    def manage(self, *arguments: str) -> str:
        """Run a management command against the running services; its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.env, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise ProductError(f"manage.py {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    # -- over HTTP -------------------------------------------------------------------------------------------

    def request(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> tuple[int, Message, Any]:
        """(status, headers in any case, JSON or bytes)."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                status, got, content = response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            status, got, content = error.code, error.headers, error.read()
        is_json = (got.get("Content-Type") or "").startswith("application/json")
        return status, got, json.loads(content) if is_json and content else content

    def token(self) -> str:
        """An access token of the demo user; the same for some minutes, because logging in is throttled."""
        value, taken_at = self._token
        if not value or time.monotonic() - taken_at > TOKEN_SECONDS:
            body = {"username": self.username, "password": self.password}
            value = self.ask("POST", "/api/v1/auth/login", body)["access"]
            self._token = value, time.monotonic()
        return value

    def start_task(self, token: str, **options: Any) -> dict:
        """Ask for the recorded scene to be processed, as fast as possible unless told otherwise; the task."""
        body = {"environment_id": "campus", "pacing": "max", **options}
        return self.ask("POST", "/api/v1/processing-tasks/start", body, token)

    def task(self, token: str, task_id: str) -> dict:
        return self.ask("GET", f"/api/v1/processing-tasks/{task_id}/status", token=token)

    def stop_task(self, token: str, task_id: str) -> dict:
        return self.ask("POST", f"/api/v1/processing-tasks/{task_id}/stop", token=token)

    def run_task(
        self,
        token: str,
        *,
        meanwhile: Callable[[str], object] = lambda task_id: None,
        timeout: float = 180,
        patient: bool = False,
        **options: Any,
    ) -> dict:
        """Process the recorded scene; `meanwhile` is called again and again until the end. The final task.

        Args:
            patient: the web server or the stores may be away for a while: ask again.
        """
        task = self.start_task(token, **options)
        deadline = time.monotonic() + timeout
        while task["status"] not in FINAL:
            if time.monotonic() > deadline:
                raise ProductError(f"stuck: {task}\n{self.log_end()}")
            meanwhile(task["task_id"])
            time.sleep(0.1)
            try:
                task = self.task(token, task["task_id"])
            except (OSError, UnavailableError):
                if not patient:
                    raise
        return task

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        status, _, answer = self.request(method, path, body, token)
        if status >= 500:
            raise UnavailableError(f"{method} {path}: {status} {answer}")
        if status >= 400:
            raise ProductError(f"{method} {path}: {status} {answer}")
        return answer["data"]

    # -- from below ------------------------------------------------------------------------------------------

    def address(self, name: str) -> str:
        """`database_url` or `redis_url` of the services that run."""
        return json.loads((self.var_dir / "run" / "services.json").read_text())[name]

    def rows(self, query: str, *parameters: Any) -> list[tuple]:
        """Rows straight from the product's database."""
        with psycopg.connect(self.address("database_url")) as connection:
            return connection.execute(query, parameters).fetchall()

    def redis(self) -> redis.Redis:
        """The product's own Redis; the caller closes it."""
        return redis.Redis.from_url(self.address("redis_url"), socket_timeout=5)

    def processes(self, part: str = "") -> list[psutil.Process]:
        """`up` and the processes below it whose command line holds `part`."""
        found, supervisor = [], psutil.Process(self._process.pid)
        for process in (supervisor, *supervisor.children(recursive=True)):
            try:
                if part in " ".join(process.cmdline()):
                    found.append(process)
            except psutil.Error:
                pass
        return found

    def log_end(self, characters: int = 4000) -> str:
        return self.log.read_text(errors="replace")[-characters:]

    def wait_until_healthy(self, patience_seconds: float) -> None:
        """Wait until the stores answer and workers of every kind have announced themselves.

        Raises:
            ProductError: with the end of the product's log.
        """
        deadline = time.monotonic() + patience_seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                status, _, answer = self.request("GET", "/health")
                if status == 200 and answer["status"] == "healthy":
                    return
            except OSError:
                pass
            time.sleep(0.5)
        raise ProductError(f"SpotOn is not healthy:\n{self.log_end()}")


class UnavailableError(ProductError):
    """The product answered that it cannot answer now (status 500 or more)."""
