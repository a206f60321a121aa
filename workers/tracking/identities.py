"""Persons: which tracks, at different times or on different planes, are the same human being.

A newly confirmed track is somebody new or somebody who was here before. That is decided at once, and again twice a
second while more is seen of the newcomer, for all newcomers and all who are absent together, until it is settled. When
a decision changes, rows that are written already keep the person they have; `Renamed` tells whom they belong to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workers.reid.gallery import Gallery
from workers.tracking.assignment import assign_all
from workers.tracking.recognition import OVERLAP_S, Absent, Recognition
from workers.tracking.settings import TrackerSettings
from workers.tracking.tracks import unit_rows
from workers.tracking.variation import Followed
from workers.tracking.visits import (
    CHUNK_S,
    CHUNKS,
    Person,
    Visit,
    pair,
    remembered,
    unit,
    visit_of,
    visit_state,
    with_visit,
)

# decisions are gone through this often (s)
DECIDE_S = 0.5
# and final after a track was followed for so long (s): by then it has been seen from several sides
SETTLE_S = 12.0
# nats by which another decision must be better than the one that stands, so that names do not flicker
KEEP = 0.1
# a track that ended undecided waits this long for one that goes on where it was lost (s); the two are decided together
# once the later one is known by so much weight of crops
WAIT_S, JOIN_WEIGHT = 5.0, 3.0
# a track seldom goes over to somebody else: what that costs (nats); looked into where both looks have so much weight
STAYS, DOUBT_WEIGHT = 3.0, 3.0
# of more people than MANY who may come back only those are compared who left in the last seconds, and the most alike
MANY, LATELY_S, ALIKE = 1000, 60.0, 64
# no more people are remembered, whatever comes: those who have been away longest are forgotten
MOST_PEOPLE = 20_000


@dataclass(frozen=True)
class Renamed:
    """From instant `since` on, rows of person `old` on this plane belong to person `new`, as whom the track goes on."""

    track: int
    plane: str
    since: int
    old: int
    new: int


class PersonBook:
    """All persons of a task; recognises those who come back."""

    def __init__(self, settings: TrackerSettings, cameras: Iterable[str]) -> None:
        self.settings = settings
        self.recognition = Recognition(settings, cameras)
        # who is or was there, without the visits that go on; a person on a first visit is empty here
        self.persons: dict[int, Person] = {}
        self.visits: dict[int, Visit] = {}
        # visits that ended a moment ago: they may be resumed, or be settled together with what follows
        self.waiting: list[Visit] = []
        # visits that never were, by what is believed now; another belief may bring them back
        self.aside: list[Visit] = []
        self.count = 0
        self.decided_s = self.compared_s = -np.inf
        # the looks of `persons`, once there are MANY
        self._gallery: Gallery | None = None
        self._followed = Followed()

    # -- what the tracker tells ------------------------------------------------------------------------------

    def begin(
        self, *, track: int, plane: str, camera: str, time_s: float, born_s: float, born_instant: int,
        position_m: np.ndarray, look: np.ndarray, weight: float,
    ) -> int:  # fmt: skip
        """A track is confirmed. Returns the number of the person, until `decide` says otherwise."""
        place = pair(position_m)
        number = self._somebody_new(born_s, plane, place, camera, len(look))
        self.visits[track] = Visit(
            track, plane, born_s, born_instant, camera, place, number, True, np.array(look, np.float32), weight,
            time_s, place, camera, [],
        )  # fmt: skip
        self.decided_s = -np.inf
        return number

    def seen(
        self, track: int, *, instant: int, time_s: float, position_m: np.ndarray, camera: str, look: np.ndarray,
        weight: float,
    ) -> None:  # fmt: skip
        """A confirmed track has a box at this instant: its weighted embedding, and the weight."""
        self.visits[track].seen(instant, time_s, pair(position_m), camera, look, weight)

    def crops(
        self, camera: str, tracks: np.ndarray, numbers: np.ndarray, embeddings: np.ndarray, quality: np.ndarray
    ) -> None:  # fmt: skip
        """One camera's boxes of all tracks at one instant; see `Followed.see`."""
        self._followed.see(camera, tracks, numbers, embeddings, quality)

    def follows(self, track: int) -> bool:
        """Whether a visit of the track goes on."""
        return track in self.visits

    def resume(self, track: int) -> bool:
        """A track that ended goes on after all; False when its person is somebody else's by now."""
        visit = next((v for v in [*self.aside, *reversed(self.waiting)] if v.track == track), None)
        if visit is None or visit.person not in self.persons:
            return False
        if any(v.person == visit.person and v.plane == visit.plane for v in self.visits.values()):
            return False
        (self.aside if visit in self.aside else self.waiting).remove(visit)
        self.visits[track] = visit
        return True

    def withdrawn(self, track: int) -> None:
        """A track never was, by what is believed now: it says nothing of anybody."""
        visit = self.visits.pop(track)
        # nor did it go on with anything
        self.waiting += visit.before
        visit.before = []
        self.aside.append(visit)

    def ended(self, track: int) -> None:
        """A track is over: the visit becomes part of what is known of the person."""
        self.waiting.append(self.visits.pop(track))

    def forget(self, time_s: float) -> None:
        """Drop persons who have been away too long to be recognised."""
        here = self._needed()
        away = sorted((p.last_s, n) for n, p in self.persons.items() if n not in here)
        excess = len(away) - MOST_PEOPLE
        for i, (last_s, number) in enumerate(away):
            if i >= excess and time_s - last_s <= self.settings.reid_memory_s:
                break
            del self.persons[number]
            if self._gallery is not None:
                self._gallery.remove([number])

    def known(self, numbers: Collection[int]) -> list[Person]:
        """All that is known of these persons, visits that go on included; without who was forgotten or renamed."""
        found = {number: self.persons[number] for number in numbers if number in self.persons}
        for visit in self._all():
            if visit.person in found:
                found[visit.person] = with_visit(found[visit.person], visit)
        return list(found.values())

    def variation(self) -> tuple[np.ndarray, np.ndarray] | None:
        """How the looks of one person vary, as in `BatchTracks.variation`."""
        variation = self.recognition.scale.variation
        return (variation.directions, variation.less()) if variation.count else None

    def _all(self) -> list[Visit]:
        return [*self.waiting, *self.visits.values()]

    def _needed(self) -> set[int]:
        """Whose visits go on, or may come back."""
        return {visit.person for visit in (*self._all(), *self.aside)}

    # -- decisions -------------------------------------------------------------------------------------------

    def decide(self, time_s: float) -> list[Renamed]:
        """Go through the decisions that are not settled, if it is time to."""
        if time_s - self.decided_s < DECIDE_S:
            return []
        self.decided_s = time_s
        self._learn_variation(time_s)
        if time_s - self.compared_s >= CHUNK_S:
            self.compared_s = time_s
            self._learn_strangers()
        renamed = self._doubt(time_s)
        for plane in sorted({visit.plane for visit in self.visits.values() if not visit.settled}):
            renamed += self._decide(plane, time_s)
        for visit in self.visits.values():
            if not visit.settled and time_s - visit.since_s >= SETTLE_S:
                self._settle(visit)
        self.aside = [v for v in self.aside if time_s - v.last_s <= WAIT_S]
        for visit in [v for v in self.waiting if time_s - v.last_s > WAIT_S]:
            self.waiting.remove(visit)
            if not visit.settled:
                self._settle(visit)
            self._archive(visit)
        return renamed

    def _doubt(self, time_s: float) -> list[Renamed]:
        """Tracks that have gone over to somebody else: what they look like lately tells. There a new visit begins."""
        renamed = []
        known = [v for v in self.visits.values() if len(v.look) and len(v.fresh) == CHUNKS]
        weights = np.array([min(v.weight, sum(c.weight for c in v.fresh)) for v in known])
        known = [v for v, weight in zip(known, weights, strict=True) if weight >= DOUBT_WEIGHT]
        if not known:
            return []
        weights = weights[weights >= DOUBT_WEIGHT]
        lately = np.stack([sum(chunk.look for chunk in visit.fresh) for visit in known])
        steadiness = self.recognition.steady(np.stack([visit.look for visit in known]), lately, weights)
        for visit, steady in zip(known, steadiness.tolist(), strict=True):
            if steady >= 0:
                continue
            track, later = visit.track, visit.later()
            absent = self._absent(visit.plane, [later], time_s)
            others = self.recognition.values([later], absent)[0]
            if steady + STAYS >= others[absent.numbers != visit.person].max(initial=0.0):
                continue
            old = visit.person
            visit.last_s, visit.last_place_m, visit.last_camera = later.since_s, later.place_m, later.camera
            visit.fresh = []
            self.waiting.append(visit)
            self.visits[track] = later
            self._followed.forget(track)
            later.person = self._somebody_new(
                later.since_s, visit.plane, later.place_m, later.camera, len(later.look)
            )
            renamed.append(Renamed(track, visit.plane, later.since_instant, old, later.person))
        return renamed

    def _decide(self, plane: str, time_s: float) -> list[Renamed]:
        """Newcomers of one plane against all who are not there, one to one."""
        open_ = [v for v in self.visits.values() if v.plane == plane and not v.settled]
        absent = self._absent(plane, open_, time_s)
        values = self.recognition.values(open_, absent)
        for i, visit in enumerate(open_):
            if len(absent):
                values[i] += KEEP * (absent.numbers == visit.person)
                if visit.new:
                    # of two who turn out to be one the earlier number stays
                    values[i, absent.numbers > visit.person] = -np.inf
        chosen = {i: a for a, i in enumerate(assign_all(values).tolist()) if i >= 0}
        changes = []
        for i, visit in enumerate(open_):
            number = int(absent.numbers[chosen[i]]) if i in chosen else None
            if number == visit.person or (number is None and visit.new):
                continue
            old, new = visit.person, number is None
            if number is None:
                number = self._somebody_new(
                    visit.since_s, plane, visit.place_m, visit.camera, len(visit.look)
                )
            visit.is_of(number, new=new)
            changes.append(Renamed(visit.track, plane, visit.since_instant, old, number))
        for change in changes:
            self._drop_empty(change.old)
        for visit in open_:
            self._join(visit)
        return self._in_order(changes)

    def _in_order(self, changes: list[Renamed]) -> list[Renamed]:
        """Such that nobody is renamed to a number whose own rows are still to be renamed."""
        result, left = [], list(changes)
        while left:
            free = next(
                (c for c in left if all(c.new != other.old for other in left if other is not c)), None
            )
            if free is None:
                # some change places: one of them steps aside first
                free, aside = left[0], self.count
                self.count += 1
                left.append(replace(free, old=aside))
                result.append(replace(free, new=aside))
            else:
                result.append(free)
            left.remove(free)
        return result

    def _join(self, visit: Visit) -> None:
        """Who went on where a track was lost undecided: the two are decided together from now on."""
        before = [
            v for v in self.waiting
            if v.person == visit.person and v.plane == visit.plane and not v.settled
            and v.last_s <= visit.since_s + OVERLAP_S and visit.since_s - v.last_s <= WAIT_S
        ]  # fmt: skip
        if not before or visit.total()[1] < JOIN_WEIGHT:
            return
        first = before[-1]
        self.waiting.remove(first)
        visit.before = [first]
        visit.since_s, visit.since_instant, visit.new = first.since_s, first.since_instant, first.new
        visit.camera, visit.place_m = first.camera, first.place_m
        earlier, its_weight = first.total()
        visit.look, visit.weight = remembered(visit.look + earlier, visit.weight + its_weight)
        visit.settled = first.settled

    def _absent(self, plane: str, visits: list[Visit], time_s: float) -> Absent:
        """Everybody who may be on one of the visits to `plane`: known without the visits that are being decided."""
        settled = {v.person for v in self.visits.values() if v.plane == plane and v.settled}
        elsewhere: dict[int, list[Visit]] = {}
        for visit in self.waiting:
            elsewhere.setdefault(visit.person, []).append(visit)
        for visit in self.visits.values():
            if visit.plane != plane:
                elsewhere.setdefault(visit.person, []).append(visit)
        people, chosen = [], self._worth_comparing(visits, elsewhere, time_s)
        for number in self.persons if chosen is None else chosen:
            person = self.persons[number]
            for visit in elsewhere.get(number, ()):
                person = with_visit(person, visit)
            if number not in settled and person.last_s > -np.inf:
                people.append(person)
        return Absent.of(people)

    def _worth_comparing(
        self, visits: list[Visit], elsewhere: Mapping[int, Any], time_s: float
    ) -> list[int] | None:
        """Numbers of those who are compared, None for everybody."""
        if len(self.persons) <= MANY:
            return None
        dimension = len(visits[0].look)
        if self._gallery is None:
            known = [p for p in self.persons.values() if p.weight > 0]
            self._gallery = Gallery(dimension)
            self._gallery.add([p.number for p in known], [unit(p.appearance) for p in known])
        looks = np.stack([unit(visit.total()[0]) for visit in visits])
        alike = set(self._gallery.search(looks, ALIKE)[0].ravel().tolist()) if dimension else set()
        lately = {n for n, p in self.persons.items() if time_s - p.last_s <= LATELY_S}
        return sorted((alike | lately | set(elsewhere)) & set(self.persons))

    def _settle(self, visit: Visit) -> None:
        visit.settled, visit.before = True, []
        look = unit(visit.total()[0])
        known = self.persons[visit.person]
        self.recognition.settled(visit, look, None if visit.new or known.last_s == -np.inf else known)

    def _learn_variation(self, time_s: float) -> None:
        """Looks of who is followed, by several cameras and for some seconds, are looks of one person."""
        variation = self.recognition.scale.variation
        differences = self._followed.differences(time_s, self.visits, variation.usual())
        if differences is not None:
            variation.learn(differences)

    def _learn_strangers(self) -> None:
        """People on one plane at once are different people."""
        for plane in sorted({visit.plane for visit in self.visits.values()}):
            totals = [v.total() for v in self.visits.values() if v.plane == plane]
            looks = [look for look, weight in totals if weight >= 1.0]
            if len(looks) >= 2:
                self.recognition.scale.learn_strangers(unit_rows(np.stack(looks)))

    # -- persons ---------------------------------------------------------------------------------------------

    def _somebody_new(
        self, since_s: float, plane: str, place_m: tuple[float, float], camera: str, dimension: int
    ) -> int:
        number = self.count
        self.count += 1
        nothing = np.zeros(dimension, np.float32)
        self.persons[number] = Person(number, since_s, -np.inf, plane, place_m, camera, nothing, 0.0)
        return number

    def _drop_empty(self, number: int) -> None:
        """Nobody is left under this number."""
        if self.persons[number].last_s == -np.inf and number not in self._needed():
            del self.persons[number]

    def _archive(self, visit: Visit) -> None:
        """A visit is over and done with."""
        person = self.persons[visit.person] = with_visit(self.persons[visit.person], visit)
        if self._gallery is not None and person.weight > 0:
            self._gallery.add([person.number], [unit(person.appearance)])

    # -- state -----------------------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        return {
            "persons": [dict(vars(person)) for person in self.persons.values()],
            "visits": [visit_state(visit) for visit in self.visits.values()],
            "waiting": [visit_state(visit) for visit in self.waiting],
            "aside": [visit_state(visit) for visit in self.aside],
            "count": self.count,
            "decided_s": self.decided_s,
            "compared_s": self.compared_s,
            "recognition": self.recognition.to_state(),
            "followed": self._followed.to_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.persons = {
            p["number"]: Person(
                **{**p, "position_m": tuple(p["position_m"]), "appearance": p["appearance"].copy()}
            )
            for p in state["persons"]
        }
        self.visits = {v["track"]: visit_of(v) for v in state["visits"]}
        self.waiting = [visit_of(v) for v in state["waiting"]]
        self.aside = [visit_of(v) for v in state["aside"]]
        self.count, self.decided_s, self.compared_s = (state[k] for k in ("count", "decided_s", "compared_s"))
        self.recognition.restore(state["recognition"])
        self._followed.restore(state["followed"])
        self._gallery = None
