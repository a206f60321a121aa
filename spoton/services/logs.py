"""Lines of many children in one readable stream and one bounded file."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import threading
import zlib
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

# readable on dark and on light terminals; red is left for errors
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 95)
_LONGEST_LINE_BYTES = 16_384


class LogForwarder:
    """Reads the children's output in a thread and writes every line as `name | text`.

    Args:
        output: the terminal; its lines are coloured when it is one and NO_COLOR is not set.
        path: the same lines without colour, at most two files of 5 MB; None: no file.
        width: of the column of names.
        json_lines: write JSON objects, with the name as `process`; other text becomes their `message`.
    """

    def __init__(
        self, output: TextIO, path: Path | None = None, *, width: int = 12, json_lines: bool = False
    ) -> None:
        self._output = output
        self._width = width
        self._json_lines = json_lines
        self._colours = output.isatty() and "NO_COLOR" not in os.environ
        self._file: RotatingFileHandler | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = RotatingFileHandler(path, maxBytes=5_000_000, backupCount=1, errors="replace")
        self._selector = selectors.DefaultSelector()
        self._rests: dict[int, bytes] = {}
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="log forwarder", daemon=True)
        self._thread.start()

    def add(self, name: str, descriptor: int) -> None:
        """Forward what comes from this descriptor until its end, then close it."""
        os.set_blocking(descriptor, False)
        self._rests[descriptor] = b""
        self._selector.register(descriptor, selectors.EVENT_READ, name)
        os.write(self._wake_write, b"+")

    def line(self, name: str, text: str) -> None:
        """Write one line of our own among the children's."""
        if self._json_lines:
            self._write(plain := _as_json(name, text), plain)
            return
        prefix = f"{name:<{self._width}}"
        plain = f"{prefix} | {text}"
        if self._colours:
            colour = _COLOURS[zlib.crc32(name.encode()) % len(_COLOURS)]
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        self._write(plain, f"{prefix} | {text}")

    def _write(self, plain: str, shown: str) -> None:
        with self._lock:
            if self._file is not None:
                self._file.emit(logging.makeLogRecord({"msg": plain}))
            # a closed terminal is no reason to stop serving
            with contextlib.suppress(OSError, ValueError):
                self._output.write(f"{shown}\n")
                self._output.flush()

    def close(self) -> None:
        """Forward what is already there, then end."""
        os.write(self._wake_write, b"q")
        self._thread.join(timeout=5)
        self._selector.close()
        for descriptor in (self._wake_read, self._wake_write, *self._rests):
            os.close(descriptor)
        if self._file is not None:
            self._file.close()

    def _run(self) -> None:
        ending = False
        while True:
            events = self._selector.select(timeout=0 if ending else None)
            if ending and not events:
                break
            for key, _ in events:
                if key.fd == self._wake_read:
                    ending = ending or b"q" in os.read(self._wake_read, 64)
                else:
                    self._forward(key.fd, key.data)
        for descriptor in list(self._rests):
            self._flush_rest(descriptor, self._selector.get_key(descriptor).data)

    def _forward(self, descriptor: int, name: str) -> None:
        try:
            chunk = os.read(descriptor, 65_536)
        except BlockingIOError:
            return
        if not chunk:
            self._flush_rest(descriptor, name)
            self._selector.unregister(descriptor)
            del self._rests[descriptor]
            os.close(descriptor)
            return
        *lines, rest = (self._rests[descriptor] + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE_BYTES:
            lines, rest = [*lines, rest], b""
        self._rests[descriptor] = rest
        for line in lines:
            if line.strip():
                self.line(name, line.decode(errors="replace").rstrip())

    def _flush_rest(self, descriptor: int, name: str) -> None:
        if self._rests[descriptor]:
            self.line(name, self._rests[descriptor].decode(errors="replace"))
            self._rests[descriptor] = b""


def _as_json(name: str, text: str) -> str:
    with contextlib.suppress(ValueError):
        if isinstance(fields := json.loads(text), dict):
            return json.dumps({"process": name, **fields})
    return json.dumps({"process": name, "message": text})
