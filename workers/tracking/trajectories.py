"""Smoothed trajectories in the making: what is handed out when a track closes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

# written at the latest after this many instants, so that the state stays small
MOST_INSTANTS = 600


class Trajectories:
    """The open trajectories, by track.

    Attributes:
        closed: (person, instants, times_s, positions_m (n, 2)) of those that closed and were not taken yet.
    """

    def __init__(self) -> None:
        # per track its person, and (instant, time_s, x, y) of every corrected position
        self._open: dict[int, tuple[int, list[tuple[int, float, float, float]]]] = {}
        self.closed: list[tuple] = []

    def add(self, track: int, person: int, point: tuple[int, float, float, float]) -> None:
        """One more corrected position: (instant, time_s, x, y)."""
        _, path = self._open.setdefault(track, (person, []))
        path.append(point)
        if len(path) >= MOST_INSTANTS:
            self.close(track)

    def close(self, track: int) -> None:
        if track not in self._open:
            return
        person, path = self._open.pop(track)
        values = np.array([row[1:] for row in path])
        self.closed.append((person, [row[0] for row in path], values[:, 0], values[:, 1:3]))

    def close_all(self) -> None:
        for track in sorted(self._open):
            self.close(track)

    def take(self) -> list[tuple]:
        """Those that have closed since the last time."""
        closed, self.closed = self.closed, []
        return closed

    def rename(self, track: int, since: int, old: int, new: int) -> None:
        """From instant `since` on the trajectories of `old` go on as another's; what was before stays.

        Args:
            track: whose renaming it is.
        """
        for number, (person, path) in list(self._open.items()):
            if person != old:
                continue
            before = [row for row in path if row[0] < since]
            if before and len(before) < len(path):
                self._open[number] = (person, before)
                self.close(number)
            if len(before) < len(path):
                self._open[number] = (new, path[len(before) :])
            elif number == track:
                self.close(number)

    def to_state(self) -> Sequence[Any]:
        return [[n, person, np.array(path, float)] for n, (person, path) in self._open.items()]

    def restore(self, state: Sequence[Any]) -> None:
        self._open = {
            n: (person, [(int(row[0]), *map(float, row[1:])) for row in path]) for n, person, path in state
        }
