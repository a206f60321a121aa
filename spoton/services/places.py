"""Where embedded services keep their data and sockets, and as which user they run."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import stat
import tempfile
from pathlib import Path

# a socket's path has 108 bytes in sockaddr_un, with the closing zero
SOCKET_PATH_BYTES = 107
_LONGEST_SOCKET = "/postgres/.s.PGSQL.5432"
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+-]+")
# beyond the numbers that distributions give to people and daemons, below 65536 so that containers have it
_FIRST_SERVICE_UID = 59731


class ServiceError(RuntimeError):
    """An embedded service cannot run; the message says why and what to do."""


def service_uid(data_dir: Path) -> int | None:
    """The user to run a service as: None for our own, else (we are root) an unprivileged one.

    Who owns the data decides, so that data made by a user stays theirs. New data gets a number without an
    account: no other program runs as it, and no account has to be made.
    """
    if os.geteuid() != 0:
        if data_dir.exists() and data_dir.stat().st_uid != os.geteuid():
            raise ServiceError(
                f"{data_dir} belongs to user {data_dir.stat().st_uid}, probably because SpotOn was first "
                f"started as root. Start it as root again, or remove the folder."
            )
        return None
    if data_dir.exists() and data_dir.stat().st_uid != 0:
        return data_dir.stat().st_uid
    uid = _FIRST_SERVICE_UID
    while _has_account(uid):
        uid += 1
    return uid


def private_dir(path: Path, uid: int | None) -> Path:
    """Make (or check) a folder that only its owner may enter.

    Raises:
        ServiceError: the path exists and is a link, not a folder, or another user's.
    """
    owner = os.geteuid() if uid is None else uid
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
        raise ServiceError(f"{path} is not a folder of this user's; remove it and start again")
    if found.st_uid != owner:
        os.chown(path, owner, owner)
    path.chmod(0o700)
    return path


def socket_root(var_dir: Path) -> Path:
    """The folder for sockets: `var/run`, or a short private one if that path is too long or unusual."""
    run_dir = var_dir / "run"
    if len(os.fsencode(str(run_dir) + _LONGEST_SOCKET)) <= SOCKET_PATH_BYTES and _PLAIN_PATH.fullmatch(
        str(run_dir)
    ):
        run_dir.mkdir(parents=True, exist_ok=True)
        return run_dir
    digest = hashlib.sha256(os.fsencode(var_dir)).hexdigest()[:12]
    name = f"spoton-{os.geteuid()}-{digest}"
    temp = Path(tempfile.gettempdir())
    if not _socket_fits(temp / name):
        temp = Path("/tmp")
    root = private_dir(temp / name, None)
    if os.geteuid() == 0:
        root.chmod(0o711)  # service users pass through to their own private folder inside
    return root


def can_reach(path: Path, uid: int) -> bool:
    """Whether a user without groups may pass through every folder above `path`."""
    for folder in path.absolute().parents:
        found = folder.stat()
        needed = stat.S_IXUSR if found.st_uid == uid else stat.S_IXOTH
        if not found.st_mode & needed:
            return False
    return True


def open_log(path: Path, limit_bytes: int = 5_000_000) -> int:
    """File descriptor to append to; a log that has grown large is kept once as `.1`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > limit_bytes:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)


def log_tail(path: Path, lines: int = 12) -> str:
    """The last lines of a log, for an error message."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"


def _socket_fits(root: Path) -> bool:
    return len(os.fsencode(str(root) + _LONGEST_SOCKET)) <= SOCKET_PATH_BYTES


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
