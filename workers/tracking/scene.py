"""What all cameras of one plane show at one instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workers.tracking.cameras import CameraBank
from workers.tracking.pairs import Pairs, dot_pairs
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import SimilarityScale
from workers.tracking.tracks import Tracks
from workers.tracking.views import Boxes, Seen, View, views_of

# shortest time between instants for which errors are told apart (s)
LEAST_DT = 0.05
# errors that lie more instants apart are not alike any more
MOST_LAGS = 30
# so many people and boxes are compared all with all: quicker than pair by pair
ALL_AT_ONCE = 50_000


@dataclass(frozen=True)
class Scene:
    """V views with M boxes in all.

    Attributes:
        views: one for each camera that has a frame; boxes: all of theirs.
        cameras: (V,) the views' cameras.
        scores, quality: (M,); embeddings: (M, d) float32.
        dependence: see `likelihood.tell`.
    """

    views: list[View]
    boxes: Boxes
    cameras: np.ndarray
    scores: np.ndarray
    quality: np.ndarray
    embeddings: np.ndarray
    dependence: float

    @classmethod
    def of(cls, bank: CameraBank, seen: Sequence[Seen], dt: float, settings: TrackerSettings) -> Scene:
        """The scene `dt` seconds after the one before."""
        views = views_of(bank, seen)
        dimension = max((view.embeddings.shape[1] for view in views if len(view)), default=0)
        empty = np.empty((0, dimension), np.float32)
        return cls(
            views=views,
            boxes=Boxes.of(views, settings),
            cameras=np.array([view.index for view in views], int),
            scores=np.concatenate([np.empty(0), *(view.scores for view in views)]),
            quality=np.concatenate([np.empty(0), *(view.quality for view in views)]),
            embeddings=np.concatenate([empty, *(view.embeddings for view in views if len(view))]),
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
        shown = (people.weight[pairs.people] > 0) & (self.quality[pairs.boxes] > 0)
        alike = np.where(shown, self._similarities(pairs, people.looks()), np.nan)
        known = ~np.isnan(alike)
        told = np.zeros(len(alike))
        told[known] = scale.log_ratio(alike[known])
        told = settings.appearance_weight * told * np.sqrt(self.quality[pairs.boxes])
        return pairs._replace(chances=pairs.chances + told, alike=alike)

    def _similarities(self, pairs: Pairs, looks: np.ndarray) -> np.ndarray:
        """(P,) of (T, d) looks and the boxes' embeddings."""
        if len(looks) * len(self.scores) <= ALL_AT_ONCE:
            return (looks @ self.embeddings.T)[pairs.people, pairs.boxes].astype(float)
        # a thousand people, of whom each stands near a few boxes
        return dot_pairs(looks, self.embeddings, pairs.people, pairs.boxes)

    def alike(self, among: np.ndarray, scale: SimilarityScale, settings: TrackerSettings) -> np.ndarray:
        """(M, M) how much appearance says that two boxes show one person (nats).

        Args:
            among: (M,) bool, the boxes that matter; the others' values are 0.
        """
        result = np.zeros((len(self.scores), len(self.scores)))
        if not self.embeddings.shape[1] or not among.any():
            return result
        looks, quality = self.embeddings[among], self.quality[among]
        ratio = scale.log_ratio((looks @ looks.T).astype(float))
        result[np.ix_(among, among)] = (
            settings.appearance_weight * np.sqrt(quality[:, None] * quality) * ratio
        )
        return result


def dependence(dt: float, memory_s: float) -> float:
    """How many times the variance of errors is to be taken when the ones `dt` seconds before were much the same.

    Boxes glide along with people: their errors are smooth in time, alike by exp(-(t / memory_s)^2). The variance of
    their mean is that of independent ones times the sum of these over all instants (Bayley and Hammersley, 1946).
    """
    if dt <= 0:
        return 1.0
    lags = max(dt, LEAST_DT) * np.arange(1, MOST_LAGS + 1)
    return float(1 + 2 * np.exp(-((lags / memory_s) ** 2)).sum())
