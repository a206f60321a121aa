"""One-to-one assignment of people to boxes."""

from __future__ import annotations

import numpy as np

from workers.compiled import compiled


@compiled
def assign(values: np.ndarray) -> np.ndarray:
    """The assignment of greatest total value among pairs whose value is above 0; nothing is ever forced.

    People and boxes fall apart into groups that have nothing to do with one another; each is solved by the Hungarian
    method (shortest augmenting paths; Kuhn 1955, Munkres 1957), in which staying alone is worth 0.

    Args:
        values: (n, m); anything not above 0, NaN included, means impossible.

    Returns:
        (m,) the row of every column, or -1.
    """
    n, m = values.shape
    result = np.full(m, -1)
    row_group, column_group = np.full(n, -1), np.full(m, -1)
    queue = np.empty(n + m, np.int64)
    rows, columns = np.empty(n, np.int64), np.empty(m, np.int64)
    for seed in range(n):
        if row_group[seed] >= 0:
            continue
        # everybody who competes with `seed`, directly or through others
        row_group[seed] = seed
        queue[0] = seed
        head, tail, count, width = 0, 1, 0, 0
        while head < tail:
            node = queue[head]
            head += 1
            if node < n:
                rows[count] = node
                count += 1
                for j in range(m):
                    if column_group[j] < 0 and values[node, j] > 0:
                        column_group[j] = seed
                        columns[width] = j
                        width += 1
                        queue[tail] = n + j
                        tail += 1
            else:
                for i in range(n):
                    if row_group[i] < 0 and values[i, node - n] > 0:
                        row_group[i] = seed
                        queue[tail] = i
                        tail += 1
        if width == 0:
            continue
        if count == 1:
            best = columns[0]
            for c in range(1, width):
                if values[seed, columns[c]] > values[seed, best]:
                    best = columns[c]
            result[best] = seed
        elif width == 1:
            best = rows[0]
            for r in range(1, count):
                if values[rows[r], columns[0]] > values[best, columns[0]]:
                    best = rows[r]
            result[columns[0]] = best
        else:
            rows[:count].sort()
            columns[:width].sort()
            _hungarian(values, rows[:count], columns[:width], result)
    return result


@compiled
def _hungarian(values: np.ndarray, rows: np.ndarray, columns: np.ndarray, result: np.ndarray) -> None:
    """Solve one group; a column of its own for each row stands for staying alone."""
    n, m = len(rows), len(columns)
    width = m + n
    by_row, by_column = np.zeros(n + 1), np.zeros(width + 1)
    matched, before = np.zeros(width + 1, np.int64), np.zeros(width + 1, np.int64)
    for i in range(1, n + 1):
        matched[0] = i
        column = 0
        least = np.full(width + 1, np.inf)
        used = np.zeros(width + 1, np.bool_)
        while True:
            used[column] = True
            row = matched[column]
            step, following = np.inf, -1
            for j in range(1, width + 1):
                if used[j]:
                    continue
                cost = np.inf
                if j <= m:
                    value = values[rows[row - 1], columns[j - 1]]
                    if value > 0:
                        cost = -value
                elif j - m == row:
                    cost = 0.0
                reduced = cost - by_row[row] - by_column[j]
                if reduced < least[j]:
                    least[j] = reduced
                    before[j] = column
                if least[j] < step:
                    step, following = least[j], j
            for j in range(width + 1):
                if used[j]:
                    by_row[matched[j]] += step
                    by_column[j] -= step
                elif least[j] < np.inf:
                    least[j] -= step
            column = following
            if matched[column] == 0:
                break
        while column != 0:
            matched[column] = matched[before[column]]
            column = before[column]
    for j in range(1, m + 1):
        if matched[j] > 0:
            result[columns[j - 1]] = rows[matched[j] - 1]


@compiled
def own_gains(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(m,) nats that each matched box adds to the best total: its ratio less what the box is worth to others.

    The prices are the smallest at which everybody is content with what they have (Demange, Gale and Sotomayor,
    Multi-Item Auctions, 1986): who shares all their boxes with somebody else adds nothing.

    Args:
        values: (n, m) ratios; chosen: (m,) row of every box, or -1.
    """
    n, m = values.shape
    prices, content = np.zeros(m), np.zeros(n)
    rounds = 1 + (chosen >= 0).sum()
    for _ in range(rounds):
        for j in range(m):
            if chosen[j] >= 0:
                content[chosen[j]] = values[chosen[j], j] - prices[j]
        settled = True
        for j in range(m):
            if chosen[j] < 0:
                continue
            bid = 0.0
            for i in range(n):
                if i != chosen[j] and values[i, j] > 0:
                    bid = max(bid, values[i, j] - content[i])
            bid = min(bid, values[chosen[j], j])
            if bid > prices[j] + 1e-6:
                prices[j] = bid
                settled = False
        if settled:
            break
    gains = np.zeros(m)
    for j in range(m):
        if chosen[j] >= 0:
            gains[j] = values[chosen[j], j] - prices[j]
    return gains
