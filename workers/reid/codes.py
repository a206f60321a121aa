"""Unit vectors as short codes, to find a few hundred that may be alike among a hundred thousand.

A bit says on which side of a plane through the origin a vector lies: vectors at an angle a differ in a / pi of the bits
(Charikar, Similarity Estimation Techniques from Rounding Algorithms, 2002). The planes are fixed: a code depends on
its vector alone, never on the others or on what was there before.
"""

from __future__ import annotations

import faiss
import numpy as np

BITS = 512
# components are rounded to multiples of this, so that sums over them are exact whatever their order
GRAIN = 2.0**-16


class CodedVectors:
    """Unit vectors under integer keys; `near` is a function of what is in it, not of how it came about."""

    def __init__(self, dimension: int) -> None:
        planes = np.random.default_rng(1).integers(0, 2, (dimension, BITS))
        self._planes = (2 * planes - 1).astype(np.float32)
        self._row_of: dict[int, int] = {}
        self._keys = np.empty(0, np.int64)
        self._vectors = np.empty((0, dimension), np.float32)
        self._codes = np.empty((0, BITS // 8), np.uint8)

    def __len__(self) -> int:
        return len(self._row_of)

    def add(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        """Put (n, d) float32 rows under (n,) different keys, in the place of those that are there."""
        new = [key for key in keys.tolist() if key not in self._row_of]
        self._reserve(len(self) + len(new))
        self._row_of |= {key: len(self) + i for i, key in enumerate(new)}
        rows = [self._row_of[key] for key in keys.tolist()]
        self._keys[rows], self._vectors[rows], self._codes[rows] = keys, vectors, self._code(vectors)

    def remove(self, key: int) -> None:
        """Forget a key, which may be gone already; the last row takes its place."""
        row = self._row_of.pop(key, None)
        last = len(self)
        if row is not None and row != last:
            for array in (self._keys, self._vectors, self._codes):
                array[row] = array[last]
            self._row_of[int(self._keys[row])] = row

    def near(self, vector: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Fewer than `most` (k,) keys whose codes are nearest to that of (d,) `vector`, and their similarities."""
        count = len(self)
        codes = self._codes[:count]
        apart, rows = faiss.knn_hamming(self._code(vector[None]), codes, min(most, count))
        # of those at the largest distance some were left out, by chance: all or none
        rows = rows[0][apart[0] < apart[0, -1]]
        rows = rows[np.argsort(self._keys[rows])]
        return self._keys[rows], self._vectors[rows] @ vector

    def all(self, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `near`, of everybody."""
        rows = np.argsort(self._keys[: len(self)])
        return self._keys[rows], self._vectors[rows] @ vector

    def _code(self, vectors: np.ndarray) -> np.ndarray:
        """(n, BITS / 8) uint8."""
        whole = np.rint(np.asarray(vectors, np.float32) / GRAIN)
        return np.packbits(whole @ self._planes > 0, axis=1)

    def _reserve(self, count: int) -> None:
        room = len(self._keys)
        if count > room:
            more = max(count, 2 * room) - room
            self._keys, self._vectors, self._codes = (
                np.concatenate([array, np.empty((more, *array.shape[1:]), array.dtype)])
                for array in (self._keys, self._vectors, self._codes)
            )
