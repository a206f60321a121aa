"""One value of every pixel's sorted samples, for all pixels at once.

A sorting network compares whole images instead of single values: no branches, and the processor takes dozens of pixels
per instruction. The network is Batcher's odd-even merge sort (K. E. Batcher, Sorting networks and their applications,
1968), of which only what the wanted place needs is done.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

# what is worked on together stays in the processor's cache
_BYTES_AT_ONCE = 2**19


def order_statistic(samples: np.ndarray, place: int) -> np.ndarray:
    """What stands at `place` (from 0) when the samples of each pixel are sorted: `np.sort(samples, axis=0)[place]`.

    Args:
        samples: (n, ...) of any ordered dtype; left as it is.

    Returns:
        (...) of the same dtype.

    Raises:
        IndexError: there is no such place.
    """
    n = len(samples)
    if not 0 <= place < n:
        raise IndexError(f"place {place} of {n} samples")
    flat = np.ascontiguousarray(samples).reshape(n, -1)
    found = np.empty(flat.shape[1], flat.dtype)
    width = max(1, _BYTES_AT_ONCE // (n * flat.itemsize))
    for begin in range(0, len(found), width):
        found[begin : begin + width] = _selected(flat[:, begin : begin + width].copy(), place)
    return found.reshape(samples.shape[1:])


def _selected(values: np.ndarray, place: int) -> np.ndarray:
    """The same for (n, m) values, which are used up."""
    rows = list(values)
    spare = np.empty_like(rows[0])
    for low, high in _network(len(rows), place):
        np.minimum(rows[low], rows[high], out=spare)
        np.maximum(rows[low], rows[high], out=rows[high])
        rows[low], spare = spare, rows[low]
    return rows[place]


@lru_cache(maxsize=64)
def _network(n: int, place: int) -> tuple[tuple[int, int], ...]:
    """Pairs (low, high) to be put in order, one after another, until the right value stands at `place`."""
    needed, pairs = {place}, []
    for low, high in reversed(_odd_even_merge_sort(n)):
        if low in needed or high in needed:
            needed |= {low, high}
            pairs.append((low, high))
    return tuple(reversed(pairs))


def _odd_even_merge_sort(n: int) -> list[tuple[int, int]]:
    """All pairs of the network that sorts n values."""
    pairs = []
    merged = 1
    while merged < n:
        step = merged
        while step >= 1:
            for begin in range(step % merged, n - step, 2 * step):
                for i in range(begin, min(begin + step, n - step)):
                    if i // (2 * merged) == (i + step) // (2 * merged):
                        pairs.append((i, i + step))
            step //= 2
        merged *= 2
    return pairs
