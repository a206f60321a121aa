"""Every pixel's samples in order, for all pixels at once.

A sorting network compares whole images instead of single values: no branches, and the processor takes dozens of pixels
per instruction. The network is Batcher's odd-even merge sort (K. E. Batcher, Sorting networks and their applications,
1968).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

# what is worked on together stays in the processor's cache
_BYTES_AT_ONCE = 2**19


def sort_samples(samples: np.ndarray) -> np.ndarray:
    """The samples of each pixel in ascending order: `np.sort(samples, axis=0)`.

    Args:
        samples: (n, ...) of any ordered dtype; left as it is.

    Returns:
        (n, ...) of the same dtype.
    """
    n = len(samples)
    flat = samples.reshape(n, -1)
    ordered = np.empty(flat.shape, flat.dtype)
    width = max(1, _BYTES_AT_ONCE // (n * flat.itemsize))
    for begin in range(0, flat.shape[1], width):
        rows = list(flat[:, begin : begin + width].copy())
        spare = np.empty_like(rows[0])
        for low, high in _odd_even_merge_sort(n):
            np.minimum(rows[low], rows[high], out=spare)
            np.maximum(rows[low], rows[high], out=rows[high])
            rows[low], spare = spare, rows[low]
        for place, row in enumerate(rows):
            ordered[place, begin : begin + width] = row
    return ordered.reshape(samples.shape)


@lru_cache(maxsize=64)
def _odd_even_merge_sort(n: int) -> tuple[tuple[int, int], ...]:
    """Pairs (low, high) to be put in order, one after another: all pairs of the network that sorts n values."""
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
    return tuple(pairs)
