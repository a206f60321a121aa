"""Persons of different tasks who are the same, by appearance: only where it is clear.

What is clear is learned from the data. People whom one camera saw at the same time are certainly different; how
alike they look says what a similarity is worth with this embedder, in this place. Likeness is the logarithm of how
near two looks are, u = -ln(1 - cosine): it tells 0.95 from 0.99, and spreads like a normal distribution where
cosines crowd at 1. A pair's score is how many deviations its likeness lies above that of either to everybody else
it is compared with:

    z(u; others) = (u - mean) / deviation,
    mean      = (sum(others) + PRIOR * mean0) / (n + PRIOR),
    deviation = sqrt((sum((others - mean)^2) + PRIOR * deviation0^2) / (n + PRIOR)),
    score     = min(z(u; the first's other likenesses), z(u; the second's other likenesses)),

with mean0 and deviation0 of the certainly different pairs. As these are seen in the same light, they are rather
more alike than strangers of different tasks: the scale errs towards caution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

# Deviations from which on a pair is matched, and by how many it must be clearer than either's next best. Set on four
# synthetic recordings cut in two (campus with 14 and 24 people and with 14 in nearly the same clothes, factory in
# uniforms), where the clearest pair known to be wrong reached 4.9 with a lead of 2.9. What they find, and that it is
# right, `manage.py benchmark matching` tells.
LEAST_SCORE, LEAST_LEAD = 5.5, 3.0
# without so many certainly different pairs nothing is known about what similarities mean here
LEAST_PAIRS = 10
# how many people's similarities the general experience counts for beside a person's own
PRIOR = 4.0
# likenesses of different people never vary less than this, whatever few of them say
LEAST_DEVIATION = 0.1
# looks are never nearer than this (1 - cosine): below, it is noise
LEAST_DISTANCE = 1e-3


@dataclass(frozen=True)
class Match:
    """Indices of a person of either side, how alike they are (cosine), and the score (deviations)."""

    mine: int
    theirs: int
    similarity: float
    score: float


def match(
    mine: np.ndarray, theirs: np.ndarray, *, possible: np.ndarray, different: np.ndarray
) -> list[Match]:
    """One-to-one matches between two groups of persons.

    Args:
        mine, theirs: (m, d) and (n, d) unit rows.
        possible: (m, n) bool: pairs that may be the same at all.
        different: similarities of pairs who are certainly different.
    """
    if len(different) < LEAST_PAIRS or not possible.any():
        return []
    similarities = mine @ theirs.T
    scores = score(similarities, different)
    clear = np.where(possible & (scores >= LEAST_SCORE), scores, 0.0)
    rows, columns = linear_sum_assignment(clear, maximize=True)
    return [
        Match(int(i), int(j), float(similarities[i, j]), float(scores[i, j]))
        for i, j in zip(rows, columns, strict=True)
        if clear[i, j] > 0 and scores[i, j] - _next_best(scores, i, j) >= LEAST_LEAD
    ]


def special(looks: np.ndarray, directions: np.ndarray, less: np.ndarray) -> np.ndarray:
    """(n, d) what is special about each of (n, d) looks.

    What all have in common is taken out, and along (k, d) orthonormal directions, in which looks of one and the same
    person vary, shares `less` (k,) of the rest.
    """
    own = looks - looks.mean(0)
    return own - (own @ directions.T * less) @ directions


def score(similarities: np.ndarray, different: np.ndarray) -> np.ndarray:
    """(m, n) deviations by which each pair's likeness lies above those of its row and of its column."""
    known, likeness = _likeness(different), _likeness(similarities)
    mean0, deviation0 = float(known.mean()), max(float(known.std()), LEAST_DEVIATION)
    return np.minimum(_deviations(likeness, mean0, deviation0), _deviations(likeness.T, mean0, deviation0).T)


def _likeness(similarities: np.ndarray) -> np.ndarray:
    return -np.log(np.maximum(1.0 - similarities, LEAST_DISTANCE))


def _deviations(likeness: np.ndarray, mean0: float, deviation0: float) -> np.ndarray:
    n = likeness.shape[1] - 1
    total = likeness.sum(axis=1, keepdims=True) - likeness
    squares = (likeness**2).sum(axis=1, keepdims=True) - likeness**2
    mean = (total + PRIOR * mean0) / (n + PRIOR)
    spread = np.maximum(squares - 2 * mean * total + n * mean**2, 0.0)
    return (likeness - mean) / np.sqrt((spread + PRIOR * deviation0**2) / (n + PRIOR))


def _next_best(scores: np.ndarray, i: int, j: int) -> float:
    """The best score of another pair with one of these two; a mutual best lies above it.

    Impossible pairs count: where somebody else looks just the same, looks decide nothing.
    """
    return float(
        max(np.delete(scores[i], j).max(initial=-np.inf), np.delete(scores[:, j], i).max(initial=-np.inf))
    )
