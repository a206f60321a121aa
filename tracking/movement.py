"""How somebody moved: stays, distance, speed and visits to zones, from places that a stream of positions was joined to.

Pure NumPy. A *stay* is a time without a break of more than `LEFT_S`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from environments.geometry import inside

# someone not seen for longer than this had left (s); `analytics.dwell` says the same of those present
LEFT_S = 30.0
# who is outside of a zone for less than this has not left it: positions at its border tremble (s)
OUTSIDE_S = 2.0
# Somebody has moved when they are this far from where they last were found to have moved to. Far above the trembling
# of joined places, which would otherwise add up to kilometres a day for somebody who sits.
MOVED_M = 0.5


@dataclass(frozen=True)
class Places:
    """Where somebody was, one entry per second or so, in order.

    Attributes:
        begin_s, end_s: (n,) seconds; each entry lasts until the next one begins, the last of a stay until its end.
        position_m: (n, 2) mean position.
        speed_m_s: (n,) mean speed.
        stay: (n,) number of the stay.
    """

    begin_s: np.ndarray
    end_s: np.ndarray
    position_m: np.ndarray
    speed_m_s: np.ndarray
    stay: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[tuple[float, float, float, float, float]]) -> Places:
        """From (first seen, last seen, x, y, speed) of each part of time in which there are positions."""
        table = np.array(rows, float).reshape(-1, 5)
        begin, last = table[:, 0], table[:, 1]
        stay = stays(begin, last)
        goes_on = np.append(stay[1:] == stay[:-1], False)
        end = np.where(goes_on, np.append(begin[1:], 0.0), last)
        return cls(begin, end, table[:, 2:4], table[:, 4], stay)

    @property
    def duration_s(self) -> np.ndarray:
        return self.end_s - self.begin_s


@dataclass(frozen=True)
class Visits:
    """Attributes: entries; dwell_s in all; first_s, last_s: begin of the first and end of the last."""

    entries: int
    dwell_s: float
    first_s: float
    last_s: float


def stays(begin_s: np.ndarray, end_s: np.ndarray) -> np.ndarray:
    """(n,) number of the stay that each of n ordered times belongs to."""
    if not len(begin_s):
        return np.zeros(0, int)
    return np.concatenate([[0], np.cumsum(begin_s[1:] - end_s[:-1] > LEFT_S)])


def distance_m(places: Places) -> float:
    """The way walked, in steps of `MOVED_M` or more, and within each stay to where it ended."""
    total = 0.0
    for stay in np.unique(places.stay):
        path = places.position_m[places.stay == stay].tolist()
        (x, y) = path[0]
        for to_x, to_y in path[1:]:
            step = ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5
            if step >= MOVED_M:
                total += step
                x, y = to_x, to_y
        total += float(np.hypot(path[-1][0] - x, path[-1][1] - y))
    return total


def visits(places: Places, polygon: Sequence[Sequence[float]]) -> Visits | None:
    """What the places say of one zone; None when it was never visited."""
    within = np.flatnonzero(inside(polygon, places.position_m))
    if not len(within):
        return None
    begin, end, stay = places.begin_s[within], places.end_s[within], places.stay[within]
    again = (begin[1:] - end[:-1] > OUTSIDE_S) | (stay[1:] != stay[:-1])
    return Visits(
        entries=1 + int(again.sum()),
        dwell_s=float((end - begin).sum()),
        first_s=float(begin[0]),
        last_s=float(end[-1]),
    )
