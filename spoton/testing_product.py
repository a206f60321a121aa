"""For end-to-end tests: SpotOn started as users start it, talked to from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import psycopg

from spoton.services.processes import free_port

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 120


class Product:
    """`manage.py up` in a folder of its own, with a short demo scene of the campus.

    Attributes:
        base_url: of the web server.
        username, password: of the demo user.
    """

    username = "demo"
    scene_seconds = 12.0
    people = 6

    def __init__(self, var_dir: Path) -> None:
        self.var_dir = var_dir
        self.port = free_port("127.0.0.1", 8600)
        self.base_url = f"http://localhost:{self.port}"
        own = {"SPOTON_VAR_DIR": str(var_dir), "SPOTON_ALLOWED_HOSTS": "localhost,127.0.0.1"}
        kept = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
        self.env = {**kept, **own}
        self.log = var_dir / "up.log"
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Product:
        command = [sys.executable, "manage.py", "up", "--port", str(self.port), "--no-flower"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        self._wait_until_healthy()
        self.manage(
            "demo_run", "--only-prepare", "--seconds", str(self.scene_seconds), "--people", str(self.people)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def password(self) -> str:
        return (self.var_dir / "demo-password").read_text().strip()

    def manage(self, *arguments: str) -> str:
        """Run a management command against the running services; its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.env, capture_output=True, text=True
        )
        assert done.returncode == 0, f"manage.py {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def request(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> tuple[int, dict[str, str], Any]:
        """(status, headers, JSON or bytes)."""
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
        return status, dict(got), json.loads(content) if is_json and content else content

    def token(self) -> str:
        """An access token of the demo user."""
        body = {"username": self.username, "password": self.password}
        status, _, answer = self.request("POST", "/api/v1/auth/login", body)
        assert status == 200, answer
        return answer["data"]["access"]

    def run_task(
        self, token: str, *, meanwhile=lambda task_id: None, timeout: float = 180, **options: Any
    ) -> dict:
        """Process the recorded scene; `meanwhile` is called again and again until the end. The final task."""
        body = {"environment_id": "campus", "pacing": "max", **options}
        status, _, answer = self.request("POST", "/api/v1/processing-tasks/start", body, token)
        assert status == 202, answer
        task = answer["data"]
        deadline = time.monotonic() + timeout
        while task["status"] not in ("COMPLETED", "STOPPED", "FAILED"):
            assert time.monotonic() < deadline, f"stuck: {task}\n{self.log.read_text()[-3000:]}"
            meanwhile(task["task_id"])
            time.sleep(0.1)
            status, _, answer = self.request(
                "GET", f"/api/v1/processing-tasks/{task['task_id']}/status", token=token
            )
            assert status == 200, answer
            task = answer["data"]
        return task

    def rows(self, query: str, *parameters: Any) -> list[tuple]:
        """Rows straight from the product's database."""
        note = json.loads((self.var_dir / "run" / "services.json").read_text())
        with psycopg.connect(note["database_url"]) as connection:
            return connection.execute(query, parameters).fetchall()

    def processes(self, part: str) -> list[psutil.Process]:
        """Processes below `up` whose command line holds `part`."""
        children = psutil.Process(self._process.pid).children(recursive=True)
        found = []
        for child in children:
            try:
                if part in " ".join(child.cmdline()):
                    found.append(child)
            except psutil.Error:
                pass
        return found

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_SECONDS
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
        raise AssertionError(f"SpotOn did not start:\n{self.log.read_text()[-4000:]}")
