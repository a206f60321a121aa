"""Is a newcomer somebody who was here before? Log-likelihood ratios of looks, place, way and chance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import LookScale
from workers.tracking.topology import Topology
from workers.tracking.tracks import unit_rows

if TYPE_CHECKING:
    from workers.tracking.visits import Person, Visit

# where somebody reappears: this far off (m) at once, and so much farther per second; one in STRAY comes back elsewhere
SLACK_M, PACE, STRAY = 0.7, 1.0, 0.5
# newcomers appear anywhere in an area of this size (m2)
AREA_M2 = 400.0
# people do not stand still while unseen, but nobody is faster than people are: on top of `fastest` (m)
REACH_M = 2.0
# a track may begin this long before the one it continues has ended (s): what is left of a track that lost its person
# goes on with boxes of others for a while
OVERLAP_S = 3.0
# who left a minute ago comes back half as probably as who left just now (s)
RETURN_S = 60.0
# who was seen in so few crops may be nobody (weight)
SURE_WEIGHT = 4.0
# people not seen before are as probable as this many who left just now; the odds of coming back against that (nats)
NEW_PEOPLE, BACK = 2.0, 1.25
# looks that leave no doubt teach the ways between cameras (nats)
CLEAR = 3.0


@dataclass(frozen=True)
class Absent:
    """n people who may come back.

    Attributes:
        numbers: (n,); looks: (n, d) unit rows, zero for who has none; weights: (n,) of crops.
        last_s: (n,); places_m: (n, 2); planes, cameras: where they were last.
    """

    numbers: np.ndarray
    looks: np.ndarray
    weights: np.ndarray
    last_s: np.ndarray
    places_m: np.ndarray
    planes: np.ndarray
    cameras: list[str]

    @classmethod
    def of(cls, people: Sequence[Person]) -> Absent:
        width = max((len(p.appearance) for p in people), default=0)
        looks = np.zeros((len(people), width))
        for i, person in enumerate(people):
            looks[i, : len(person.appearance)] = person.appearance
        return cls(
            numbers=np.array([p.number for p in people], int),
            looks=unit_rows(looks),
            weights=np.array([p.weight for p in people]),
            last_s=np.array([p.last_s for p in people]),
            places_m=np.array([p.position_m for p in people]).reshape(-1, 2),
            planes=np.array([p.plane for p in people], object),
            cameras=[p.camera for p in people],
        )

    def __len__(self) -> int:
        return len(self.numbers)


class Recognition:
    """What makes a newcomer somebody who was here before."""

    def __init__(self, settings: TrackerSettings, cameras: Iterable[str]) -> None:
        self.settings = settings
        self.scale = LookScale()
        self.topology = Topology(list(cameras))

    def values(self, visits: Sequence[Visit], absent: Absent) -> np.ndarray:
        """(v, n) nats for each of v visits' being each absent person's, against its being somebody new's."""
        if not len(absent) or not visits:
            return np.zeros((len(visits), len(absent)))
        since = np.array([[visit.since_s] for visit in visits]) - absent.last_s
        away = np.maximum(since, 0.0)
        recent = np.minimum(absent.weights / SURE_WEIGHT, 1.0).clip(0.05) / (1 + away / RETURN_S)
        chance = np.log(recent / (recent.sum(1, keepdims=True) + NEW_PEOPLE)) + BACK
        ways = self.topology.log_ratio(absent.cameras, [visit.camera for visit in visits], away)
        places = self._places(visits, absent, since)
        # where a track goes over from one to another, being near the one it left says nothing
        left = absent.numbers == np.array([[visit.left] for visit in visits])
        places = np.where(left, np.minimum(places, 0.0), places)
        return self.looks(visits, absent) + places + ways + chance

    def steady(self, before: np.ndarray, lately: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(n,) what the (n, d) looks of tracks lately say about their being the ones they were before (nats).

        Args:
            weights: (n,) of crops in the lesser known look of each pair.
        """
        return self.scale.steady_ratio(self.scale.changes(unit_rows(before), unit_rows(lately)), weights)

    def looks(self, visits: Sequence[Visit], absent: Absent) -> np.ndarray:
        """(v, n) what appearance says of each of v visits and each absent person (nats)."""
        told, width = np.zeros((len(visits), len(absent))), absent.looks.shape[1]
        totals = [visit.total() for visit in visits]
        known = [i for i, (look, _) in enumerate(totals) if width and len(look) == width]
        if known:
            looks = unit_rows(np.stack([totals[i][0] for i in known]).astype(float))
            weights = np.minimum(absent.weights, np.array([[totals[i][1]] for i in known]))
            told[known] = self.scale.log_ratio(self.scale.similarities(looks, absent.looks), weights)
        return told

    def _places(self, visits: Sequence[Visit], absent: Absent, since: np.ndarray) -> np.ndarray:
        """(v, n) what the places say, -inf where nobody can have come from in that time.

        Args:
            since: (v, n) seconds from the last sight of each absent person to the first of the visit; below 0 where the
                two overlap.
        """
        here = np.stack([absent.planes == visit.plane for visit in visits])
        gap = absent.places_m - np.array([[visit.place_m] for visit in visits])
        distance, between = np.hypot(gap[..., 0], gap[..., 1]), np.abs(since)
        variance = SLACK_M**2 + (PACE * between) ** 2
        density = np.exp(-0.5 * distance**2 / variance) / (2 * np.pi * variance)
        near = np.log((1 - STRAY) * density * AREA_M2 + STRAY)
        possible = (distance <= REACH_M + self.settings.fastest * between) & (since >= -OVERLAP_S)
        return np.where(here, np.where(possible, near, -np.inf), 0.0)

    def settled(self, visit: Visit, look: np.ndarray, known: Person | None) -> None:
        """A decision is final: learn from it.

        Args:
            look: (d,) unit look of the visit; known: what was known before of whom it is, None for somebody new.
        """
        self.topology.entered(visit.camera)
        if visit.total()[1] < 1.0 or not len(look):
            return
        if known is not None:
            then = Absent.of([known])
            if self.looks([visit], then)[0, 0] >= CLEAR:
                self.topology.learn(known.camera, visit.camera, visit.since_s - known.last_s)
        self.scale.learn_person(look)

    def to_state(self) -> dict[str, Any]:
        return {"scale": self.scale.to_state(), "topology": self.topology.to_state()}

    def restore(self, state: dict[str, Any]) -> None:
        self.scale.restore(state["scale"])
        self.topology.restore(state["topology"])
