"""One-to-one assignment of tracks to detections."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment


def assign(costs: np.ndarray, most: float) -> tuple[np.ndarray, np.ndarray]:
    """The cheapest one-to-one assignment among pairs that cost less than `most`.

    Leaving a pair apart costs `most`, so that a doubtful pair is never forced for the sake of another.

    Args:
        costs: (n, m); infinite or NaN means impossible.

    Returns:
        Matched row and column indices, rows ascending.
    """
    if costs.size == 0:
        return np.empty(0, int), np.empty(0, int)
    # impossible pairs cost as much as leaving them apart; they are taken out again below
    bounded = np.where(costs < most, costs, most)
    rows, columns = linear_sum_assignment(bounded)
    kept = costs[rows, columns] < most
    return rows[kept], columns[kept]
