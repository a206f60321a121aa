"""Loops over people and boxes as machine code.

Few people and few boxes make arrays so small that calling NumPy costs more than what it computes; the innermost loops
of the tracker are compiled by Numba instead, once per machine: the result is kept beside the code.
"""

from __future__ import annotations

from collections.abc import Callable

from numba import njit


def compiled(function: Callable) -> Callable:
    """Compile at the first call. Floating point as in NumPy: divisions by zero give infinity, order is kept."""
    options = {"error_model": "numpy", "nogil": True, "fastmath": False}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep the result: a read-only installation without a home
        return njit(**options)(function)
