"""Loops over people, boxes and pixels as machine code.

Few people and few boxes make arrays so small that calling NumPy costs more than what it computes; the innermost loops
of tracking, detection and the descriptor are compiled by Numba instead, once for each machine and version: the result
is kept beside the code, or where NUMBA_CACHE_DIR says.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numba
from numba import njit

HERE = Path(__file__).parent


def _version() -> str:
    """Of everything that is compiled: Numba itself notices no change of a function that another file calls."""
    sources = hashlib.sha256(numba.__version__.encode())
    folders = ("detection", "mapping", "reid", "tracking")
    for path in sorted([HERE / "compiled.py", *(p for name in folders for p in HERE.glob(f"{name}/*.py"))]):
        sources.update(path.read_bytes())
    return sources.hexdigest()[:12]


def _kept() -> bool:
    """Whether there is a folder to keep the result in; if not, every process compiles for itself."""
    folder = Path(numba.config.CACHE_DIR or HERE / "__pycache__") / f"spoton-{_version()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    numba.config.CACHE_DIR = str(folder)
    return os.access(folder, os.W_OK)


KEPT = _kept()
_COMPLETE = Path(numba.config.CACHE_DIR, "complete")


def compiled(function: Callable) -> Callable:
    """Compile at the first call. Floating point as in NumPy: divisions by zero give infinity, order is kept."""
    return njit(cache=KEPT, error_model="numpy", nogil=True, fastmath=False)(function)


def compiled_lean(function: Callable) -> Callable:
    """The same for loops that allocate nothing: they borrow the arrays of their caller.

    Counting who holds an array takes a locked instruction whenever one is taken out of a tuple or sliced: in loops over
    3x3 matrices that is more than half of the time.
    """
    return njit(cache=KEPT, error_model="numpy", nogil=True, fastmath=False, _nrt=False)(function)


def is_compiled() -> bool:
    """Whether `workers.warm` has run on this machine before; loading takes a second, compiling a minute."""
    return KEPT and _COMPLETE.exists()


def note_compiled() -> None:
    """`workers.warm` has run."""
    if KEPT:
        _COMPLETE.touch()
