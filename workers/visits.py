"""Visits in one video: who leaves the picture and comes back is the same person, on another visit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Passers-by hide somebody for a second or two, and in real footage (PETS 2009) people come back after 5 s and more
AWAY_S = 3.0


@dataclass(frozen=True)
class Visit:
    """One stay of a person in the picture.

    Attributes:
        number: counts from 1 in the order in which visits begin.
        person: the number of the person's first visit.
        first_frame, last_frame: with a box.
    """

    number: int
    person: int
    first_frame: int
    last_frame: int


def visits_of(
    seen: Sequence[tuple[int, int]], fps: float, away_s: float = AWAY_S
) -> tuple[list[Visit], list[Visit]]:
    """Visits in the order in which they begin, and for each entry of `seen` the one that it belongs to.

    Args:
        seen: (frame, person) of every box, in any order; persons by any numbers.
        fps: frames per second.
        away_s: who has no box for longer begins another visit.
    """
    spans: list[list[int]] = []
    latest: dict[int, int] = {}
    belongs: dict[tuple[int, int], int] = {}
    for frame, person in sorted(set(seen)):
        i = latest.get(person)
        if i is None or frame - spans[i][2] > away_s * fps:
            i = latest[person] = len(spans)
            spans.append([person, frame, frame])
        spans[i][2] = frame
        belongs[frame, person] = i
    first: dict[int, int] = {}
    visits = [
        Visit(number, first.setdefault(person, number), begin, end)
        for number, (person, begin, end) in enumerate(spans, start=1)
    ]
    return visits, [visits[belongs[entry]] for entry in seen]
