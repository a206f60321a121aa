"""The gallery: how known persons look, searchable by similarity. FAISS does the search."""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np

from workers.reid.codes import CodedVectors

# the index is built anew when more than this many keys, and this share of all, have changed since
FEW_CHANGES, MANY_CHANGES = 64, 0.125
# with more keys than this, codes are compared first: one exact pass would take longer than a millisecond on one core
EXACT_UP_TO = 4096
# so many times as many as are wanted are compared exactly then
CANDIDATES, FEWEST_CANDIDATES = 4, 256


class Gallery:
    """Unit vectors under integer keys, searched by inner product; on the GPU where FAISS has one.

    Up to `EXACT_UP_TO` keys, and on a GPU, the search is exact. A FAISS index cannot change a vector in place, so
    changes are kept beside it and worked in now and then: a change costs nothing and a search one pass over the
    vectors. With more keys on a CPU, short codes choose whom to compare exactly. What is found is a function of what is
    in the gallery, never of the order in which it came.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._rows: dict[int, np.ndarray] = {}
        # keys whose vector in the index is out of date, or that are not in it
        self._changed: set[int] = set()
        self._index = self._empty()
        # while there are many
        self._coded: CodedVectors | None = None

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
        vectors = np.ascontiguousarray(vectors, np.float32)
        if len(self) > EXACT_UP_TO and faiss_gpus() == 0:
            return self._search_coded(vectors, most)
        if self._coded is not None:
            self._coded, self._changed = None, set(self._rows)
        self._refresh()
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

    def _search_coded(self, vectors: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
        coded = self._follow()
        keys, similarities = (
            np.empty((len(vectors), most), np.int64),
            np.empty((len(vectors), most), np.float32),
        )
        for row, vector in enumerate(vectors):
            found, alike = coded.near(vector, max(CANDIDATES * most, FEWEST_CANDIDATES))
            if len(found) < most:
                # many are as near as the last: codes do not tell them apart
                found, alike = coded.all(vector)
            order = np.argsort(-alike, kind="stable")[:most]
            keys[row], similarities[row] = found[order], alike[order]
        return keys, similarities

    def _follow(self) -> CodedVectors:
        """The codes of everybody."""
        if self._coded is None:
            self._coded, self._index = CodedVectors(self.dimension), self._empty()
            self._changed = set(self._rows)
        changed = sorted(self._changed)
        present = [key for key in changed if key in self._rows]
        for key in changed:
            if key not in self._rows:
                self._coded.remove(key)
        if present:
            self._coded.add(np.array(present, np.int64), np.stack([self._rows[key] for key in present]))
        self._changed.clear()
        return self._coded

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
