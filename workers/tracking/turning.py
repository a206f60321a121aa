"""How soon people turn: learned from those who are followed.

In a hall people keep their way for half a minute, in a small room they turn with every second step. How far from the
prediction somebody may be decides whose box one can be.

Somebody's mean velocities in two successive spans of a and b seconds differ, in each component, by a variance of
q (a + b) / 3, where q is the rate (m^2/s^3) at which chance adds to the variance of a velocity (white noise
acceleration: Bar-Shalom, Li and Kirubarajan, Estimation with Applications to Tracking and Navigation, 2001,
section 6.2). An Ornstein-Uhlenbeck velocity of spread s that lasts T seconds has q = 2 s^2 / T, as long as T is some
spans.
"""

from __future__ import annotations

from typing import Any

from workers.compiled import compiled_lean
from workers.tracking.settings import TrackerSettings
from workers.tracking.tracks import Tracks

# velocities are means over spans of so long (s): over a stride or two, errors of places matter little
SPAN_S = 1.0
# whatever people seem to do, they keep a velocity for at least and at most so long (s), unless `turn_s` says otherwise
LEAST_TURN_S, MOST_TURN_S = 3.0, 25.0
# nobody changes a velocity by more than this from one span to the next (m/s, each component): that was somebody else
MOST_CHANGE = 1.4
# the rates of single turns are exponentially distributed; of such x of mean 1 this is the mean of x / (1 + x) over the
# mean of 1 / (1 + x)
ROBUST_MEAN = 0.677
# so many turns are remembered
MEMORY = 1000.0


class Turning:
    """How restless the people of one plane are.

    Attributes:
        rate: what a second adds to the variance of each component of a velocity (m^2/s^3).
        weight: so many turns that is worth.
    """

    def __init__(self, settings: TrackerSettings) -> None:
        self._twice_variance = 2 * settings.speed**2
        self._usual_rate = self._twice_variance / settings.turn_s
        self.rate = self._usual_rate
        self.weight = settings.turn_prior
        self._memory = max(MEMORY, settings.turn_prior)
        # a rate that sank without end while everybody stood would take as long to rise again
        self._least = self._twice_variance / max(MOST_TURN_S, settings.turn_s)
        self._most = self._twice_variance / min(LEAST_TURN_S, settings.turn_s)

    @property
    def turn_s(self) -> float:
        """How long people keep a velocity (s)."""
        return self._twice_variance / self.rate

    def learn(self, people: Tracks, n: int, time_s: float) -> None:
        """Learn from where people are at `time_s`.

        Args:
            people: of all hypotheses; their `before` goes on.
            n: of the likeliest one, who come first; the confirmed of them teach.
        """
        teaching = people.confirmed
        teaching[n:] = False
        total, weight = _turns(
            people.mean, people.covariance, people.before, people.seen_s, teaching, time_s, self._usual_rate, self.rate
        )  # fmt: skip
        kept = min(self.weight, self._memory)
        rate = (self.rate * kept + total / ROBUST_MEAN) / (kept + weight)
        self.rate = min(max(rate, self._least), self._most)
        self.weight = kept + weight

    def to_state(self) -> dict[str, Any]:
        return {"rate": self.rate, "weight": self.weight}

    def restore(self, state: dict[str, Any]) -> None:
        self.rate, self.weight = state["rate"], state["weight"]


@compiled_lean
def _turns(means, covariances, before, seen_s, teaching, time_s, usual_rate, rate) -> tuple[float, float]:
    """The weighted sum of the rates that people show now, and the sum of the weights; `before` goes on in place."""
    total, weights = 0.0, 0.0
    for i in range(len(means)):
        a, b = before[i, 1, 2] - before[i, 0, 2], time_s - before[i, 1, 2]
        if b < SPAN_S - 1e-6:
            continue
        # a comparison with what is not a number is false: whoever is new teaches nothing yet
        if teaching[i] and seen_s[i] == time_s and a < 2 * SPAN_S and b < 2 * SPAN_S:
            change2 = 0.0
            for k in range(2):
                later = (means[i, k] - before[i, 1, k]) / b
                earlier = (before[i, 1, k] - before[i, 0, k]) / a
                change2 += (later - earlier) ** 2 / 2
            # Errors of the three places add to the change, and the filter takes about as much away by following late:
            # neither is corrected. Where errors may be most of it, little is learned.
            spread = (covariances[i, 0, 0] + covariances[i, 1, 1]) / 2
            error = spread * (1 / a**2 + 1 / b**2 + (1 / a + 1 / b) ** 2)
            span = (a + b) / 3
            if change2 < MOST_CHANGE**2:
                shown = change2 / span
                # robust: what most do most of the time, not the few sharp turns
                weight = (usual_rate * span / (usual_rate * span + error)) ** 2 / (1 + shown / rate)
                total += weight * shown
                weights += weight
        for k in range(3):
            before[i, 0, k] = before[i, 1, k]
        before[i, 1, 0], before[i, 1, 1], before[i, 1, 2] = means[i, 0], means[i, 1], time_s
    return total, weights
