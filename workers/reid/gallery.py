"""The gallery: how known persons look, searchable by similarity. FAISS does the search."""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np

# the index is built anew when more than this many keys, and this share of all, have changed since
FEW_CHANGES, MANY_CHANGES = 64, 0.125


class Gallery:
    """Unit vectors under integer keys, exact inner-product search, the GPU's index where one is present.

    Exact, because a missed identity is worse than a millisecond: 100,000 vectors of 512 take about 200 MB. A FAISS
    index cannot change a vector in place, so changes are kept beside it and worked in now and then: however many keys
    there are, a change costs nothing and a search one pass over the vectors.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._rows: dict[int, np.ndarray] = {}
        # keys whose vector in the index is out of date, or that are not in it
        self._changed: set[int] = set()
        self._index = self._empty()

    def _empty(self) -> faiss.IndexIDMap:
        index = faiss.IndexFlatIP(self.dimension)
        if faiss_gpus() > 0:
            index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
        return faiss.IndexIDMap(index)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: int) -> bool:
        return key in self._rows

    def add(self, keys: Sequence[int], vectors: Sequence[np.ndarray]) -> None:
        """Add (n, d) unit rows under (n,) keys; a key that is there gets another row."""
        for key, vector in zip(keys, vectors, strict=True):
            self._rows[int(key)] = np.asarray(vector, np.float32)
            self._changed.add(int(key))

    def remove(self, keys: Sequence[int]) -> None:
        """Forget (n,) keys; those that are not there already are."""
        for key in keys:
            if self._rows.pop(int(key), None) is not None:
                self._changed.add(int(key))

    def search(self, vectors: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
        """The `most` alike keys for each of (n, d) unit rows, best first.

        Returns:
            (n, most) int64 keys, -1 where there are fewer, and (n, most) float32 similarities.
        """
        most = min(most, len(self))
        if most == 0:
            return np.empty((len(vectors), 0), np.int64), np.empty((len(vectors), 0), np.float32)
        self._refresh()
        vectors = np.ascontiguousarray(vectors, np.float32)
        stale = np.array(sorted(self._changed), np.int64)
        wanted = min(most + len(stale), int(self._index.ntotal))
        if wanted:
            similarities, keys = self._index.search(vectors, wanted)
            similarities[np.isin(keys, stale)] = -np.inf
        else:
            similarities, keys = (
                np.empty((len(vectors), 0), np.float32),
                np.empty((len(vectors), 0), np.int64),
            )
        fresh = [key for key in stale.tolist() if key in self._rows]
        if fresh:
            among = vectors @ np.stack([self._rows[key] for key in fresh]).T
            similarities = np.concatenate([similarities, among], axis=1)
            keys = np.concatenate([keys, np.tile(np.array(fresh, np.int64), (len(vectors), 1))], axis=1)
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :most]
        return np.take_along_axis(keys, order, 1), np.take_along_axis(similarities, order, 1)

    def _refresh(self) -> None:
        if len(self._changed) <= max(FEW_CHANGES, MANY_CHANGES * len(self)):
            return
        self._index = self._empty()
        if self._rows:
            keys = np.array(list(self._rows), np.int64)
            self._index.add_with_ids(np.stack(list(self._rows.values())), keys)
        self._changed.clear()


def faiss_gpus() -> int:
    """GPUs that this build of FAISS can use; 0 for the CPU build."""
    return faiss.get_num_gpus() if hasattr(faiss, "StandardGpuResources") else 0
