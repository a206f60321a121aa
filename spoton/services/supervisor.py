"""Keeps a set of child processes running: starts, watches, restarts and stops them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from spoton.services import spawn
from spoton.services.logs import LogForwarder

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 15.0
# a child that ran this long before it ended is restarted quickly again
STABLE_SECONDS = 30.0
HEALTH_INTERVAL_SECONDS = 10.0
HEALTH_FAILURES = 3
# restarts before `wait_ready` gives up on a child that never became ready
FAILED_STARTS = 3


class ChildFailedError(RuntimeError):
    """A child does not come up; the message names it and how it ended."""


@dataclass(frozen=True)
class ChildSpec:
    """One process to keep running.

    Attributes:
        name: unique, shown before each of its lines.
        argv: program and arguments.
        env: its complete environment.
        healthy: whether it answers, told within some seconds; the first success makes it ready, repeated
            failures later restart it. None: ready as soon as it runs.
        restart: start it again when it ends by itself.
        stop_seconds: time to end after SIGTERM before it is killed.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    healthy: Callable[[], bool] | None = None
    restart: bool = True
    stop_seconds: float = 10.0


@dataclass
class _Child:
    spec: ChildSpec
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float | None = None
    backoff_seconds: float = FIRST_BACKOFF_SECONDS
    ready: bool = False
    failed_starts: int = 0
    failed_checks: int = 0
    next_check_at: float = 0.0
    last_ending: str = ""


class Supervisor:
    """Runs children until told to stop. Use it from the main thread only: the children die with that thread.

    Args:
        specs: in the order of their start; they stop in reverse.
        logs: where their lines go.
        cwd: their working directory.
        tick: called about every second while running, to look after what is not a child of ours.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        logs: LogForwarder,
        *,
        cwd: Path,
        tick: Callable[[], None] | None = None,
    ) -> None:
        if len({spec.name for spec in specs}) != len(specs):
            raise ValueError("children need different names")
        self._children = [_Child(spec) for spec in specs]
        self._logs = logs
        self._cwd = cwd
        self._tick = tick
        self._next_tick_at = 0.0
        self._stop_asked = threading.Event()
        self._kill_asked = False

    def start(self) -> None:
        """Start every child, without waiting for one before the next."""
        for child in self._children:
            self._start(child)

    def wait_ready(self, timeout_seconds: float) -> bool:
        """Watch until every child is ready; False when asked to stop meanwhile.

        Raises:
            ChildFailedError: a child keeps ending, or the time is over.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self._stop_asked.is_set():
            self.watch_once()
            waiting = [child for child in self._children if not child.ready]
            if not waiting:
                return True
            for child in waiting:
                if child.failed_starts >= FAILED_STARTS:
                    raise ChildFailedError(f"{child.spec.name} does not start: it {child.last_ending}")
            if time.monotonic() > deadline:
                names = ", ".join(child.spec.name for child in waiting)
                raise ChildFailedError(f"not ready after {timeout_seconds:.0f} s: {names}")
            self._stop_asked.wait(0.1)
        return False

    def run(self) -> None:
        """Watch until SIGINT, SIGTERM, SIGHUP or `ask_to_stop`."""
        while not self._stop_asked.wait(0.1):
            self.watch_once()

    def watch_once(self) -> None:
        """Look after every child once."""
        now = time.monotonic()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._ended(child, now)
            elif child.process is None and child.restart_at is not None and now >= child.restart_at:
                self._start(child)
            elif child.process is not None:
                self._check(child, now)
        if self._tick is not None and now >= self._next_tick_at:
            self._next_tick_at = now + 1.0
            self._tick()

    def stop(self) -> None:
        """Ask all to end, last started first; kill whatever is left of each after its deadline."""
        running = [child for child in reversed(self._children) if child.process is not None]
        for child in running:
            child.process.terminate()
        asked_at = time.monotonic()
        while any(child.process.poll() is None for child in running) and not self._kill_asked:
            late = [
                child
                for child in running
                if child.process.poll() is None and time.monotonic() - asked_at > child.spec.stop_seconds
            ]
            for child in late:
                self._logs.line(child.spec.name, f"still runs after {child.spec.stop_seconds:.0f} s: killed")
                spawn.kill_group(child.process)
            time.sleep(0.02)
        for child in running:
            spawn.kill_group(child.process)
            child.process = None

    @property
    def stopping(self) -> bool:
        return self._stop_asked.is_set()

    def ask_to_stop(self) -> None:
        self._stop_asked.set()

    def handle_signals(self) -> None:
        """The first SIGINT, SIGTERM or SIGHUP asks to stop; another one kills at once."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def pids(self) -> dict[str, int]:
        """Process number of each running child, by name."""
        return {child.spec.name: child.process.pid for child in self._children if child.process is not None}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop_asked.is_set():
            self._kill_asked = True
        self._stop_asked.set()

    def _start(self, child: _Child) -> None:
        child.process = spawn.spawn(
            child.spec.argv, env=child.spec.env, cwd=self._cwd, stdout=subprocess.PIPE
        )
        with child.process.stdout as output:
            self._logs.add(child.spec.name, os.dup(output.fileno()))
        child.started_at = time.monotonic()
        child.restart_at = None
        child.failed_checks = 0
        child.next_check_at = 0.0
        child.ready = child.ready or child.spec.healthy is None

    def _ended(self, child: _Child, now: float) -> None:
        spawn.kill_group(child.process)  # nothing it started stays behind
        ending = describe_exit(child.process.returncode)
        child.last_ending = ending
        child.process = None
        if not child.ready:
            child.failed_starts += 1
        if not child.spec.restart:
            self._logs.line(child.spec.name, ending)
            return
        if now - child.started_at > STABLE_SECONDS:
            child.backoff_seconds = FIRST_BACKOFF_SECONDS
        self._logs.line(child.spec.name, f"{ending}; starts again in {child.backoff_seconds:g} s")
        child.restart_at = now + child.backoff_seconds
        child.backoff_seconds = min(child.backoff_seconds * 2, LONGEST_BACKOFF_SECONDS)

    def _check(self, child: _Child, now: float) -> None:
        if child.spec.healthy is None or now < child.next_check_at:
            return
        if child.spec.healthy():
            child.ready, child.failed_checks = True, 0
        elif child.ready:
            child.failed_checks += 1
            if child.failed_checks >= HEALTH_FAILURES:
                self._logs.line(child.spec.name, f"did not answer {HEALTH_FAILURES} times: killed")
                spawn.kill_group(child.process)
        child.next_check_at = time.monotonic() + (HEALTH_INTERVAL_SECONDS if child.ready else 0.2)


def describe_exit(code: int) -> str:
    """How a process ended, from `Popen.returncode`.

    >>> describe_exit(-9)
    'was ended by SIGKILL'
    >>> describe_exit(3)
    'ended with status 3'
    """
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
