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
        self, people: Tracks, scale: SimilarityScale, settings: TrackerSettings
    ) -> tuple[np.ndarray, np.ndarray]:
        """(T, M) what appearance says (nats), and the similarities (NaN where there is nothing to compare)."""
        shape = (len(people), len(self.scores))
        if not self.knows_looks_of(people):
            return np.zeros(shape), np.full(shape, np.nan)
        similarities = people.looks() @ self.embeddings.T
        similarities[people.weight <= 0] = np.nan
        told = scale.log_ratio(similarities) * np.sqrt(self.quality)
        return settings.appearance_weight * np.nan_to_num(told), similarities

    def alike(self, scale: SimilarityScale, settings: TrackerSettings) -> np.ndarray:
        """(M, M) how much appearance says that two boxes show one person (nats)."""
        if not self.embeddings.shape[1]:
            return np.zeros((len(self.scores), len(self.scores)))
        quality = np.sqrt(self.quality[:, None] * self.quality)
        similarities = self.embeddings @ self.embeddings.T
        return settings.appearance_weight * quality * scale.log_ratio(similarities)
