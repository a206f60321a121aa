"""Quality of pictures: levels, and how one connection finds its own."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """Attributes: name; width of pictures in pixels at most and quality of encoding (None: as they are);
    share of the wanted rate."""

    name: str
    width: int | None
    quality: int | None
    rate: float


_ALL = (
    Level("full", None, None, 1.0),
    Level("high", 960, 75, 1.0),
    Level("medium", 640, 65, 1.0),
    Level("low", 384, 55, 0.5),
)
LEVELS = {level.name: level for level in _ALL} | {"auto": _ALL[0]}

# pictures on their way, as a share of the bound, at which a step down is taken; half of it is calm
CROWDED = 0.4
SLOW_S = 0.8
# a step down is judged after this long, a step up is tried after so much calm
DOWN_AFTER_S, UP_AFTER_S = 1.0, 6.0


class Pace:
    """How far behind a viewer is, by what it acknowledges, and the level that follows from that.

    Steps down quickly and up slowly, as TCP does; a viewer that never acknowledges stays at the top until the bound
    of unacknowledged pictures stops it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._sent: OrderedDict[int, float] = OrderedDict()
        self._step = 0
        self._stepped_at = self._calm_since = time.monotonic()
        self.round_trip_s = 0.0

    @property
    def waiting(self) -> int:
        """Pictures on their way."""
        return len(self._sent)

    @property
    def level(self) -> Level:
        return _ALL[self._step]

    def sent(self, seq: int) -> None:
        self._sent[seq] = time.monotonic()
        self._judge()

    def acknowledged(self, seq: int) -> None:
        """Everything up to `seq` arrived."""
        now = time.monotonic()
        while self._sent and next(iter(self._sent)) <= seq:
            number, sent_at = self._sent.popitem(last=False)
            if number == seq:
                self.round_trip_s = 0.7 * self.round_trip_s + 0.3 * (now - sent_at)
        self._judge()

    def _judge(self) -> None:
        now = time.monotonic()
        if self.waiting > CROWDED * self._most or self.round_trip_s > SLOW_S:
            self._calm_since = now
            if now - self._stepped_at > DOWN_AFTER_S:
                self._move(+1, now)
        elif self.waiting > CROWDED * self._most / 2:
            self._calm_since = now
        elif now - max(self._calm_since, self._stepped_at) > UP_AFTER_S:
            self._move(-1, now)

    def _move(self, steps: int, now: float) -> None:
        self._step = min(max(self._step + steps, 0), len(_ALL) - 1)
        self._stepped_at = now
