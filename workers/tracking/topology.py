"""Camera topology: by which camera people leave and by which, and when, they come back. Learned while running.

From people who were recognised by their looks alone, per pair of cameras (last seen by, first seen by): how often,
and how long they were away. Where looks are ambiguous this says who is to be expected where, and when; it needs no
calibration.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# times away are log-normal: before anything is learned half a minute, give or take a factor of 4.5
USUAL_S, USUAL_SPREAD = 30.0, 1.5
# a pair's own times count fully after a few people; so many are remembered, so that a rebuilt corridor is learned anew
PRIOR_COUNT, MEMORY = 3.0, 200.0
# nobody's way takes exactly as long as the next one's (deviation of the logarithm)
LEAST_SPREAD = 0.25
# shorter times are a camera's oversight, no way from one camera to another (s)
LEAST_S = 2.0
# what is learned decides at most this much (nats): there are always other ways
LIMIT = 3.0


class Topology:
    """Ways between `cameras`.

    Attributes:
        counts: (C, C) people who went from one camera to another; logs, squares: sums of their log seconds.
        entries: (C,) people who came in by each camera, known or not.
    """

    def __init__(self, cameras: list[str]) -> None:
        self.index = {camera: i for i, camera in enumerate(sorted(cameras))}
        C = len(self.index)
        self.counts, self.logs, self.squares = np.zeros((C, C)), np.zeros((C, C)), np.zeros((C, C))
        self.entries = np.zeros(C)

    def entered(self, camera: str) -> None:
        """Somebody came into view."""
        self.entries[self.index[camera]] += 1
        self.entries *= min(1.0, MEMORY / self.entries.sum())

    def learn(self, left: str, entered: str, away_s: float) -> None:
        """Somebody whom looks alone recognise went from one camera to another."""
        if away_s < LEAST_S:
            return
        i, j, log = self.index[left], self.index[entered], np.log(away_s)
        self.counts[i, j] += 1
        self.logs[i, j] += log
        self.squares[i, j] += log**2
        keep = min(1.0, MEMORY / self.counts[i].sum())
        for sums in (self.counts, self.logs, self.squares):
            sums[i] *= keep

    def log_ratio(self, left: list[str], entered: list[str], away_s: np.ndarray) -> np.ndarray:
        """(v, n) how much likelier people who left by these cameras are to enter here and now than anybody is (nats).

        Args:
            left: the n people's last cameras; entered: by which cameras v people come in; away_s: (v, n) in between.
        """
        if not away_s.size:
            return np.zeros(away_s.shape)
        i = np.array([self.index[camera] for camera in left])
        j = np.array([[self.index[camera]] for camera in entered])
        C, n = len(self.index), self.counts[i, j]
        usual = (self.entries[j] + 1) / (self.entries.sum() + C)
        there = (n + PRIOR_COUNT * usual) / (self.counts[i].sum(1) + PRIOR_COUNT)
        # the pair's own times, held together by the usual ones
        mean = (self.logs[i, j] + np.log(USUAL_S)) / (n + 1)
        square = (self.squares[i, j] + np.log(USUAL_S) ** 2 + USUAL_SPREAD**2) / (n + 1)
        spread = np.sqrt(np.maximum(square - mean**2, LEAST_SPREAD**2))
        log = np.log(np.maximum(away_s, LEAST_S))
        own, anyhow = _normal(log, mean, spread), _normal(log, np.log(USUAL_S), USUAL_SPREAD)
        share = n / (n + PRIOR_COUNT)
        ratio = np.log(there / usual) + np.log(share * own / anyhow + 1 - share)
        return np.where(away_s < LEAST_S, 0.0, np.clip(ratio, -LIMIT, LIMIT))

    def to_state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("counts", "logs", "squares", "entries")}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        for name, value in state.items():
            setattr(self, name, value.copy())


def _normal(x: np.ndarray, mean: np.ndarray | float, deviation: np.ndarray | float) -> np.ndarray:
    return np.exp(-0.5 * ((x - mean) / deviation) ** 2) / deviation
