"""Starting and ending child processes so that none outlives its parent.

The kernel tells only direct children of a parent's death. A child that starts processes itself uses `spawn`,
too; Celery's worker does the same for the processes of its pool.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_LAUNCHER = Path(__file__).with_name("launch.py")


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: IO[bytes] | int | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    uid: int | None = None,
    keep_search: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that a terminal's Ctrl-C reaches only its parent.

    Call it from a thread that lives as long as the child should: the kernel sends `death_signal` when the
    *thread* that started the child ends.

    Args:
        stdout: where stdout and stderr go together; None inherits.
        death_signal: sent by the kernel when the parent dies without having stopped the child.
        uid: user to become; only for root.
        keep_search: keep the capability to pass through folders closed to `uid`.
    """
    launcher = [
        sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), str(int(death_signal)),
        "-" if uid is None else str(uid), "1" if keep_search else "0",
    ]  # fmt: skip
    return subprocess.Popen(
        [*launcher, *argv],
        env=None if env is None else dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=None if stdout is None else subprocess.STDOUT,
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes], first: signal.Signals, deadline_seconds: float) -> None:
    """Ask the process to end, and after the deadline kill whatever is left of its process group."""
    if process.poll() is None:
        process.send_signal(first)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(deadline_seconds)
    kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL what is left of the process group that `spawn` made, leader included; harmless if none is."""
    # the group id cannot have been reused while a member lives, and without members the call fails
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
