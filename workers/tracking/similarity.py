"""What a similarity means: learned from people who are certainly different.

Two detections in one frame of one camera are different people. The mean and spread of their similarities say
what "not alike" looks like for this embedder, in this light, so that no threshold has to be guessed.
"""

from __future__ import annotations

import numpy as np


class SimilarityScale:
    """Running mean and spread of the similarities of different people.

    Begins with a weak prior, so that the first frames do not decide.
    """

    PRIOR_COUNT = 50.0
    # old scenes fade: about this many pairs are remembered
    MEMORY = 20000.0

    def __init__(self, count: float = PRIOR_COUNT, mean: float = 0.7, square: float = 0.7**2 + 0.12**2) -> None:
        self.count, self.mean, self.square = count, mean, square

    @property
    def deviation(self) -> float:
        return float(np.sqrt(max(self.square - self.mean**2, 0.02**2)))

    def learn(self, embeddings: np.ndarray) -> None:
        """Learn from (n, d) unit rows of n different people in one image."""
        n = len(embeddings)
        if n < 2 or embeddings.shape[1] == 0:
            return
        pairs = (embeddings @ embeddings.T)[np.triu_indices(n, 1)].astype(float)
        total = self.count + len(pairs)
        self.mean = (self.mean * self.count + pairs.sum()) / total
        self.square = (self.square * self.count + (pairs**2).sum()) / total
        self.count = min(total, self.MEMORY)

    def sigmas(self, similarities: np.ndarray) -> np.ndarray:
        """How far similarities lie above those of different people, in standard deviations."""
        return (similarities - self.mean) / self.deviation
