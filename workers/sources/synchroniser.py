"""Which frames of several live cameras show the same instant: by capture time, without a clock of our own.

Cameras run freely and each at its own phase. Frames are grouped as they come: the oldest frame that waits opens a
set, every other camera adds its own within `patience_s`, and the set closes when nobody is waited for any more. So
nothing waits longer than it must, and no frame is lost because two clocks drift against each other.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

from workers.types import SourceFrame

# of the time between two instants: how long after a set's first frame the others may be captured. Nearly all of it,
# so that cameras of any phases come together; those in step never wait so long
PATIENCE = 0.9
# how far a set may lie from the instant it is counted as; more than one half, so that a camera whose phase
# lies between two instants does not lose frames to jitter
SLACK = 0.75
# a camera that has sent nothing for this long (s) is not waited for
SILENT_S = 1.0
# a camera is waited for although its next frame is expected this much (of the same) too late: frames jitter
EARLY = 0.05
# weight of the latest time between two frames in what is known of a camera's rate
PERIOD_WEIGHT = 0.1
# frames of one camera that wait at most; far more than the longest known delay holds
MOST_WAITING = 64


@dataclass(frozen=True)
class FrameSet:
    """One frame of each camera that has one at this instant.

    Attributes:
        instant: number of the instant, counted at the task's rate since its start; ascending, never twice.
        time_s: UNIX capture time, the mean of the frames'.
        frames: by camera; each frame's `time_s` is its own capture time.
    """

    instant: int
    time_s: float
    frames: Mapping[str, SourceFrame]


class Synchroniser:
    """Groups frames into instants. Not for several threads at once.

    Args:
        delays_s: per camera, how much later than the others it delivers what it sees (s); at least 0.
        fps: instants per second; frames of faster cameras are thinned.
        started_s: UNIX time of instant 0.

    Attributes:
        dropped: per camera, frames that came too late or gave way to newer ones. Frames that are left out because
            the camera is faster than `fps` do not count.
    """

    def __init__(self, delays_s: Mapping[str, float], fps: float, started_s: float) -> None:
        if not fps > 0:
            raise ValueError(f"fps must be above 0, got {fps}")
        self._delays_s = {camera: max(0.0, delay) for camera, delay in delays_s.items()}
        self._period_s = 1.0 / fps
        self._started_s = started_s
        self._waiting: dict[str, deque[SourceFrame]] = {c: deque(maxlen=MOST_WAITING) for c in delays_s}
        self._arrived_s: dict[str, float] = {}
        self._began_s = math.inf
        # by camera: capture time of its last frame, and the time between its frames
        self._seen_s: dict[str, float] = {}
        self._every_s: dict[str, float] = {}
        self._last: int | None = None
        self.dropped: Counter[str] = Counter()

    def add(self, camera: str, frame: SourceFrame, now_s: float) -> None:
        """Take a frame in; its `time_s` is its capture time.

        Args:
            now_s: UNIX time of its arrival.
        """
        self._began_s = min(self._began_s, now_s)
        self._arrived_s[camera] = now_s
        since_s = frame.time_s - self._seen_s.get(camera, frame.time_s)
        self._seen_s[camera] = frame.time_s
        queue = self._waiting[camera]
        if since_s < 0:
            # the clock was set back: what waits is of another time
            queue.clear()
        elif since_s > 0:
            known_s = self._every_s.get(camera, since_s)
            self._every_s[camera] = known_s + PERIOD_WEIGHT * (since_s - known_s)
        queue.append(frame)

    def take(self, now_s: float) -> FrameSet | None:
        """The newest set that is complete at `now_s`; older ones have given way to it and count as dropped."""
        newest = None
        while (found := self._next(now_s)) is not None:
            if newest is not None:
                self.dropped.update(newest.frames.keys())
            newest = found
        return newest

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until a set closes though a camera is missing; None while no frame waits."""
        self._thin()
        opened_s = self._oldest()
        if opened_s is None:
            return None
        missing = self._missing(opened_s, now_s)
        return max(0.0, max((self._deadline_s(c, opened_s) for c in missing), default=now_s) - now_s)

    # -- the set that is next --------------------------------------------------------------------------------

    def _next(self, now_s: float) -> FrameSet | None:
        self._thin()
        opened_s = self._oldest()
        if opened_s is None:
            return None
        if any(now_s < self._deadline_s(c, opened_s) for c in self._missing(opened_s, now_s)):
            return None
        until_s = opened_s + PATIENCE * self._period_s
        frames = {
            camera: queue.popleft()
            for camera, queue in self._waiting.items()
            if queue and queue[0].time_s <= until_s
        }
        time_s = sum(frame.time_s for frame in frames.values()) / len(frames)
        self._last = self._number(time_s)
        return FrameSet(self._last, time_s, frames)

    def _thin(self) -> None:
        """Leave out what lies before the next instant is due."""
        if self._last is None:
            return
        due_s = self._time_of(self._last + 1) - SLACK * self._period_s
        for queue in self._waiting.values():
            while queue and queue[0].time_s < due_s:
                queue.popleft()

    def _oldest(self) -> float | None:
        return min((queue[0].time_s for queue in self._waiting.values() if queue), default=None)

    def _missing(self, opened_s: float, now_s: float) -> list[str]:
        """Cameras whose frame for the set that opens at `opened_s` is still to come."""
        return [c for c, queue in self._waiting.items() if not queue and self._expected(c, opened_s, now_s)]

    def _expected(self, camera: str, opened_s: float, now_s: float) -> bool:
        # at first all are waited for, some are still connecting; whoever never comes is missed after that
        heard_s = self._arrived_s.get(camera, self._began_s)
        if now_s - heard_s > SILENT_S + self._delays_s[camera]:
            return False
        if camera not in self._seen_s:
            return True
        # slower cameras have no frame for every instant
        next_s = self._seen_s[camera] + self._every_s.get(camera, 0.0)
        return next_s <= opened_s + (PATIENCE + EARLY) * self._period_s

    def _deadline_s(self, camera: str, opened_s: float) -> float:
        return opened_s + PATIENCE * self._period_s + self._delays_s[camera]

    def _number(self, time_s: float) -> int:
        exact = (time_s - self._started_s) / self._period_s
        if self._last is None:
            return max(0, round(exact))
        following = self._last + 1
        return following if abs(exact - following) <= SLACK else max(following, round(exact))

    def _time_of(self, instant: int) -> float:
        return self._started_s + instant * self._period_s
