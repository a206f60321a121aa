"""Fixed-lag smoothing: what the last second teaches about where everybody was before it.

Rauch, Tung and Striebel, Maximum Likelihood Estimates of Linear Dynamic Systems (1965), for all tracks at once,
over a window of the filter's past.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from workers.mapping.kalman import Motion


@dataclass(frozen=True)
class Step:
    """The filter at one instant, n tracks.

    Attributes:
        instant: number of the instant; time_s: its time.
        dt: seconds since the step before.
        numbers: (n,) track numbers, ascending.
        means, covariances: (n, 5), (n, 5, 5) after the instant's measurements.
        predicted, predicted_covariances: before them.
    """

    instant: int
    time_s: float
    dt: float
    numbers: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    predicted: np.ndarray
    predicted_covariances: np.ndarray


class History:
    """The steps of the last `lag_s` seconds."""

    def __init__(self, motion: Motion) -> None:
        self.motion = motion
        self.steps: deque[Step] = deque()

    def __len__(self) -> int:
        return len(self.steps)

    def of(self, steps: Iterable[Step]) -> History:
        """Another history of people who move the same way."""
        result = History(self.motion)
        result.steps.extend(steps)
        return result

    def append(self, step: Step) -> None:
        self.steps.append(step)

    def oldest(self) -> tuple[Step, np.ndarray, np.ndarray]:
        """Take the oldest step out: it, its (n, 5) smoothed means and (n, 5, 5) covariances, by all later steps."""
        steps = list(self.steps)
        means, covariances = steps[-1].means, steps[-1].covariances
        for step, after in zip(steps[-2::-1], steps[:0:-1], strict=True):
            means, covariances = self._back(step, after, means, covariances)
        return self.steps.popleft(), means, covariances

    def _back(self, step: Step, after: Step, means: np.ndarray, covariances: np.ndarray):
        smoothed, spread = step.means.copy(), step.covariances.copy()
        _, mine, its = np.intersect1d(step.numbers, after.numbers, assume_unique=True, return_indices=True)
        if len(mine):
            F = self.motion.transition(after.dt)
            gain = np.linalg.solve(after.predicted_covariances[its], F @ step.covariances[mine]).transpose(
                0, 2, 1
            )
            smoothed[mine] += np.einsum("nij,nj->ni", gain, means[its] - after.predicted[its])
            change = covariances[its] - after.predicted_covariances[its]
            spread[mine] += gain @ change @ gain.transpose(0, 2, 1)
        return smoothed, spread
