"""What gives way when a live task cannot keep up: first the size of its pictures, then every other instant."""

from __future__ import annotations

import logging
from dataclasses import dataclass

log = logging.getLogger(__name__)
_WORDS = {1: "too slow", -1: "in time again"}

# an instant that finds so many others still in flight, or no room at all, is late
LATE_IN_FLIGHT = 4
# late instants within `WINDOW_S` after which a level is taken down, and seconds without any before one is given back
LATE_TO_DEGRADE = 5
WINDOW_S = 3.0
CALM_S = 10.0


@dataclass(frozen=True)
class Quality:
    """How live pictures are kept.

    Attributes:
        width: widest picture, pixels; jpeg: 1 to 100; every: of so many instants one is taken.
    """

    width: int
    jpeg: int
    every: int


# Boxes scale with the picture, so a smaller one costs accuracy far away but moves nobody. Halving the rate comes
# last: identities suffer from it more than from blur.
LEVELS = (
    Quality(width=1920, jpeg=88, every=1),
    Quality(width=1280, jpeg=80, every=1),
    Quality(width=960, jpeg=75, every=2),
    Quality(width=640, jpeg=70, every=4),
)


class Degradation:
    """Steps down while instants are late, and up again when they have been on time for long.

    Attributes:
        level: index into `LEVELS`, 0 is full quality.
    """

    def __init__(self) -> None:
        self.level = 0
        self._late_s: list[float] = []
        self._changed_s = -1e18

    @property
    def quality(self) -> Quality:
        return LEVELS[self.level]

    def takes(self, instant: int) -> bool:
        """Whether this instant is processed at the present level."""
        return instant % self.quality.every == 0

    def observe(self, in_flight: int, had_room: bool, time_s: float) -> None:
        """Learn how an instant fared.

        Args:
            in_flight: instants that were not done yet; had_room: whether it could be taken; time_s: its time.
        """
        if not had_room or in_flight >= LATE_IN_FLIGHT:
            self._late_s = [t for t in self._late_s if time_s - t < WINDOW_S] + [time_s]
            if len(self._late_s) >= LATE_TO_DEGRADE and self.level + 1 < len(LEVELS):
                self._step(1, time_s)
        elif self.level and time_s - max([self._changed_s, *self._late_s]) >= CALM_S:
            self._step(-1, time_s)

    def _step(self, by: int, time_s: float) -> None:
        self.level += by
        log.warning("live pictures: %s, now level %d of %d", _WORDS[by], self.level, len(LEVELS) - 1)
        self._changed_s = time_s
        self._late_s = []
