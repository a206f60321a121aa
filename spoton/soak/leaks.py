"""Does a measure grow without end? A robust slope over time, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import theilslopes

from spoton.soak.samples import CONNECTIONS, FILES, KEYS, MEMORY, THREADS, Sample

# what a kind of process may grow in an hour; caches and allocators settle over a day, a leak does not stop
MOST_PER_HOUR = {
    MEMORY: 30.0,
    "used " + MEMORY: 10.0,
    FILES: 4.0,
    THREADS: 2.0,
    CONNECTIONS: 4.0,
    KEYS: 500.0,
}
# this share of the time is not judged: models load, caches fill
WARM_UP = 1 / 3
CONFIDENCE = 0.95
FEWEST_SAMPLES = 8


@dataclass(frozen=True)
class Trend:
    """How one measure of one kind of process went after the warm-up.

    Attributes:
        slope: per hour, the median of the slopes between all pairs of samples (Theil and Sen): a few outliers,
            such as the memory of one large batch, do not move it.
        slope_at_least: lower end of its confidence interval.
        leaks: even that lower end is more than allowed.
    """

    name: str
    measure: str
    first: float
    last: float
    most: float
    slope: float
    slope_at_least: float
    allowed: float

    @property
    def leaks(self) -> bool:
        return self.slope_at_least > self.allowed


def trends(times_s: Sequence[float], samples: Sequence[Sample]) -> list[Trend]:
    """One per kind of process and measure; what a sample lacks counts as 0.

    Raises:
        ValueError: too few samples to tell anything.
    """
    times = np.asarray(times_s, float)
    judged = times >= times[0] + WARM_UP * (times[-1] - times[0])
    if judged.sum() < FEWEST_SAMPLES:
        raise ValueError(f"{judged.sum()} samples after the warm-up are too few, {FEWEST_SAMPLES} are needed")
    hours = times[judged] / 3600
    found = []
    for name, measure in sorted({key for sample in samples for key in sample}):
        values = np.array([sample.get((name, measure), 0.0) for sample in samples])[judged]
        slope, _, at_least, _ = theilslopes(values, hours, CONFIDENCE)
        numbers = map(float, (values[0], values[-1], values.max(), slope, at_least))
        found.append(Trend(name, measure, *numbers, allowed=MOST_PER_HOUR[measure]))
    return found
