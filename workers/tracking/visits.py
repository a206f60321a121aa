"""Persons, and their visits: the spans of tracks that are one person's, and what was seen meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from workers.tracking.tracks import unit_rows

# a person's look is that of about so much weight of crops, the latest
LOOK_MEMORY = 60.0
# the latest crops are kept apart, by the second: a track may have gone over to somebody else
CHUNK_S, CHUNKS = 1.0, 3


@dataclass(frozen=True)
class Person:
    """One identity within a task.

    Attributes:
        number: counts from 0 within the task.
        first_s, last_s: UNIX seconds of the first and last detection.
        plane, position_m, camera: where the person was last, and by which camera seen.
        appearance: (d,) float32 weighted sum of embeddings, with its `weight`.
    """

    number: int
    first_s: float
    last_s: float
    plane: str
    position_m: tuple[float, float]
    camera: str
    appearance: np.ndarray
    weight: float


@dataclass
class Chunk:
    """The crops of about a second, since when and where."""

    since_s: float
    since_instant: int
    place_m: tuple[float, float]
    camera: str
    look: np.ndarray
    weight: float


@dataclass(eq=False)
class Visit:
    """A live track as somebody's visit.

    Attributes:
        track, plane: whose.
        since_s, since_instant: its first detection; camera, place_m: by whom and where.
        person: who it is, as is thought now.
        new: whether that number was made for this visit.
        look: (d,) float32 weighted sum of its embeddings, with its `weight`, without the latest: those are in `fresh`.
        last_s, last_place_m, last_camera: its latest detection.
        settled: whether the decision is final.
        left: whom the track followed before it went over to somebody else.
        before: the visits that this one goes on with, as they were.
    """

    track: int
    plane: str
    since_s: float
    since_instant: int
    camera: str
    place_m: tuple[float, float]
    person: int
    new: bool
    look: np.ndarray
    weight: float
    last_s: float
    last_place_m: tuple[float, float]
    last_camera: str
    fresh: list[Chunk]
    settled: bool = False
    left: int = -1
    before: list[Visit] = field(default_factory=list)

    def seen(
        self,
        instant: int,
        time_s: float,
        place_m: tuple[float, float],
        camera: str,
        look: np.ndarray,
        weight: float,
    ) -> None:
        """A box at this instant: its weighted embedding, and the weight."""
        self.last_s, self.last_place_m, self.last_camera = time_s, place_m, camera
        if not self.fresh or time_s - self.fresh[-1].since_s >= CHUNK_S:
            self.fresh.append(Chunk(time_s, instant, place_m, camera, np.zeros(len(look), np.float32), 0.0))
            if len(self.fresh) > CHUNKS:
                oldest = self.fresh.pop(0)
                self.look, self.weight = remembered(self.look + oldest.look, self.weight + oldest.weight)
        self.fresh[-1].look += look
        self.fresh[-1].weight += weight

    def later(self) -> Visit:
        """The latest crops as a visit of their own, of somebody who is not known yet."""
        first = self.fresh[0]
        return Visit(
            self.track, self.plane, first.since_s, first.since_instant, first.camera, first.place_m, -1, True,
            sum(chunk.look for chunk in self.fresh), sum(chunk.weight for chunk in self.fresh),
            self.last_s, self.last_place_m, self.last_camera, [], left=self.person,
        )  # fmt: skip

    def is_of(self, person: int, *, new: bool) -> None:
        """It is somebody else's visit than was thought, and so is what it goes on with."""
        self.person, self.new = person, new
        for earlier in self.before:
            earlier.is_of(person, new=new)

    def total(self) -> tuple[np.ndarray, float]:
        """Look and weight, the latest crops included."""
        return self.look + sum(c.look for c in self.fresh), self.weight + sum(c.weight for c in self.fresh)


def visit_state(visit: Visit) -> dict[str, Any]:
    return {
        **vars(visit),
        "fresh": [dict(vars(chunk)) for chunk in visit.fresh],
        "before": [visit_state(earlier) for earlier in visit.before],
    }


def visit_of(state: Mapping[str, Any]) -> Visit:
    places = {name: tuple(state[name]) for name in ("place_m", "last_place_m")}
    chunks = [
        Chunk(**{**c, "place_m": tuple(c["place_m"]), "look": c["look"].copy()}) for c in state["fresh"]
    ]
    before = [visit_of(earlier) for earlier in state["before"]]
    return Visit(**{**state, **places, "look": state["look"].copy(), "fresh": chunks, "before": before})


def with_visit(person: Person, visit: Visit) -> Person:
    """What is known of a person, one more visit included."""
    look, weight = visit.total()
    look, weight = remembered(person.appearance + look, person.weight + weight)
    known = replace(
        person, first_s=min(person.first_s, visit.since_s), appearance=look.astype(np.float32), weight=weight
    )
    if visit.last_s < person.last_s:
        return known
    return replace(
        known, last_s=visit.last_s, plane=visit.plane, position_m=visit.last_place_m, camera=visit.last_camera
    )


def unit(look: np.ndarray) -> np.ndarray:
    return unit_rows(np.asarray(look, float)[None])[0]


def remembered(look: np.ndarray, weight: float) -> tuple[np.ndarray, float]:
    keep = min(1.0, LOOK_MEMORY / max(weight, 1e-9))
    return look * keep, weight * keep


def pair(position_m: np.ndarray) -> tuple[float, float]:
    return float(position_m[0]), float(position_m[1])
