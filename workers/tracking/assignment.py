"""One-to-one assignment of people to boxes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers.compiled import compiled


class Candidates(NamedTuple):
    """n people and the boxes that each might have, out of m.

    Attributes:
        starts: (n + 1,) where each person's pairs begin in `boxes` and `values`, which may hold others' too.
        boxes: the box of each pair, ascending for each person; values: what the pair is worth. Anything not above 0,
            NaN included, is worth nothing.
        first: number of the first of the m boxes; count: m.
    """

    starts: np.ndarray
    boxes: np.ndarray
    values: np.ndarray
    first: int
    count: int


class _Pairs(NamedTuple):
    """k pairs that are worth something, by person and by box: (n + 1,), (k,), (k,) and (m + 1,), (k,), (k,)."""

    starts: np.ndarray
    boxes: np.ndarray
    values: np.ndarray
    box_starts: np.ndarray
    people: np.ndarray
    box_values: np.ndarray


@compiled
def all_candidates(values: np.ndarray) -> Candidates:
    """Everybody might have everything: (n, m) values."""
    n, m = values.shape
    boxes = np.empty(n * m, np.int64)
    for k in range(n * m):
        boxes[k] = k % m
    return Candidates(np.arange(n + 1) * m, boxes, values.copy().reshape(n * m), 0, m)


@compiled
def assign_all(values: np.ndarray) -> np.ndarray:
    """`assign` where everybody waits, everything is free, and everybody might have everything: (n, m) values."""
    n, m = values.shape
    return assign(all_candidates(values), np.ones(n, np.bool_), np.ones(m, np.bool_))


@compiled
def _worthwhile(candidates, waiting, free) -> _Pairs:
    """The pairs of those who wait and of boxes that are free."""
    n, m = len(candidates.starts) - 1, candidates.count
    starts, box_starts = np.zeros(n + 1, np.int64), np.zeros(m + 1, np.int64)
    most = candidates.starts[n] - candidates.starts[0]
    boxes, values = np.empty(most, np.int64), np.empty(most)
    kept = 0
    for i in range(n):
        if waiting[i]:
            for k in range(candidates.starts[i], candidates.starts[i + 1]):
                box = candidates.boxes[k] - candidates.first
                if candidates.values[k] > 0 and free[box]:
                    boxes[kept], values[kept] = box, candidates.values[k]
                    box_starts[box + 1] += 1
                    kept += 1
        starts[i + 1] = kept
    for box in range(m):
        box_starts[box + 1] += box_starts[box]
    people, box_values, following = np.empty(kept, np.int64), np.empty(kept), box_starts.copy()
    for i in range(n):
        for k in range(starts[i], starts[i + 1]):
            at = following[boxes[k]]
            people[at], box_values[at] = i, values[k]
            following[boxes[k]] += 1
    return _Pairs(starts, boxes[:kept], values[:kept], box_starts, people, box_values)


@compiled
def assign(candidates: Candidates, waiting: np.ndarray, free: np.ndarray) -> np.ndarray:
    """The assignment of greatest total value among pairs that are worth something; nothing is ever forced.

    People and boxes fall apart into groups that have nothing to do with one another; each is solved by the Hungarian
    method (shortest augmenting paths; Kuhn 1955, Munkres 1957), in which staying alone is worth 0.

    Args:
        waiting: (n,) bool, who may have something; free: (m,) bool, what may be had.

    Returns:
        (m,) the person of every box, or -1.
    """
    pairs = _worthwhile(candidates, waiting, free)
    n, m = len(waiting), len(free)
    result = np.full(m, -1)
    if not len(pairs.boxes):
        return result
    row_seen, column_seen = np.zeros(n, np.bool_), np.zeros(m, np.bool_)
    queue = np.empty(n + m, np.int64)
    rows, columns, place = np.empty(n, np.int64), np.empty(m, np.int64), np.empty(m, np.int64)
    for seed in range(n):
        if row_seen[seed] or pairs.starts[seed] == pairs.starts[seed + 1]:
            continue
        # everybody who competes with `seed`, directly or through others
        row_seen[seed] = True
        queue[0] = seed
        head, tail, count, width = 0, 1, 0, 0
        while head < tail:
            node = queue[head]
            head += 1
            if node < n:
                rows[count] = node
                count += 1
                for k in range(pairs.starts[node], pairs.starts[node + 1]):
                    j = pairs.boxes[k]
                    if not column_seen[j]:
                        column_seen[j] = True
                        columns[width] = j
                        width += 1
                        queue[tail] = n + j
                        tail += 1
            else:
                for k in range(pairs.box_starts[node - n], pairs.box_starts[node - n + 1]):
                    i = pairs.people[k]
                    if not row_seen[i]:
                        row_seen[i] = True
                        queue[tail] = i
                        tail += 1
        if count == 1:
            best = pairs.starts[seed]
            for k in range(best, pairs.starts[seed + 1]):
                if pairs.values[k] > pairs.values[best]:
                    best = k
            result[pairs.boxes[best]] = seed
        elif width == 1:
            best = pairs.box_starts[columns[0]]
            for k in range(best, pairs.box_starts[columns[0] + 1]):
                if pairs.box_values[k] > pairs.box_values[best]:
                    best = k
            result[columns[0]] = pairs.people[best]
        else:
            rows[:count].sort()
            columns[:width].sort()
            for c in range(width):
                place[columns[c]] = c
            values = np.zeros((count, width))
            for r in range(count):
                for k in range(pairs.starts[rows[r]], pairs.starts[rows[r] + 1]):
                    values[r, place[pairs.boxes[k]]] = pairs.values[k]
            _hungarian(values, rows[:count], columns[:width], result)
    return result


@compiled
def _hungarian(values: np.ndarray, rows: np.ndarray, columns: np.ndarray, result: np.ndarray) -> None:
    """Solve one group with (rows, columns) values; a column of its own for each row stands for staying alone."""
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
                    value = values[row - 1, j - 1]
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
def own_gains(candidates: Candidates, chosen: np.ndarray) -> np.ndarray:
    """(m,) nats that each matched box adds to the best total: its ratio less what the box is worth to others.

    The prices are the smallest at which everybody is content with what they have (Demange, Gale and Sotomayor,
    Multi-Item Auctions, 1986): who shares all their boxes with somebody else adds nothing.

    Args:
        chosen: (m,) person of every box, or -1; each with a box that they might have, whatever it is worth.
    """
    n, m = len(candidates.starts) - 1, candidates.count
    pairs = _worthwhile(candidates, np.ones(n, np.bool_), chosen >= 0)
    prices, content, own = np.zeros(m), np.zeros(n), np.zeros(m)
    for j in range(m):
        if chosen[j] >= 0:
            own[j] = _value(candidates, chosen[j], j)
    rounds = 1 + (chosen >= 0).sum()
    for _ in range(rounds):
        for j in range(m):
            if chosen[j] >= 0:
                content[chosen[j]] = own[j] - prices[j]
        settled = True
        for j in range(m):
            if chosen[j] < 0:
                continue
            bid = 0.0
            for k in range(pairs.box_starts[j], pairs.box_starts[j + 1]):
                if pairs.people[k] != chosen[j]:
                    bid = max(bid, pairs.box_values[k] - content[pairs.people[k]])
            bid = min(bid, own[j])
            if bid > prices[j] + 1e-6:
                prices[j] = bid
                settled = False
        if settled:
            break
    return np.where(chosen >= 0, own - prices, 0.0)


@compiled
def _value(candidates, person, box) -> float:
    """What a pair is worth; minus infinity if there is no such pair."""
    for k in range(candidates.starts[person], candidates.starts[person + 1]):
        if candidates.boxes[k] - candidates.first == box:
            return candidates.values[k]
    return -np.inf
