"""What all cameras of one plane show at one instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workers.compiled import compiled
from workers.tracking.cameras import CameraBank
from workers.tracking.pairs import Pairs, compare
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import SimilarityScale
from workers.tracking.tracks import Tracks
from workers.tracking.views import Boxes, Seen, View, views_of

# shortest time between instants for which errors are told apart (s)
LEAST_DT = 0.05
# errors that lie more instants apart are not alike any more
MOST_LAGS = 30


@dataclass(frozen=True)
class Scene:
    """V views with M boxes in all.

    Attributes:
        views: one for each camera that has a frame; boxes: all of theirs; embeddings: (M, d) float32 of them.
        dependence: see `likelihood.tell`.
    """

    views: list[View]
    boxes: Boxes
    embeddings: np.ndarray
    dependence: float

    @classmethod
    def of(cls, bank: CameraBank, seen: Sequence[Seen], dt: float, settings: TrackerSettings) -> Scene:
        """The scene `dt` seconds after the one before."""
        boxes = Boxes.of(bank, seen, settings)
        looks = [s.embeddings for s in seen if len(s)]
        return cls(
            views=views_of(seen, boxes),
            boxes=boxes,
            embeddings=np.concatenate(looks) if looks else np.empty((0, 0), np.float32),
            dependence=dependence(dt, settings.noise_memory_s),
        )

    def knows_looks_of(self, people: Tracks) -> bool:
        """Whether these boxes and these people have embeddings that can be compared."""
        return 0 < self.embeddings.shape[1] == people.appearance.shape[1]

    def with_looks(
        self, pairs: Pairs, people: Tracks, scale: SimilarityScale, settings: TrackerSettings
    ) -> Pairs:
        """The pairs with what appearance says of them."""
        if not self.knows_looks_of(people) or not len(pairs.boxes):
            return pairs
        quality = self.boxes.quality
        alike = compare(pairs, people.looks(), people.weight, self.embeddings, quality)
        told = settings.appearance_weight * np.sqrt(quality[pairs.boxes]) * scale.log_ratio(alike)
        chances = pairs.chances + np.where(np.isnan(alike), 0.0, told)
        return pairs._replace(chances=chances, alike=alike)

    def alike(self, among: np.ndarray, scale: SimilarityScale, settings: TrackerSettings) -> np.ndarray:
        """(M, M) how much appearance says that two boxes show one person (nats).

        Args:
            among: (M,) bool, the boxes that matter; the others' values are 0.
        """
        result = np.zeros((len(self.embeddings), len(self.embeddings)))
        if not self.embeddings.shape[1] or not among.any():
            return result
        looks, quality = self.embeddings[among], self.boxes.quality[among]
        ratio = scale.log_ratio((looks @ looks.T).astype(float))
        result[np.ix_(among, among)] = (
            settings.appearance_weight * np.sqrt(quality[:, None] * quality) * ratio
        )
        return result


@compiled
def dependence(dt: float, memory_s: float) -> float:
    """How many times the variance of errors is to be taken when the ones `dt` seconds before were much the same.

    Boxes glide along with people: their errors are smooth in time, alike by exp(-(t / memory_s)^2). The variance of
    their mean is that of independent ones times the sum of these over all instants (Bayley and Hammersley, 1946).
    """
    result = 1.0
    if dt > 0:
        for lag in range(1, MOST_LAGS + 1):
            result += 2 * np.exp(-((max(dt, LEAST_DT) * lag / memory_s) ** 2))
    return result
