"""PostgreSQL and Redis for one clone, with one owner at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from spoton.services import places
from spoton.services.places import ServiceError
from spoton.services.postgres import Postgres
from spoton.services.redis import Redis

__all__ = ["AlreadyRunningError", "EmbeddedServices", "ServiceError", "ephemeral_services"]


class AlreadyRunningError(ServiceError):
    """Another process owns the services of this clone."""


class EmbeddedServices:
    """Starts what is not given by URL, tells other commands where it is, and stops it again.

    Example:
        with EmbeddedServices(Path("var")) as services:
            print(services.database_url, services.redis_url)

    Args:
        var_dir: everything lies in here: data, logs, sockets (unless the path is too long), the lock.
        database_url: a PostgreSQL that runs elsewhere; empty: start one.
        redis_url: a Redis that runs elsewhere; empty: start one.
        durable: False only for tests, where lost data does no harm and speed counts.
    """

    def __init__(
        self, var_dir: Path, *, database_url: str = "", redis_url: str = "", durable: bool = True
    ) -> None:
        self.var_dir = var_dir.absolute()
        self.database_url = database_url
        self.redis_url = redis_url
        self.postgres: Postgres | None = None
        self.redis: Redis | None = None
        self._durable = durable
        self._external = {"database": database_url, "redis": redis_url}
        self._lock_fd: int | None = None

    @property
    def _note_path(self) -> Path:
        return self.var_dir / "run" / "services.json"

    def start(self) -> None:
        """Take the clone's lock and start what is missing.

        Raises:
            AlreadyRunningError: names the process that holds the clone.
            ServiceError: a service could not start.
        """
        self._take_lock()
        try:
            if not self._external["redis"]:
                self._start_redis()
            if not self._external["database"]:
                self._start_postgres()
            self._write_note()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop what was started here; safe to call twice."""
        if self._lock_fd is None:
            return
        self._note_path.unlink(missing_ok=True)
        for service in (self.postgres, self.redis):
            if service is not None:
                service.stop()
        self.postgres = self.redis = None
        os.close(self._lock_fd)
        self._lock_fd = None

    def healthy(self) -> dict[str, bool]:
        """Which of the services started here answer, by name."""
        started = {"postgres": self.postgres, "redis": self.redis}
        return {name: service.healthy() for name, service in started.items() if service is not None}

    def restart_dead(self) -> list[str]:
        """Start again those that ended by themselves; their names.

        Raises:
            ServiceError: one could not start; the other was looked after all the same. Call again to try again.
        """
        restarted, problems = [], []
        for service in (self.redis, self.postgres):
            if service is None or service.alive():
                continue
            try:
                service.stop()
                service.start()
                restarted.append(service.NAME)
            except ServiceError as error:
                problems.append(str(error))
        if problems:
            raise ServiceError("\n".join(problems))
        return restarted

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_postgres(self) -> None:
        sockets = places.socket_root(self.var_dir) / "postgres"
        log_path = self.var_dir / "log" / "postgres.log"
        postgres = Postgres(self.var_dir / "postgres", sockets, log_path, durable=self._durable)
        postgres.start()
        self.postgres, self.database_url = postgres, postgres.url

    def _start_redis(self) -> None:
        sockets = places.socket_root(self.var_dir) / "redis"
        redis = Redis(self.var_dir / "redis", sockets, self.var_dir / "log" / "redis.log")
        redis.start()
        self.redis, self.redis_url = redis, redis.url

    def _take_lock(self) -> None:
        path = self.var_dir / "run" / "up.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode().strip() or "unknown"
            os.close(descriptor)
            raise AlreadyRunningError(
                f"SpotOn already runs in this clone (process {owner}, data in {self.var_dir}). "
                f"Stop it first: Ctrl-C in its terminal, or kill {owner}."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._lock_fd = descriptor

    def _write_note(self) -> None:
        """Tell `manage.py` commands in other shells where the services are."""
        note = {"database_url": self.database_url, "redis_url": self.redis_url, "pid": os.getpid()}
        draft = self._note_path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        # URLs given from outside may hold passwords
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(note, file)
        draft.replace(self._note_path)


@contextlib.contextmanager
def ephemeral_services(
    folder: Path, *, database_url: str = "", redis_url: str = ""
) -> Iterator[EmbeddedServices]:
    """Services for tests: real, fast (no fsync), gone afterwards except for the files in `folder`."""
    with EmbeddedServices(folder, database_url=database_url, redis_url=redis_url, durable=False) as services:
        yield services
