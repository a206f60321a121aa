"""Tracks of one plane: predict, associate with all cameras at once, weigh who exists, end what is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.mapping.kalman import SEEN, Motion, fuse, inverse_3x3
from workers.mapping.projection import PersonProjection
from workers.mapping.smoothing import History, Step
from workers.mapping.symmetric import factorise
from workers.tracking import existence
from workers.tracking import hypotheses as several
from workers.tracking.association import Crowd, Told, explain, search
from workers.tracking.births import Newcomers, newcomers
from workers.tracking.cameras import CameraBank, Sights
from workers.tracking.habits import WHOLE, Lessons, learn
from workers.tracking.hypotheses import Hypothesis
from workers.tracking.likelihood import BoxModel
from workers.tracking.meetings import meet
from workers.tracking.pairs import Pairs, own_similarities, pair_up, take_people
from workers.tracking.scene import Scene
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import SimilarityScale
from workers.tracking.tracks import Tracks
from workers.tracking.turning import Turning
from workers.tracking.views import Seen, View

# appearance follows slow changes of light: about this much weight of crops is remembered
APPEARANCE_MEMORY = 30.0
# where people are looked for beside the prediction is left to chance, always the same: standard normal deviates, and
# how many of them one instant lies after another (a prime, so that no two instants of half an hour begin alike)
CHANCE, STRIDE = np.random.default_rng(0).standard_normal((16_411, 3)), 7919


@dataclass(frozen=True)
class Closed:
    """A confirmed track that is not there any more: its number, its person, and when it was seen last (s).

    `never` where what is believed now never knew it.
    """

    number: int
    person: int
    seen_s: float
    never: bool = False


class GroundTracker:
    """Tracks of one plane. Deterministic: the same detections in the same order give the same tracks.

    What happened is kept in several hypotheses; the likeliest is what is shown.
    """

    def __init__(
        self, projection: PersonProjection, motion: Motion, settings: TrackerSettings, scale: SimilarityScale
    ) -> None:
        self.settings = settings
        self.motion = motion
        self.turning = Turning(settings)
        self.scale = scale
        self.bank = CameraBank(projection, settings)
        self.hypotheses = [Hypothesis(Tracks.none(cameras=len(projection)), History())]
        self.time_s: float | None = None
        # the persons of the confirmed tracks after the last instant, by the tracks' numbers
        self._there: dict[int, int] = {}

    @property
    def tracks(self) -> Tracks:
        """Those of the likeliest hypothesis."""
        return self.hypotheses[0].tracks

    @property
    def history(self) -> History:
        return self.hypotheses[0].history

    # -- one instant -----------------------------------------------------------------------------------------

    def step(
        self, instant: int, time_s: float, seen: Sequence[Seen], next_number: int
    ) -> tuple[list[View], list[np.ndarray], int]:
        """Advance to `time_s` and associate.

        Args:
            seen: of every camera that has a frame now.
            next_number: number of the next track that is born.

        Returns:
            The views; for each the (n,) track number of every detection, -1 where it has none; and the number
            after the last one born.
        """
        dt = 0.0 if self.time_s is None else max(time_s - self.time_s, 0.0)
        self.time_s = time_s
        scene = Scene.of(self.bank, seen, dt, self.settings)
        several.follow(self.hypotheses)
        before, shown = existence.with_merged(self.hypotheses, self.settings)
        people = Tracks.joined([h.tracks for h in before])
        starts = np.cumsum([0, *(len(h.tracks) for h in before)])
        were = people.mean[:, :2]
        self.motion = replace(self.motion, turn_s=self.turning.turn_s)
        people.mean, people.covariance = self.motion.predict(people.mean, people.covariance, dt)
        sights = self.bank.sights(scene.boxes.cameras, people.mean[:, SEEN], starts)
        sights = existence.less_by_blindness(sights, people, scene, dt, self.settings)
        crowd = self._crowd(people, starts)
        places = self._places(instant, people)
        settings, model = self.settings, BoxModel.of(self.settings)
        pairs = pair_up(scene.boxes, sights, crowd, model)
        pairs = scene.with_looks(pairs, people, self.scale, settings)
        assigned, scores = search(
            scene.boxes, sights, crowd, pairs, places, scene.dependence, settings.sweeps, settings.exchange_nats,
            model,
        )  # fmt: skip
        weights = np.array([h.log_weight for h in before])
        chosen = several.likeliest(
            assigned, weights[:, None] + scores, settings.hypotheses, settings.hypothesis_nats
        )
        parents = [before[h] for h, _ in chosen]
        # from here on the people of the chosen, one after the other
        rows = np.concatenate([np.arange(starts[h], starts[h + 1]) for h, _ in chosen])
        begins = np.cumsum([0, *(len(parent.tracks) for parent in parents)])
        whose = np.array(
            [
                np.where(assigned[h, r] >= 0, assigned[h, r] - starts[h] + begins[c], -1)
                for c, (h, r) in enumerate(chosen)
            ]
        )
        # mostly there is one hypothesis with one explanation: nothing to copy
        alone = len(before) == len(chosen) == 1
        if not alone:
            pairs = take_people(pairs, len(people), rows)
            people, sights, were = people.take(rows), sights.take(rows), were[rows]
            crowd = self._crowd(people, begins)
        told = explain(scene.boxes, sights, crowd, pairs, whose, scene.dependence, model)
        self._learn(people, sights, crowd, told, scene, pairs, begins[1])
        predicted, spread = people.mean, people.covariance
        people.mean, people.covariance = fuse(predicted, spread, told.information.sum(0), told.pull.sum(0))
        existence.weigh(people, sights, told, scene, self.time_s, dt, settings)
        self.turning.learn(people, begins[1], self.time_s)
        self._remember_looks(people, told, scene)
        births = self._births(scene, sights, whose)
        following, numbers_of, born_at = [], [], {}
        for c, (h, r) in enumerate(chosen):
            mine = np.arange(begins[c], begins[c + 1])
            tracks = people if alone else people.take(mine)
            known = mine[tracks.confirmed]
            born = births(known, people.mean[known], whose[c])
            numbers = np.where(whose[c] >= 0, people.number[whose[c]], -1) if len(people) else whose[c].copy()
            self._bear(tracks, born, scene, numbers, born_at, next_number)
            gains = np.zeros((len(scene.views), len(tracks)))
            gains[:, : len(mine)] = told.gains[:, begins[c] : begins[c + 1]]
            close = existence.close_pairs(tracks, parents[c].close_pairs, gains, dt, settings)
            closest, cost = meet(
                people.number[known], were[known], people.mean[known, :2], parents[c].closest, settings
            )
            history = History.of(parents[c].history.steps)
            history.append(
                Step(
                    instant, time_s, self.motion.transition(dt), tracks.number, tracks.mean, tracks.covariance,
                    np.concatenate([predicted[mine], tracks.mean[len(mine):]]),
                    np.concatenate([spread[mine], tracks.covariance[len(mine):]]),
                )
            )  # fmt: skip
            weight = weights[h] + scores[h, r] + (born.evidence - settings.birth_nats).sum() - cost
            following.append(Hypothesis(tracks, history, close, float(weight), closest))
            numbers_of.append(numbers)
        kept = several.best_distinct(following, [h in shown for h, _ in chosen], settings.stay_nats)
        self.hypotheses = [following[k] for k in kept]
        most = self.hypotheses[0].log_weight
        for hypothesis in self.hypotheses:
            hypothesis.log_weight -= most
        return scene.views, scene.boxes.split(numbers_of[kept[0]]), next_number + len(born_at)

    def _births(
        self, scene: Scene, sights: Sights, whose: np.ndarray
    ) -> Callable[[np.ndarray, np.ndarray, np.ndarray], Newcomers]:
        """Finds newcomers among the boxes that nobody wants, given the known people, their means, and (M,) whose boxes.

        Args:
            whose: (c, M) the same of all explanations.
        """
        free = (whose < 0).any(0) & scene.boxes.usable
        if not free.any():
            return lambda known, means, mine: Newcomers.none(len(scene.views))
        proposed = self.bank.sights(scene.boxes.cameras, scene.boxes.persons, np.arange(len(free) + 1))
        alike, rates = scene.alike(free, self.scale, self.settings), self.bank.rates()[scene.boxes.cameras]

        def among(known: np.ndarray, means: np.ndarray, mine: np.ndarray) -> Newcomers:
            persons = np.ascontiguousarray(means[:, SEEN])
            return newcomers(
                scene.boxes, proposed, sights, known, persons, mine, alike, rates, scene.dependence, self.settings
            )  # fmt: skip

        return among

    def _crowd(self, people: Tracks, starts: np.ndarray) -> Crowd:
        precision, _ = inverse_3x3(people.covariance[:, SEEN[:, None], SEEN])
        return Crowd(
            starts=starts,
            precision=np.ascontiguousarray(precision),
            first=people.confirmed,
            exists=existence.probability(people.evidence),
        )

    def _places(self, instant: int, people: Tracks) -> np.ndarray:
        """(R, T, 3) where people are looked for first: by chance, as likely as the prediction has it."""
        places = np.empty((self.settings.starts, len(people), 3))
        _scatter(np.ascontiguousarray(people.covariance[:, SEEN[:, None], SEEN]), CHANCE, instant, places)
        return places

    def _learn(
        self,
        people: Tracks,
        sights: Sights,
        crowd: Crowd,
        told: Told,
        scene: Scene,
        pairs: Pairs,
        n: int,
    ) -> None:
        """Learn each camera's habits from people whom others see too, and what a similarity means.

        Args:
            n: the people of the likeliest hypothesis, who come first.
        """
        confirmed = people.confirmed[:n]
        certain = confirmed & (people.evidence[:n] > self.settings.confirm)
        lessons = Lessons(certain, confirmed, crowd.precision)
        learn(self.bank.habits, lessons, scene.boxes.cameras, scene.boxes.edges_px, sights, told)
        # matches that nothing else competes with are one person
        whole = confirmed & (sights.visible[:, :n] > WHOLE)
        self.scale.same.learn(own_similarities(pairs, told, whole, self.settings.own_nats))

    def _remember_looks(self, people: Tracks, told: Told, scene: Scene) -> None:
        if not scene.embeddings.shape[1] or scene.embeddings.shape[1] != people.appearance.shape[1]:
            return
        _remember(told.boxes, scene.boxes.quality, scene.embeddings, people.appearance, people.weight)

    def _bear(
        self, tracks: Tracks, born: Newcomers, scene: Scene, numbers: np.ndarray, born_at: dict[int, int], first: int
    ) -> None:  # fmt: skip
        """Add newcomers to one hypothesis.

        Args:
            numbers: (M,) whose box each is, completed in place.
            born_at: a newcomer's first box to their number: hypotheses that see the same newcomer give them the same.
            first: the first number that is free.
        """
        found = [boxes[boxes >= 0] for boxes in born.boxes]
        names = [born_at.setdefault(int(boxes.min()), first + len(born_at)) for boxes in found]
        for b in np.argsort(names):
            mean, covariance = np.zeros((1, 5)), np.zeros((1, 5, 5))
            mean[0, SEEN] = born.persons[b]
            covariance[0, SEEN[:, None], SEEN] = born.covariances[b]
            covariance[0, 2, 2] = covariance[0, 3, 3] = self.motion.speed**2
            quality = scene.boxes.quality[found[b]]
            look = (scene.embeddings[found[b]] * quality[:, None]).sum(0, keepdims=True)
            tracks.extend(
                Tracks(
                    number=np.array([names[b]], np.int64),
                    mean=mean,
                    covariance=covariance,
                    evidence=np.array([min(born.evidence[b], self.settings.evidence_cap)]),
                    findable=np.ones(1),
                    blind=np.full((1, len(self.bank.projection)), self.settings.blind),
                    person=np.array([-1], np.int64),
                    born_s=np.array([self.time_s]),
                    seen_s=np.array([self.time_s]),
                    appearance=look.astype(np.float32),
                    weight=quality.sum(keepdims=True) * (scene.embeddings.shape[1] > 0),
                    before=np.full((1, 2, 3), np.nan),
                )
            )
            numbers[found[b]] = names[b]

    # -- ending ----------------------------------------------------------------------------------------------

    def shown(self) -> np.ndarray:
        """(n,) bool, tracks that are shown as people now: seen, or well hidden."""
        tracks, settings = self.tracks, self.settings
        unseen = (self.time_s or 0.0) - tracks.seen_s
        there = (unseen <= settings.overlooked_s) | (tracks.findable < settings.hidden)
        return tracks.confirmed & (tracks.evidence > 0) & there

    def prune(self) -> list[Closed]:
        """End tracks that are over: too long unseen, false alarms, duplicates. Call after `step`.

        Returns:
            The confirmed ones that are not there any more: they are over, or what is believed now does not know them.
            Should another belief bring one back, it comes with its number and person.
        """
        several.follow(self.hypotheses)
        # what is over in the likeliest hypothesis is over
        time_s = self.time_s or 0.0
        ended = self.tracks.number[existence.over(self.hypotheses[0], time_s, self.settings)]
        seen_s = dict(zip(self.tracks.number.tolist(), self.tracks.seen_s.tolist(), strict=True))
        for hypothesis in self.hypotheses:
            tracks = hypothesis.tracks
            over = existence.over(hypothesis, time_s, self.settings)
            if len(ended):
                over |= np.isin(tracks.number, ended)
            if over.any():
                tracks.keep(~over)
        confirmed = self.tracks.confirmed
        numbers, persons = self.tracks.number[confirmed].tolist(), self.tracks.person[confirmed].tolist()
        there = dict(zip(numbers, persons, strict=True))
        gone = sorted(self._there.keys() - there.keys())
        past = self.history.numbers() if gone else set()
        closed = [Closed(n, self._there[n], seen_s.get(n, 0.0), never=n not in past) for n in gone]
        self._there = there
        return closed

    def rename(self, number: int, person: int) -> None:
        """A track is somebody else, in all hypotheses."""
        for hypothesis in self.hypotheses:
            hypothesis.tracks.person[hypothesis.tracks.number == number] = person
        if number in self._there:
            self._there[number] = person

    # -- state -----------------------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        several.follow(self.hypotheses)
        return {
            "bank": self.bank.to_state(),
            "turning": self.turning.to_state(),
            "time_s": self.time_s,
            "there": list(self._there.items()),
            **several.to_state(self.hypotheses),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.bank.restore(state["bank"])
        self.turning.restore(state["turning"])
        self.time_s = state["time_s"]
        self._there = dict(state["there"])
        self.hypotheses = several.from_state(state)


@compiled
def _scatter(covariances: np.ndarray, chance: np.ndarray, instant: int, places: np.ndarray) -> None:
    """Write (R, T, 3) deviates of (T, 3, 3) covariances.

    Args:
        chance: (n, 3) standard normal deviates, taken one after the other from a place that depends on the instant.
    """
    root, n = np.empty((3, 3)), len(chance)
    first = instant * STRIDE
    for i in range(len(covariances)):
        factorise(covariances[i], root)
        for r in range(len(places)):
            # each followed by its opposite: the two together look on all sides
            z, side = chance[(first + i * len(places) + (r + 1) // 2) % n], 1.0 if r % 2 else -1.0
            for k in range(3):
                places[r, i, k] = 0.0
                for m in range(k + 1):
                    places[r, i, k] += side * root[k, m] * z[m]


@compiled_lean
def _remember(boxes, quality, embeddings, appearance, weights) -> None:
    """Add the looks of the (V, T) boxes of people to their (T, d) appearance and (T,) weights, in place."""
    for v in range(len(boxes)):
        for i in range(len(weights)):
            box = boxes[v, i]
            if box < 0:
                continue
            weight = weights[i] + quality[box]
            keep = min(1.0, APPEARANCE_MEMORY / max(weight, 1e-9))
            for k in range(appearance.shape[1]):
                appearance[i, k] = (appearance[i, k] + embeddings[box, k] * quality[box]) * keep
            weights[i] = weight * keep
