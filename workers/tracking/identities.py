"""Persons: which tracks, at different times or on different planes, are the same human being."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from workers.reid.gallery import Gallery
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import SimilarityScale
from workers.tracking.tracks import unit_rows

# a person's look is trusted for re-identification from this much weight of crops on
TRUSTED_WEIGHT = 0.5
# how many people's similarities the general experience counts for beside a track's own cohort
COHORT_PRIOR = 4.0
# people do not stand still while unseen, but may not have gone far: uncertainty of a reappearance (m)
REAPPEAR_SLACK_M = 2.0


@dataclass
class Person:
    """One identity within a task.

    Attributes:
        number: counts from 0 within the task.
        first_s, last_s: UNIX seconds of the first and last detection.
        plane: where the person was last, and `position_m` there.
        appearance: (d,) weighted sum of embeddings, with its `weight`.
        tracks: the live tracks that are this person, number to plane.
    """

    number: int
    first_s: float
    last_s: float
    plane: str
    position_m: tuple[float, float]
    appearance: np.ndarray
    weight: float
    tracks: dict[int, str]

    def to_state(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Person:
        return cls(
            **{**state, "position_m": tuple(state["position_m"]), "appearance": np.array(state["appearance"])}
        )


class PersonBook:
    """All persons of a task; recognises those who come back."""

    def __init__(self, settings: TrackerSettings, scale: SimilarityScale) -> None:
        self.settings = settings
        self.scale = scale
        self.persons: dict[int, Person] = {}
        self.count = 0

    def identify(
        self, *, track: int, plane: str, time_s: float, born_s: float, position_m: np.ndarray,
        appearance: np.ndarray, weight: float,
    ) -> int:  # fmt: skip
        """The number of the person that a newly confirmed track is: someone who was here before, or someone new."""
        known = self._recognise(plane, time_s, position_m, appearance, weight)
        if known is None:
            known = Person(
                self.count, born_s, time_s, plane, _pair(position_m), np.array(appearance), weight, {}
            )
            self.persons[known.number] = known
            self.count += 1
        known.tracks[track] = plane
        return known.number

    def seen(
        self,
        number: int,
        *,
        time_s: float,
        plane: str,
        position_m: np.ndarray,
        appearance: np.ndarray,
        weight: float,
    ) -> None:
        """Keep the person's last place and look up to date."""
        person = self.persons[number]
        person.last_s, person.plane, person.position_m = time_s, plane, _pair(position_m)
        if weight > 0:
            person.appearance, person.weight = np.array(appearance), weight

    def left(self, number: int, track: int) -> None:
        """A track of the person ended."""
        self.persons[number].tracks.pop(track, None)

    def forget(self, time_s: float) -> None:
        """Drop persons who have been away too long to be recognised."""
        memory = self.settings.reid_memory_s
        self.persons = {n: p for n, p in self.persons.items() if p.tracks or time_s - p.last_s <= memory}

    def _recognise(
        self, plane: str, time_s: float, position_m: np.ndarray, appearance: np.ndarray, weight: float
    ) -> Person | None:
        if weight < TRUSTED_WEIGHT:
            return self._continues(plane, time_s, position_m)
        known = [p for p in self.persons.values() if p.weight >= TRUSTED_WEIGHT]
        candidates = {p.number for p in known if self._possible(p, plane, time_s, position_m)}
        if not candidates:
            return None
        gallery = Gallery(len(appearance))
        gallery.add(np.array([p.number for p in known]), unit_rows(np.stack([p.appearance for p in known])))
        keys, similarities = gallery.search(unit_rows(appearance[None]), len(known))
        best, score = None, self.settings.reid_sigmas
        for key, similarity in zip(keys[0].tolist(), similarities[0].tolist(), strict=True):
            if key not in candidates:
                continue
            others = similarities[0][keys[0] != key]
            person = self.persons[key]
            total = self._sigmas(similarity, others) + self._place_bonus(person, plane, time_s, position_m)
            if total >= score:
                best, score = person, total
        return best

    def _sigmas(self, similarity: float, others: np.ndarray) -> float:
        """How far a similarity lies above those to other people, in deviations.

        Other people: the cohort that this track is compared with now, all but at most one of whom are certainly
        not it; it tells how alike everybody looks to this very track. Small cohorts lean on what was learned
        from all people who were there at once.
        """
        strangers, prior = self.scale.strangers, COHORT_PRIOR
        n = len(others)
        mean = (others.sum() + prior * strangers.mean) / (n + prior)
        variance = (((others - mean) ** 2).sum() + prior * strangers.deviation**2) / (n + prior)
        return float((similarity - mean) / np.sqrt(variance))

    def _continues(self, plane: str, time_s: float, position_m: np.ndarray) -> Person | None:
        """Without a look to compare: someone lost right here a moment ago."""
        near = [
            p for p in self.persons.values()
            if self._possible(p, plane, time_s, position_m) and self._place_bonus(p, plane, time_s, position_m) >= 1.5
        ]  # fmt: skip
        return max(near, key=lambda p: p.last_s, default=None)

    def _possible(self, person: Person, plane: str, time_s: float, position_m: np.ndarray) -> bool:
        """Nobody is at two places of one plane at once, or faster than people are."""
        if plane in person.tracks.values():
            return False
        if person.plane != plane:
            return True
        away = time_s - person.last_s
        distance = float(np.hypot(*(np.array(person.position_m) - position_m)))
        return distance <= REAPPEAR_SLACK_M + self.settings.fastest * away

    def _place_bonus(self, person: Person, plane: str, time_s: float, position_m: np.ndarray) -> float:
        """Standard deviations that nearness in space and time is worth: 2 right here and now, fading to 0."""
        if person.plane != plane:
            return 0.0
        away = time_s - person.last_s
        distance = float(np.hypot(*(np.array(person.position_m) - position_m)))
        return 2.0 * float(np.exp(-away / 10.0) * np.exp(-((distance / (REAPPEAR_SLACK_M + away)) ** 2)))


def _pair(position_m: np.ndarray) -> tuple[float, float]:
    return float(position_m[0]), float(position_m[1])
