"""What all cameras of one plane show at one instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workers.tracking.cameras import CameraBank
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import SimilarityScale
from workers.tracking.tracks import Tracks
from workers.tracking.views import Boxes, Seen, View, views_of

# shortest time between instants for which errors are told apart (s)
LEAST_DT = 0.05
# so many pairs of people and boxes are compared without asking who is in view of whom
ALL_AT_ONCE = 50_000


@dataclass(frozen=True)
class Scene:
    """V views with M boxes in all.

    Attributes:
        views: one for each camera that has a frame; boxes: all of theirs.
        cameras: (V,) the views' cameras.
        scores, quality: (M,); embeddings: (M, d).
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
        empty = np.empty((0, dimension))
        return cls(
            views=views,
            boxes=Boxes.of(views, settings),
            cameras=np.array([view.index for view in views], int),
            scores=np.concatenate([np.empty(0), *(view.scores for view in views)]),
            quality=np.concatenate([np.empty(0), *(view.quality for view in views)]),
            embeddings=np.concatenate([empty, *(view.embeddings for view in views if len(view))]),
            dependence=1 + settings.noise_memory_s / max(dt, LEAST_DT) if dt > 0 else 1.0,
        )

    def knows_looks_of(self, people: Tracks) -> bool:
        """Whether these boxes and these people have embeddings that can be compared."""
        return 0 < self.embeddings.shape[1] == people.appearance.shape[1]

    def looks_like(
        self, people: Tracks, inside: np.ndarray, scale: SimilarityScale, settings: TrackerSettings
    ) -> tuple[np.ndarray, np.ndarray]:
        """What appearance says of everybody and every box of a camera that they are in view of.

        Args:
            inside: (V, T) bool, who is in view of each of the scene's cameras.

        Returns:
            (T, M) nats, and the similarities (NaN where there is nothing to compare).
        """
        shape = (len(people), len(self.scores))
        if not self.knows_looks_of(people):
            return np.zeros(shape), np.full(shape, np.nan)
        looks = people.looks()
        if shape[0] * shape[1] <= ALL_AT_ONCE:
            similarities = looks @ self.embeddings.T
        else:
            # a thousand people, of whom a camera sees a few dozen
            similarities = np.full(shape, np.nan)
            for v, sees in enumerate(inside):
                boxes = slice(self.boxes.starts[v], self.boxes.starts[v + 1])
                similarities[sees, boxes] = looks[sees] @ self.embeddings[boxes].T
        similarities[people.weight <= 0] = np.nan
        known = ~np.isnan(similarities)
        told = np.zeros(shape)
        told[known] = scale.log_ratio(similarities[known])
        return settings.appearance_weight * told * np.sqrt(self.quality), similarities

    def alike(self, among: np.ndarray, scale: SimilarityScale, settings: TrackerSettings) -> np.ndarray:
        """(M, M) how much appearance says that two boxes show one person (nats).

        Args:
            among: (M,) bool, the boxes that matter; the others' values are 0.
        """
        result = np.zeros((len(self.scores), len(self.scores)))
        if not self.embeddings.shape[1]:
            return result
        looks, quality = self.embeddings[among], self.quality[among]
        ratio = scale.log_ratio(looks @ looks.T)
        result[np.ix_(among, among)] = (
            settings.appearance_weight * np.sqrt(quality[:, None] * quality) * ratio
        )
        return result
