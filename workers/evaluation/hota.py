"""HOTA after Luiten et al., HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking (IJCV 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

# the metric is a mean over these least similarities of a match
ALPHAS = np.arange(0.05, 0.99, 0.05)
_EPSILON = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Hota:
    """Means over all thresholds: the score itself, and how well people are detected and associated."""

    hota: float
    deta: float
    assa: float


def hota(frames: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], truths: int, tracks: int) -> Hota:
    """Score a sequence.

    Args:
        frames: per frame (n,) int indices of the true identities, (m,) int of the tracker's, and the (n, m)
            similarities, 0..1. Indices count from 0; within a frame each occurs once.
        truths, tracks: how many identities there are on each side.
    """
    true_count, track_count = np.zeros(truths), np.zeros(tracks)
    potential = np.zeros((truths, tracks))
    for names, others, similarity in frames:
        true_count[names] += 1
        track_count[others] += 1
        union = similarity.sum(0)[None, :] + similarity.sum(1)[:, None] - similarity
        potential[np.ix_(names, others)] += np.where(
            union > _EPSILON, similarity / np.maximum(union, _EPSILON), 0.0
        )
    total = true_count[:, None] + track_count[None, :]
    alignment = potential / np.maximum(total - potential, _EPSILON)
    matches = np.zeros((len(ALPHAS), truths, tracks))
    for names, others, similarity in frames:
        # one matching for all thresholds, by how well two identities go together in the whole sequence
        rows, columns = linear_sum_assignment(-alignment[np.ix_(names, others)] * similarity)
        good = similarity[rows, columns][None, :] >= ALPHAS[:, None] - _EPSILON
        for a in range(len(ALPHAS)):
            matches[a, names[rows[good[a]]], others[columns[good[a]]]] += 1
    hits = matches.sum((1, 2))
    deta = hits / np.maximum(true_count.sum() + track_count.sum() - hits, 1.0)
    association = matches / np.maximum(total[None] - matches, 1.0)
    assa = (matches * association).sum((1, 2)) / np.maximum(hits, 1.0)
    return Hota(float(np.sqrt(deta * assa).mean()), float(deta.mean()), float(assa.mean()))
