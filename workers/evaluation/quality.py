"""CLEAR MOT, IDF1 and HOTA of tracks against ground truth.

CLEAR MOT after Bernardin and Stiefelhagen, Evaluating Multiple Object Tracking Performance (2008); IDF1 after
Ristani et al., Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking (2016).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from workers.evaluation.hota import Hota, hota

# per frame: identities and what they are at, boxes (n, 4) xyxy or points (n, 2)
Frames = Mapping[Hashable, tuple[list, np.ndarray]]


@dataclass(frozen=True)
class Quality:
    """Scores of tracks against ground truth.

    Attributes:
        truths: ground-truth boxes or points; tracked: those of the tracker.
        misses, false_positives, switches: CLEAR MOT's errors.
        identity_matches: pairs that agree under the best one-to-one naming of identities (IDTP).
        higher_order: HOTA and its parts.
    """

    truths: int
    tracked: int
    misses: int
    false_positives: int
    switches: int
    identity_matches: int
    higher_order: Hota

    @property
    def mota(self) -> float:
        return 1.0 - (self.misses + self.false_positives + self.switches) / max(self.truths, 1)

    @property
    def idf1(self) -> float:
        return 2 * self.identity_matches / max(self.truths + self.tracked, 1)

    @property
    def hota(self) -> float:
        return self.higher_order.hota


def evaluate(truth: Frames, tracks: Frames, *, most: float, kind: str) -> Quality:
    """Score tracks.

    HOTA needs similarities from 0 to 1: IoU for boxes; for points 1 minus the distance in units of twice `most`, so
    that its middle threshold is the one of MOTA and IDF1.

    Args:
        truth, tracks: what there is in each frame; a frame missing on one side counts as empty.
        most: greatest cost of a match: 1 - IoU for boxes (0.5), metres for points.
        kind: `boxes` or `points`.
    """
    cost_of = {"boxes": box_costs, "points": point_costs}[kind]
    misses = false_positives = switches = truths = tracked = 0
    last: dict[Hashable, Hashable] = {}
    together: dict[tuple[Hashable, Hashable], int] = {}
    index, other_index = _Indices(), _Indices()
    similar = []
    empty = ([], np.empty((0, 4 if kind == "boxes" else 2)))
    for frame in sorted(set(truth) | set(tracks), key=_order):
        names, places = truth.get(frame, empty)
        others, other_places = tracks.get(frame, empty)
        truths, tracked = truths + len(names), tracked + len(others)
        costs = cost_of(np.asarray(places, float), np.asarray(other_places, float))
        similarity = 1 - costs / (2 * most if kind == "points" else 1.0)
        similar.append((index.of(names), other_index.of(others), np.clip(similarity, 0, 1)))
        possible = costs <= most
        for i, j in np.argwhere(possible):
            together[names[i], others[j]] = together.get((names[i], others[j]), 0) + 1
        pairs = _match(names, others, costs, possible, last)
        for i, j in pairs:
            if last.get(names[i], others[j]) != others[j]:
                switches += 1
            last[names[i]] = others[j]
        misses += len(names) - len(pairs)
        false_positives += len(others) - len(pairs)
    return Quality(
        truths,
        tracked,
        misses,
        false_positives,
        switches,
        _identity_matches(together),
        hota(similar, len(index), len(other_index)),
    )


class _Indices(dict):
    """Identities to consecutive numbers, in the order of their first appearance."""

    def of(self, names: list) -> np.ndarray:
        return np.array([self.setdefault(name, len(self)) for name in names], int)


def box_costs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, m) 1 - IoU of (n, 4) and (m, 4) xyxy boxes."""
    a, b = a.reshape(-1, 4), b.reshape(-1, 4)
    size = np.clip(
        np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2]), 0, None
    )
    overlap = size.prod(2)
    areas = [(x[:, 2:] - x[:, :2]).prod(1) for x in (a, b)]
    union = areas[0][:, None] + areas[1][None] - overlap
    return 1.0 - overlap / np.maximum(union, 1e-12)


def point_costs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, m) distances of (n, 2) and (m, 2) points."""
    return np.linalg.norm(a.reshape(-1, 1, 2) - b.reshape(1, -1, 2), axis=2)


def _match(
    names: list, others: list, costs: np.ndarray, possible: np.ndarray, last: dict
) -> list[tuple[int, int]]:
    """CLEAR MOT: pairs of the frame before stay while they can, the rest is assigned at least cost."""
    column = {name: j for j, name in enumerate(others)}
    pairs, rows, columns = [], set(range(len(names))), set(range(len(others)))
    for i, name in enumerate(names):
        j = column.get(last.get(name))
        if j is not None and possible[i, j] and j in columns:
            pairs.append((i, j))
            rows.discard(i)
            columns.discard(j)
    rows, columns = sorted(rows), sorted(columns)
    if rows and columns:
        free = np.where(possible, costs, 1e6)[np.ix_(rows, columns)]
        for i, j in zip(*linear_sum_assignment(free), strict=True):
            if free[i, j] < 1e6:
                pairs.append((rows[i], columns[j]))
    return pairs


def _identity_matches(together: Mapping[tuple[Hashable, Hashable], int]) -> int:
    """Most agreeing pairs that one naming of tracker identities by true ones can reach."""
    if not together:
        return 0
    truths, tracks = _Indices(), _Indices()
    rows, columns = truths.of([a for a, _ in together]), tracks.of([b for _, b in together])
    counts = np.zeros((len(truths), len(tracks)))
    counts[rows, columns] = list(together.values())
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return int(counts[rows, columns].sum())


def _order(frame: Hashable):
    return frame if isinstance(frame, tuple) else (frame,)
