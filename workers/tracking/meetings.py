"""How close people come to one another: nobody walks through anybody.

When two people meet, boxes alone often cannot tell whether they passed each other or turned back. Where passing would
lead one through the other it is the less likely explanation.
"""

from __future__ import annotations

import numpy as np

from workers.compiled import compiled
from workers.tracking.settings import TrackerSettings

# people further apart than this many times `body_m` do not meet
REACH = 3.0

Closest = dict[tuple[int, int], float]


def meet(
    numbers: np.ndarray, before: np.ndarray, after: np.ndarray, closest: Closest, settings: TrackerSettings
) -> tuple[Closest, float]:
    """How near pairs have come in the meetings that go on, and what that makes of a hypothesis.

    A meeting costs as much as its closest moment: it does not matter how long it lasts or how many frames show it.

    Args:
        numbers: (n,) of the people; before, after: (n, 2) where they were an instant ago and are now (m).
        closest: the same an instant ago: metres, by the numbers of the two.

    Returns:
        How near they have come by now, and the nats by which this instant makes the hypothesis less likely.
    """
    pairs, gaps = _approaches(before, after, REACH * settings.body_m)
    result: Closest = {}
    cost, names = 0.0, numbers.tolist()
    for (i, j), gap in zip(pairs.tolist(), gaps.tolist(), strict=True):
        pair = (names[i], names[j])
        known = closest.get(pair, np.inf)
        result[pair] = min(gap, known)
        cost += _cost(result[pair], settings) - _cost(known, settings)
    return result, cost


def _cost(gap_m: float, settings: TrackerSettings) -> float:
    return settings.repulsion * float(np.exp(-0.5 * (gap_m / settings.body_m) ** 2))


@compiled
def _approaches(before: np.ndarray, after: np.ndarray, within: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of (n, 2) people who came closer than `within` while all walked straight from `before` to `after`.

    Returns:
        (k, 2) rows, the smaller first; (k,) their least distances.
    """
    n = len(after)
    step = 0.0
    for i in range(n):
        step = max(step, abs(after[i, 0] - before[i, 0]))
    order = np.argsort(after[:, 0], kind="mergesort")
    pairs, gaps = np.empty((n, 2), np.int64), np.empty(n)
    k = 0
    for a in range(n):
        for b in range(a + 1, n):
            i, j = min(order[a], order[b]), max(order[a], order[b])
            if abs(after[i, 0] - after[j, 0]) >= within + 2 * step:
                break
            x, y = after[i, 0] - after[j, 0], after[i, 1] - after[j, 1]
            u, v = x - (before[i, 0] - before[j, 0]), y - (before[i, 1] - before[j, 1])
            # back along their way, seen from one another, to where they were closest
            length2 = u * u + v * v
            share = min(max((x * u + y * v) / length2, 0.0), 1.0) if length2 > 0 else 0.0
            gap = np.hypot(x - share * u, y - share * v)
            if gap < within:
                if k == len(pairs):
                    pairs, gaps = np.concatenate((pairs, pairs)), np.concatenate((gaps, gaps))
                pairs[k, 0], pairs[k, 1], gaps[k] = i, j, gap
                k += 1
    ascending = np.argsort(pairs[:k, 0] * n + pairs[:k, 1])
    return pairs[:k][ascending], gaps[:k][ascending]
