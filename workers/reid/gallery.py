"""The gallery: how known persons look, searchable by similarity. FAISS does the search."""

from __future__ import annotations

import faiss
import numpy as np


class Gallery:
    """Unit vectors under integer keys, exact inner-product search, the GPU's index where one is present.

    Exact, because a missed identity is worse than a millisecond: 100,000 vectors of 512 take about 200 MB.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        index = faiss.IndexFlatIP(dimension)
        if faiss_gpus() > 0:
            index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
        self._index = faiss.IndexIDMap(index)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        """Add (n, d) unit rows under (n,) keys."""
        self._index.add_with_ids(
            np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(keys, np.int64)
        )

    def search(self, vectors: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
        """The `most` alike keys for each of (n, d) unit rows, best first.

        Returns:
            (n, most) int64 keys, -1 where there are fewer, and (n, most) float32 similarities.
        """
        most = min(most, len(self))
        if most == 0:
            return np.empty((len(vectors), 0), np.int64), np.empty((len(vectors), 0), np.float32)
        similarities, keys = self._index.search(np.ascontiguousarray(vectors, np.float32), most)
        return keys, similarities


def faiss_gpus() -> int:
    """GPUs that this build of FAISS can use; 0 for the CPU build."""
    return faiss.get_num_gpus() if hasattr(faiss, "StandardGpuResources") else 0
