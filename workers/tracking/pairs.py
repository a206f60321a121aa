"""Who might be shown by which box: the few pairs of people and boxes that are near enough to be worth a thought.

In a large crowd nobody is near most boxes; what is decided afterwards takes time with the number of these pairs, not
with people times boxes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.tracking.likelihood import place

# a box further to the side than this many deviations, slipped or not, is somebody else's
REACH = 4.0


class Pairs(NamedTuple):
    """P pairs of T people and the boxes of the V views they are in, by view, then by person, then by box.

    Attributes:
        starts: (V * T + 1,) where the pairs of each view and person begin.
        people, boxes: (P,) of each pair.
        errors: (P, 3) the box's edges less the figure's, as shares of the figure's height.
        chances: (P,) log odds that the person is found, what the detector doubts, and what appearance says (nats).
        alike: (P,) similarity of their looks, NaN where there is nothing to compare.
    """

    starts: np.ndarray
    people: np.ndarray
    boxes: np.ndarray
    errors: np.ndarray
    chances: np.ndarray
    alike: np.ndarray


@compiled
def pair_up(boxes, sights, crowd, model) -> Pairs:
    """All pairs that are near, before appearance says anything."""
    V, T = sights.inside.shape
    reach, starts = np.zeros((V, T)), np.zeros(V * T + 1, np.int64)
    _count(boxes, sights, crowd, model, np.zeros((3, 3)), np.zeros(3), np.zeros(3), reach, starts)
    P = starts[-1]
    pairs = Pairs(
        starts,
        np.empty(P, np.int64),
        np.empty(P, np.int64),
        np.empty((P, 3)),
        np.empty(P),
        np.full(P, np.nan),
    )
    _fill(boxes, sights, reach, pairs)
    return pairs


@compiled_lean
def _count(boxes, sights, crowd, model, covariance, pull, shift, reach, starts) -> None:
    """Write how far to the side everybody's boxes may lie, 0 where they are not in view, and where pairs begin."""
    V, T = sights.inside.shape
    for i in range(T):
        place(crowd.precision[i], pull, covariance, shift)
        for v in range(V):
            if not sights.inside[v, i]:
                continue
            J = sights.jacobian[v, i]
            spread = sights.variances[v, i, 0] * model.slipped_scale**2
            for k in range(3):
                for m in range(3):
                    spread += J[0, k] * covariance[k, m] * J[0, m]
            reach[v, i] = REACH * np.sqrt(spread)
            for box in range(boxes.starts[v], boxes.starts[v + 1]):
                starts[v * T + i + 1] += _near(boxes, sights, reach, v, i, box)
    for row in range(V * T):
        starts[row + 1] += starts[row]


@compiled_lean
def _near(boxes, sights, reach, v, i, box) -> bool:
    error = boxes.edges_px[box, 0] / sights.scale_px[v, i] - sights.edges[v, i, 0]
    return boxes.usable[box] and abs(error) < reach[v, i]


@compiled_lean
def _fill(boxes, sights, reach, pairs) -> None:
    V, T = sights.inside.shape
    k = 0
    for v in range(V):
        for i in range(T):
            # nobody is there, or nobody is near
            if pairs.starts[v * T + i] == pairs.starts[v * T + i + 1]:
                continue
            rate, scale = sights.rate[v, i], sights.scale_px[v, i]
            odds = np.log(rate / (1 - rate))
            for box in range(boxes.starts[v], boxes.starts[v + 1]):
                if _near(boxes, sights, reach, v, i, box):
                    pairs.people[k], pairs.boxes[k] = i, box
                    pairs.chances[k] = odds + boxes.doubts[box]
                    for edge in range(3):
                        pairs.errors[k, edge] = boxes.edges_px[box, edge] / scale - sights.edges[v, i, edge]
                    k += 1


@compiled
def take_people(pairs, T, rows) -> Pairs:
    """The pairs of some of the T people, one after the other; a person may be taken more than once."""
    V, n = (len(pairs.starts) - 1) // max(T, 1), len(rows)
    starts = np.zeros(V * n + 1, np.int64)
    for v in range(V):
        for i in range(n):
            row = v * T + rows[i]
            starts[v * n + i + 1] = starts[v * n + i] + pairs.starts[row + 1] - pairs.starts[row]
    chosen, people = np.empty(starts[-1], np.int64), np.empty(starts[-1], np.int64)
    for v in range(V):
        for i in range(n):
            first = starts[v * n + i]
            for k in range(starts[v * n + i + 1] - first):
                chosen[first + k] = pairs.starts[v * T + rows[i]] + k
                people[first + k] = i
    return Pairs(
        starts, people, pairs.boxes[chosen], pairs.errors[chosen], pairs.chances[chosen], pairs.alike[chosen]
    )


@compiled_lean
def pair_of(pairs, row, box) -> int:
    """The number of the pair of a box and a view's person, `view * T + person`; -1: they are not near."""
    for k in range(pairs.starts[row], pairs.starts[row + 1]):
        if pairs.boxes[k] == box:
            return k
    return -1


@compiled
def compare(
    pairs, looks: np.ndarray, weights: np.ndarray, embeddings: np.ndarray, quality: np.ndarray
) -> np.ndarray:
    """(P,) how alike the people and the boxes of pairs look; not a number where nothing is known of one of them.

    Args:
        looks: (T, d) unit rows, known where (T,) weights are above zero.
        embeddings: (M, d) unit rows, known where (M,) quality is above zero.
    """
    alike = np.full(len(pairs.boxes), np.nan)
    for k in range(len(alike)):
        i, box = pairs.people[k], pairs.boxes[k]
        if weights[i] > 0 and quality[box] > 0:
            alike[k] = np.dot(looks[i], embeddings[box])
    return alike


@compiled
def own_similarities(pairs, told, whole, least: float) -> np.ndarray:
    """(n,) how alike people and the boxes are that nobody else could have.

    Args:
        told: see `saying.Told`; whole: (V, n) bool, of which of the first n people in which view enough shows.
        least: nats by which a person must explain a box better than anything else could.
    """
    V, T = told.boxes.shape
    found, k = np.empty(whole.size), 0
    for v in range(V):
        for i in range(whole.shape[1]):
            if whole[v, i] and told.boxes[v, i] >= 0 and told.gains[v, i] > least:
                pair = pair_of(pairs, v * T + i, told.boxes[v, i])
                if pair >= 0 and not np.isnan(pairs.alike[pair]):
                    found[k] = pairs.alike[pair]
                    k += 1
    return found[:k]
