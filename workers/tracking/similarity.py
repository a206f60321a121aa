"""What a similarity means: learned from people who are certainly the same and certainly different.

Two detections in one frame of one camera are different people; a detection that only one track could have
caused is the same person as that track. How similar such pairs are says what a similarity is worth for this
embedder, in this light, so that no threshold has to be guessed.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class RunningNormal:
    """Mean and deviation of values seen so far, beginning with a weak prior; old values fade."""

    # so many values the prior is worth, and so many are remembered
    PRIOR, MEMORY = 50.0, 20000.0
    LEAST_DEVIATION = 0.03

    def __init__(self, mean: float, deviation: float, count: float = PRIOR) -> None:
        self.count, self.mean, self.square = count, mean, mean**2 + deviation**2

    @property
    def deviation(self) -> float:
        return float(np.sqrt(max(self.square - self.mean**2, self.LEAST_DEVIATION**2)))

    def learn(self, values: np.ndarray) -> None:
        values = np.asarray(values, float).ravel()
        if len(values) == 0:
            return
        total = self.count + len(values)
        self.mean = float((self.mean * self.count + values.sum()) / total)
        self.square = float((self.square * self.count + (values**2).sum()) / total)
        self.count = min(total, self.MEMORY)

    def log_density(self, values: np.ndarray) -> np.ndarray:
        return -0.5 * ((values - self.mean) / self.deviation) ** 2 - np.log(self.deviation)


class SimilarityScale:
    """Log-likelihood ratios of `same person` against `different people`.

    Attributes:
        same, different: similarities of one detection and a track's average look.
        strangers: similarities of two tracks' average looks, of different people.
    """

    # appearance alone never decides more than this (nats): clothes repeat, boxes slip
    LIMIT = 4.0

    def __init__(self) -> None:
        self.same = RunningNormal(0.8, 0.12)
        self.different = RunningNormal(0.55, 0.15)
        self.strangers = RunningNormal(0.6, 0.15)

    def log_ratio(self, similarities: np.ndarray) -> np.ndarray:
        """How much more likely these similarities are for one person than for two (nats)."""
        # beyond the mean of `same`, more similar is never less likely to be the same
        clipped = np.minimum(similarities, self.same.mean)
        ratio = self.same.log_density(clipped) - self.different.log_density(clipped)
        return np.clip(ratio, -self.LIMIT, self.LIMIT)

    def learn_different(self, embeddings: np.ndarray) -> None:
        """Learn from (n, d) unit rows of n different people in one image."""
        if len(embeddings) >= 2 and embeddings.shape[1]:
            self.different.learn(_pairs(embeddings))

    def learn_strangers(self, looks: np.ndarray) -> None:
        """Learn from the (n, d) average looks of n people who are there at once."""
        if len(looks) >= 2 and looks.shape[1]:
            self.strangers.learn(_pairs(looks))

    def to_state(self) -> dict[str, Any]:
        return {name: dict(vars(value)) for name, value in vars(self).items()}

    def restore(self, state: dict[str, Any]) -> None:
        for name, values in state.items():
            vars(getattr(self, name)).update(values)


def _pairs(rows: np.ndarray) -> np.ndarray:
    return (rows @ rows.T)[np.triu_indices(len(rows), 1)]
