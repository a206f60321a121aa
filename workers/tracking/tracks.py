"""The live tracks of one plane as arrays: one row per person, no object per person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from workers.compiled import compiled


@dataclass
class Tracks:
    """n tracks.

    Attributes:
        number: (n,) int64, unique within the tracker.
        mean: (n, 5) x, y (m), vx, vy (m/s), height (m); covariance: (n, 5, 5).
        evidence: (n,) nats for the track's being somebody, capped.
        findable: (n,) 0..1, how probably some camera finds it at this instant.
        blind: (n, C) 0..1, how probably each camera of the plane does not find this person at present, whatever shows.
        person: (n,) int64, the person's number once confirmed, -1 before.
        born_s, seen_s: (n,) seconds, first and last detection.
        appearance: (n, d) float32 weighted sum of embeddings; weight: (n,) sum of weights.
        before: (n, 2, 3) x, y (m) and time (s) one and two spans ago, the older first; not a number before the track
            began. See `turning`.
    """

    number: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    evidence: np.ndarray
    findable: np.ndarray
    blind: np.ndarray
    person: np.ndarray
    born_s: np.ndarray
    seen_s: np.ndarray
    appearance: np.ndarray
    weight: np.ndarray
    before: np.ndarray

    @classmethod
    def none(cls, dimension: int = 0, cameras: int = 0) -> Tracks:
        return cls(
            number=np.empty(0, np.int64),
            mean=np.empty((0, 5)),
            covariance=np.empty((0, 5, 5)),
            evidence=np.empty(0),
            findable=np.empty(0),
            blind=np.empty((0, cameras)),
            person=np.empty(0, np.int64),
            born_s=np.empty(0),
            seen_s=np.empty(0),
            appearance=np.empty((0, dimension), np.float32),
            weight=np.empty(0),
            before=np.empty((0, 2, 3)),
        )

    def __len__(self) -> int:
        return len(self.number)

    @classmethod
    def joined(cls, parts: Sequence[Tracks]) -> Tracks:
        """All rows, one part after the other; one part alone is not copied."""
        if len(parts) == 1:
            return replace(parts[0])
        dimension = max(part.appearance.shape[1] for part in parts)
        empty = np.empty((0, dimension), np.float32)
        values = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(cls)
            if field.name != "appearance"
        }
        return cls(**values, appearance=np.concatenate([p.appearance if len(p) else empty for p in parts]))

    def take(self, rows: np.ndarray) -> Tracks:
        """A copy of some rows, perhaps several times."""
        return Tracks(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def keep(self, selection: np.ndarray) -> None:
        """Drop all rows but the selected ones (boolean mask)."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[selection])

    def extend(self, other: Tracks) -> None:
        if self.appearance.shape[1] != other.appearance.shape[1]:
            if len(self):
                raise ValueError("embeddings changed their length within one task")
            self.appearance = np.empty((0, other.appearance.shape[1]), np.float32)
        for field in fields(self):
            setattr(self, field.name, np.concatenate([getattr(self, field.name), getattr(other, field.name)]))

    @property
    def confirmed(self) -> np.ndarray:
        """(n,) bool."""
        return self.person >= 0

    def looks(self) -> np.ndarray:
        """(n, d) unit appearance; zero rows for tracks without any."""
        return unit_rows(self.appearance)

    def to_state(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """(n, d) rows scaled to unit length; zero rows stay zero."""
    return _scaled(np.ascontiguousarray(vectors))


@compiled
def _scaled(vectors: np.ndarray) -> np.ndarray:
    rows = np.empty_like(vectors)
    for i in range(len(vectors)):
        length = np.sqrt(np.dot(vectors[i], vectors[i]))
        if length > 0:
            rows[i] = vectors[i] / length
        else:
            rows[i] = 0
    return rows
