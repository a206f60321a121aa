"""All cameras of one plane at one instant: which box is whom.

Every camera is assigned against what the prediction and all other cameras say, in a few sweeps, so that an early
mistake of one camera is mended when the others contradict it (coordinate ascent on the joint likelihood).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workers.tracking.assignment import assign
from workers.tracking.cameras import Sight, where_others_see
from workers.tracking.likelihood import Ratios, box_ratios, told
from workers.tracking.settings import TrackerSettings
from workers.tracking.views import View


@dataclass
class Association:
    """V views, N persons.

    Attributes:
        assigned: for each view (m,) the person's row of every box, or -1.
        information, pull: (V, N, 3, 3), (V, N, 3) what each view tells of x, y and height.
        gains: (V, N) nats by which the person explains its box better than anything else could, 0 without a box.
    """

    assigned: list[np.ndarray]
    information: np.ndarray
    pull: np.ndarray
    gains: np.ndarray

    @classmethod
    def none(cls, views: list[View], persons: int) -> Association:
        V = len(views)
        return cls(
            [np.full(len(view), -1) for view in views],
            np.zeros((V, persons, 3, 3)),
            np.zeros((V, persons, 3)),
            np.zeros((V, persons)),
        )


def associate(
    views: list[View],
    sights: list[Sight],
    precision: np.ndarray,
    first: np.ndarray,
    looks: list[np.ndarray],
    dependence: float,
    settings: TrackerSettings,
) -> Association:
    """Assign the boxes of all views.

    Args:
        sights: what each view should show of N persons.
        precision: (N, 3, 3) inverse covariance of their predicted x, y, height.
        first: (N,) bool, who chooses first.
        looks: for each view (N, m) log-likelihood ratios of appearance.
        dependence: see `likelihood.told`.
    """
    result = Association.none(views, len(precision))
    last: list[Ratios | None] = [None] * len(views)
    # a view is looked at again when another one changed since
    looked, changed, tick = [-1] * len(views), [0] * len(views), 0
    for _ in range(settings.sweeps):
        for v, (view, sight) in enumerate(zip(views, sights, strict=True)):
            if not len(view) or not len(sight):
                continue
            if looked[v] >= 0 and all(changed[o] <= looked[v] for o in range(len(views)) if o != v):
                continue
            tick += 1
            looked[v] = tick
            rows = sight.rows
            information = result.information[:, rows].sum(0) - result.information[v, rows]
            pull = result.pull[:, rows].sum(0) - result.pull[v, rows]
            shift, covariance = where_others_see(precision[rows], information, pull)
            ratios = box_ratios(sight, shift, covariance, view.edges_px, view.scores, settings)
            values = np.where(view.placed[None], ratios.values + looks[v][rows], -np.inf)
            last[v] = Ratios(values, ratios.trust, ratios.feet_cut)
            chosen = _assign(values, first[rows])
            assigned = np.where(chosen >= 0, rows[chosen], -1)
            if not np.array_equal(assigned, result.assigned[v]):
                changed[v] = tick
            _tell(result, v, view, sight, last[v], chosen, dependence)
            result.assigned[v] = assigned
    for v, ratios in enumerate(last):
        if ratios is not None:
            boxes = np.flatnonzero(result.assigned[v] >= 0)
            rows = np.searchsorted(sights[v].rows, result.assigned[v][boxes])
            result.gains[v, sights[v].rows[rows]] = _own(ratios.values, rows, boxes)
    return result


def _tell(
    result: Association,
    v: int,
    view: View,
    sight: Sight,
    ratios: Ratios,
    chosen: np.ndarray,
    dependence: float,
) -> None:
    """Replace what view `v` says of everybody."""
    result.information[v], result.pull[v] = 0.0, 0.0
    boxes = np.flatnonzero(chosen >= 0)
    if len(boxes):
        rows = chosen[boxes]
        result.information[v, sight.rows[rows]], result.pull[v, sight.rows[rows]] = told(
            sight.only(rows),
            view.edges_px[boxes],
            ratios.trust[rows, boxes],
            ratios.feet_cut[rows, boxes],
            dependence,
        )


def _assign(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """(m,) row of every box, or -1: those who are first choose, the others take what is left."""
    chosen = np.full(values.shape[1], -1)
    for tier in (first, ~first):
        rows, free = np.flatnonzero(tier), np.flatnonzero(chosen < 0)
        part = values[np.ix_(rows, free)]
        # a match must be likelier than two separate explanations: a ratio above 1
        i, j = assign(-part, 0.0)
        chosen[free[j]] = rows[i]
    return chosen


def _own(values: np.ndarray, rows: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(k,) nats that each matched row adds to the best total: its ratio less what the box is worth to others.

    The prices are the smallest at which everybody is content with what they have (Demange, Gale and Sotomayor,
    Multi-Item Auctions, 1986): who shares all their boxes with somebody else adds nothing.
    """
    useful = np.flatnonzero((values[:, boxes] > 0).any(1)) if len(boxes) else np.empty(0, int)
    worth = values[np.ix_(useful, boxes)]
    k, own = np.arange(len(boxes)), np.searchsorted(useful, rows)
    mine = worth[own, k].copy()
    others = np.where(worth > 0, worth, -np.inf)
    others[own, k] = -np.inf
    prices, content = np.zeros(len(boxes)), np.zeros(len(useful))
    for _ in range(len(boxes) + 1):
        content[own] = mine - prices
        bids = np.minimum(np.maximum(0.0, (others - content[:, None]).max(0, initial=0.0)), mine)
        if np.abs(bids - prices).max(initial=0.0) < 1e-6:
            break
        prices = np.maximum(bids, prices)
    return mine - prices
