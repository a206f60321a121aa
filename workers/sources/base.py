"""What every source offers: recordings, image folders and live streams look the same to the pipeline."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from workers.types import SourceFrame, SourceInfo

logger = logging.getLogger(__name__)

# Two instants closer than this are the same instant. Far below a frame's time, far above the rounding of
# pts * time_base, so that ranges given as sums of floats (0.1 + 0.2) still meet exactly.
SAME_INSTANT_S = 1e-6
MAX_PROBLEMS = 500  # a recording can be damaged from end to end; nobody reads more than this


@dataclass(frozen=True)
class SourceProblem:
    """Something in a source that could not be used.

    Attributes:
        frame_index: presentation index of the first frame concerned.
        time_s: its time, on the clock of `SourceFrame.time_s`.
        message: what happened, for people.
    """

    frame_index: int
    time_s: float
    message: str


@runtime_checkable
class Source(Protocol):
    """Delivers frames in presentation order. Not thread safe: one reader at a time."""

    problems: list[SourceProblem]

    @property
    def info(self) -> SourceInfo: ...

    def frames(
        self, start_s: float = 0.0, end_s: float | None = None, stride: int = 1
    ) -> Iterator[SourceFrame]:
        """Frames whose time lies in the half-open range [start_s, end_s), to the end when `end_s` is None.

        Recordings: only frames whose index is a multiple of `stride`, so that the choice does not depend on
        where a range begins. Live: every `stride`-th frame that arrives; times are UNIX seconds.
        """
        ...

    def frame_at(self, time_s: float) -> SourceFrame:
        """The frame on show at `time_s`: the last one that began at or before it (clamped to the ends).

        Raises:
            EngineError: nothing at or after that frame can be decoded, or the source is live.
        """
        ...

    def close(self) -> None:
        """Gives up files, devices and threads. May be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class SourceBase:
    """What all sources share: the list of problems, each kept and logged once, and the context manager."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.problems: list[SourceProblem] = []
        self._known_problems: set[tuple[int, str]] = set()

    def report(self, problem: SourceProblem) -> None:
        """Keeps and logs a problem, unless it is known: ranges are read again and again."""
        key = (problem.frame_index, problem.message)
        if key in self._known_problems or len(self.problems) >= MAX_PROBLEMS:
            return
        self._known_problems.add(key)
        self.problems.append(problem)
        logger.warning(
            "%s: frame %d (%.3f s): %s", self.label, problem.frame_index, problem.time_s, problem.message
        )

    def close(self) -> None:
        """Nothing to give up, unless a source says otherwise."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_range(start_s: float, end_s: float | None, stride: int) -> None:
    """Refuses ranges that can only be mistakes.

    Raises:
        ValueError: names the argument.
    """
    if stride < 1:
        raise ValueError(f"stride must be 1 or more, got {stride}")
    if end_s is not None and end_s < start_s:
        raise ValueError(f"end_s ({end_s}) lies before start_s ({start_s})")
