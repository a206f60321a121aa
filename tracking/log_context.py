"""What the work at hand is about, for every line that is logged meanwhile: task, batch, camera, queue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

_context: ContextVar[Mapping[str, Any]] = ContextVar("log_context", default=MappingProxyType({}))


@contextmanager
def log_context(**fields: Any) -> Iterator[None]:
    """These fields, and what is bound inside, belong to all that is logged until the end of the block."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def bind(**fields: Any) -> None:
    """Known only now; until the end of the surrounding `log_context`, or of the thread."""
    _context.set({**_context.get(), **fields})


def bound() -> Mapping[str, Any]:
    """The fields that hold now."""
    return _context.get()


def bind_only(**fields: Any) -> None:
    """Something else begins here: nothing that held before does any more."""
    _context.set(fields)
