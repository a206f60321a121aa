"""Fixed-lag smoothing: what the last second teaches about where everybody was before it.

Rauch, Tung and Striebel, Maximum Likelihood Estimates of Linear Dynamic Systems (1965), for all tracks at once,
over a window of the filter's past.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.mapping.symmetric import invert


@dataclass(frozen=True)
class Step:
    """The filter at one instant, n tracks.

    Attributes:
        instant: number of the instant; time_s: its time.
        transition: (5, 5) from the step before to this one.
        numbers: (n,) track numbers, ascending.
        means, covariances: (n, 5), (n, 5, 5) after the instant's measurements.
        predicted, predicted_covariances: before them.
    """

    instant: int
    time_s: float
    transition: np.ndarray
    numbers: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    predicted: np.ndarray
    predicted_covariances: np.ndarray


class History:
    """The steps of the last `lag_s` seconds."""

    def __init__(self) -> None:
        self.steps: deque[Step] = deque()

    def __len__(self) -> int:
        return len(self.steps)

    @classmethod
    def of(cls, steps: Iterable[Step]) -> History:
        """Another history, of these steps."""
        result = cls()
        result.steps.extend(steps)
        return result

    def numbers(self) -> set[int]:
        """Of all tracks that are remembered."""
        return set().union(*(step.numbers.tolist() for step in self.steps))

    def append(self, step: Step) -> None:
        self.steps.append(step)

    def oldest(self) -> tuple[Step, np.ndarray, np.ndarray]:
        """Take the oldest step out: it, its (n, 5) smoothed means and (n, 5, 5) covariances, by all later steps."""
        steps = list(self.steps)
        starts = np.array([0, *itertools.accumulate(len(step.numbers) for step in steps)])
        names = ("numbers", "means", "covariances", "predicted", "predicted_covariances")
        columns = (np.concatenate([getattr(step, name) for step in steps]) for name in names)
        transitions = np.stack([step.transition for step in steps])
        means, covariances = _smooth_all(starts, transitions, *columns)
        return self.steps.popleft(), means, covariances


@compiled
def _smooth_all(starts, transitions, numbers, means, covariances, predicted, predicted_covariances):
    """Smooth s steps, the last first, whose N rows begin and end at (s + 1,) starts.

    Returns:
        (n, 5) and (n, 5, 5) of the first step.
    """
    last = len(transitions) - 1
    later_means, later_covariances = means[starts[last] :], covariances[starts[last] :]
    for k in range(last - 1, -1, -1):
        begin, end, after = starts[k], starts[k + 1], starts[k + 2]
        later_means, later_covariances = _smooth(
            numbers[begin:end], means[begin:end], covariances[begin:end], numbers[end:after], predicted[end:after],
            predicted_covariances[end:after], transitions[k + 1], later_means, later_covariances,
        )  # fmt: skip
    return later_means.copy(), later_covariances.copy()


@compiled
def _smooth(
    numbers, means, covariances, later, predicted, predicted_covariances, F, later_means, later_covariances
):  # fmt: skip
    """Smooth one step by the next, which is smoothed already.

    Args:
        numbers: (n,) ascending; means, covariances: (n, 5), (n, 5, 5) as the step was left by its measurements.
        later: (m,) numbers of the next step, ascending; predicted, predicted_covariances: (m, 5), (m, 5, 5) of them
            before its measurements; later_means, later_covariances: the same smoothed.
        F: (5, 5) from the one to the other.

    Returns:
        (n, 5) and (n, 5, 5); who is not there later stays as they were.
    """
    smoothed, spread = means.copy(), covariances.copy()
    factor, inverse, gain = np.empty((5, 5)), np.empty((5, 5)), np.empty((5, 5))
    change, room = np.empty((5, 5)), np.empty((5, 5))
    o = 0
    for i in range(len(numbers)):
        while o < len(later) and later[o] < numbers[i]:
            o += 1
        if o == len(later) or later[o] != numbers[i]:
            continue
        # the gain, transposed: the inverse of the predicted covariance times F P
        invert(predicted_covariances[o], factor, inverse)
        _multiply(F, covariances[i], room)
        _multiply(inverse, room, gain)
        for k in range(5):
            for m in range(5):
                smoothed[i, k] += gain[m, k] * (later_means[o, m] - predicted[o, m])
                change[k, m] = later_covariances[o, k, m] - predicted_covariances[o, k, m]
        _multiply(change, gain, room)
        for k in range(5):
            for m in range(5):
                for j in range(5):
                    spread[i, k, m] += gain[j, k] * room[j, m]
    return smoothed, spread


@compiled_lean
def _multiply(a, b, product) -> None:
    """Write the product of two (5, 5) matrices."""
    for k in range(5):
        for m in range(5):
            total = 0.0
            for j in range(5):
                total += a[k, j] * b[j, m]
            product[k, m] = total
