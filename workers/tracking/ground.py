"""Tracks of one plane: predict, associate with all cameras at once, weigh who exists, end what is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workers.mapping.kalman import SEEN, Motion, fuse, inverse_3x3
from workers.mapping.projection import PersonProjection
from workers.mapping.smoothing import History, Step
from workers.tracking import hypotheses as several
from workers.tracking.association import Crowd, Told, explain, search
from workers.tracking.births import Newcomers, newcomers
from workers.tracking.cameras import CameraBank, Sights, where_others_see
from workers.tracking.hypotheses import Hypothesis
from workers.tracking.likelihood import BoxModel, sureness
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import SimilarityScale
from workers.tracking.tracks import Tracks
from workers.tracking.views import Boxes, Seen, View, views_of

# appearance follows slow changes of light: about this much weight of crops is remembered
APPEARANCE_MEMORY = 30.0
# nobody is so well hidden that not being found says nothing at all
LEAST_RATE = 0.1
# a camera finds anybody in view at least this often, and by chance somebody whom it is blind for
LEAST_FOUND, BLIND_FINDS = 0.01, 0.05
# only people of whom so much shows teach a camera's habits
WHOLE = 0.9
# a box is somebody's own when they explain it better than anybody else by this much (nats)
DISTINCT = 0.5
# shortest time between instants for which errors are told apart (s)
LEAST_DT = 0.05
# how sure anybody's existence or absence ever is
LEAST_EXISTENCE, MOST_EXISTENCE = 0.01, 0.98


@dataclass(frozen=True)
class Closed:
    """A confirmed track that is not there any more: its number, its person, and when it was seen last (s).

    `never` where what is believed now never knew it.
    """

    number: int
    person: int
    seen_s: float
    never: bool = False


@dataclass(frozen=True)
class Scene:
    """What all cameras show at one instant.

    Attributes:
        views: one for each camera that has a frame; boxes: all of theirs, M in all.
        cameras: (V,) the views' cameras.
        scores, quality: (M,); embeddings: (M, d).
        dependence: see `likelihood.tell`.
    """

    views: list[View]
    boxes: Boxes
    cameras: np.ndarray
    scores: np.ndarray
    quality: np.ndarray
    embeddings: np.ndarray
    dependence: float


class GroundTracker:
    """Tracks of one plane. Deterministic: the same detections in the same order give the same tracks.

    What happened is kept in several hypotheses; the likeliest is what is shown.
    """

    def __init__(
        self, projection: PersonProjection, motion: Motion, settings: TrackerSettings, scale: SimilarityScale
    ) -> None:
        self.settings = settings
        self.motion = motion
        self.scale = scale
        self.bank = CameraBank(projection, settings)
        self.hypotheses = [Hypothesis(Tracks.none(cameras=len(projection)), History(motion))]
        self.time_s: float | None = None
        # the confirmed tracks after the last instant
        self._there: dict[int, Closed] = {}

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
        scene = self._scene(seen, dt)
        several.follow(self.hypotheses)
        before, shown = self._before()
        people = Tracks.joined([h.tracks for h in before])
        starts = np.cumsum([0, *(len(h.tracks) for h in before)])
        people.mean, people.covariance = self.motion.predict(people.mean, people.covariance, dt)
        kept = np.exp(-dt / self.settings.blind_s)
        people.blind = people.blind * kept + self.settings.blind * (1 - kept)
        sights = self.bank.sights(scene.cameras, people.mean[:, SEEN], starts)
        sights = sights._replace(
            rate=np.maximum(sights.rate * (1 - people.blind[:, scene.cameras].T), LEAST_FOUND)
        )
        looks, similarities = self._looks(people, scene)
        crowd = self._crowd(people, starts)
        places = self._places(instant, people)
        settings, model = self.settings, BoxModel.of(self.settings)
        assigned, scores = search(
            scene.boxes, sights, crowd, looks, places, scene.dependence, settings.sweeps, model
        )
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
        people, sights = people.take(rows), sights.take(rows)
        crowd = self._crowd(people, begins)
        told = explain(scene.boxes, sights, crowd, looks[rows], whose, scene.dependence, model)
        self._learn(people, sights, crowd, told, scene, similarities[rows], begins[1])
        predicted, spread = people.mean, people.covariance
        people.mean, people.covariance = fuse(predicted, spread, told.information.sum(0), told.pull.sum(0))
        self._weigh(people, sights, told, scene, dt)
        self._remember_looks(people, told, scene)
        proposed = self.bank.sights(scene.cameras, scene.boxes.persons, np.arange(len(scene.scores) + 1))
        alike = self._alike(scene)
        following, numbers_of, born_at = [], [], {}
        for c, (h, r) in enumerate(chosen):
            mine = slice(begins[c], begins[c + 1])
            tracks = people.take(np.arange(begins[c], begins[c + 1]))
            known = begins[c] + np.flatnonzero(tracks.confirmed)
            born = newcomers(
                scene.boxes, proposed, sights, known, people.mean[known][:, SEEN], whose[c], alike,
                self.bank.rates()[scene.cameras], scene.dependence, settings,
            )  # fmt: skip
            numbers = np.where(whose[c] >= 0, people.number[whose[c]], -1) if len(people) else whose[c].copy()
            found = [boxes[boxes >= 0] for boxes in born.boxes]
            # hypotheses that see the same newcomer give them the same number
            names = [born_at.setdefault(int(f.min()), next_number + len(born_at)) for f in found]
            for b in np.argsort(names):
                self._add(tracks, born, b, scene, names[b])
                numbers[found[b]] = names[b]
            gains = np.concatenate([told.gains[:, mine], np.zeros((len(told.gains), len(born)))], 1)
            history = parents[c].history.of(parents[c].history.steps)
            n = len(tracks) - len(born)
            history.append(
                Step(
                    instant, time_s, dt, tracks.number, tracks.mean, tracks.covariance,
                    np.concatenate([predicted[mine], tracks.mean[n:]]),
                    np.concatenate([spread[mine], tracks.covariance[n:]]),
                )
            )  # fmt: skip
            pairs = self._find_duplicates(tracks, parents[c].close_pairs, gains, dt)
            weight = weights[h] + scores[h, r] + (born.evidence - settings.birth_nats).sum()
            following.append(Hypothesis(tracks, history, pairs, float(weight)))
            numbers_of.append(numbers)
        heirs = [h in shown for h, _ in chosen]
        kept = several.best_distinct(following, heirs, settings.stay_nats)
        self.hypotheses = [following[k] for k in kept]
        most = self.hypotheses[0].log_weight
        for hypothesis in self.hypotheses:
            hypothesis.log_weight -= most
        return scene.views, scene.boxes.split(numbers_of[kept[0]]), next_number + len(born_at)

    def _before(self) -> tuple[list[Hypothesis], set[int]]:
        """The hypotheses, and for the likeliest ones also that two people who are very close are one.

        Returns:
            Them, and which of them go on with what is shown.
        """
        result, shown = list(self.hypotheses), {0}
        for h, hypothesis in enumerate(self.hypotheses[: self.settings.merge_hypotheses]):
            tracks = hypothesis.tracks
            if len(tracks) < 2:
                continue
            gap2 = ((tracks.mean[:, None, :2] - tracks.mean[None, :, :2]) ** 2).sum(2)
            gap2[np.diag_indices(len(tracks))] = np.inf
            i, j = divmod(int(gap2.argmin()), len(tracks))
            if gap2[i, j] >= self.settings.merge_m**2:
                continue
            # the older, confirmed one stays
            i, j = sorted((i, j), key=lambda k: (not tracks.confirmed[k], tracks.number[k]))
            exists = np.clip(1 / (1 + np.exp(-tracks.evidence[j])), LEAST_EXISTENCE, MOST_EXISTENCE)
            if h == 0:
                shown.add(len(result))
            result.append(
                Hypothesis(
                    tracks.take(np.delete(np.arange(len(tracks)), j)),
                    hypothesis.history,
                    hypothesis.close_pairs,
                    hypothesis.log_weight + float(np.log(1 - exists)),
                )
            )
        return result, shown

    def _scene(self, seen: Sequence[Seen], dt: float) -> Scene:
        views = views_of(self.bank, seen)
        dimension = max((view.embeddings.shape[1] for view in views if len(view)), default=0)
        empty = np.empty((0, dimension))
        return Scene(
            views=views,
            boxes=Boxes.of(views, self.settings),
            cameras=np.array([view.index for view in views], int),
            scores=np.concatenate([np.empty(0), *(view.scores for view in views)]),
            quality=np.concatenate([np.empty(0), *(view.quality for view in views)]),
            embeddings=np.concatenate([empty, *(view.embeddings for view in views if len(view))]),
            dependence=1 + self.settings.noise_memory_s / max(dt, LEAST_DT) if dt > 0 else 1.0,
        )

    def _crowd(self, people: Tracks, starts: np.ndarray) -> Crowd:
        settings = self.settings
        precision, _ = inverse_3x3(people.covariance[:, SEEN[:, None], SEEN])
        sure = people.confirmed | (people.evidence > settings.tier_evidence)
        exists = 1 / (1 + np.exp(-people.evidence))
        return Crowd(
            starts=starts,
            precision=precision,
            first=sure,
            reluctance=settings.doubt_conf * np.maximum(settings.doubt_from - people.evidence, 0.0),
            exists=np.clip(exists, LEAST_EXISTENCE, MOST_EXISTENCE),
        )

    def _places(self, instant: int, people: Tracks) -> np.ndarray:
        """(R, T, 3) where people are looked for first: by chance, as likely as the prediction has it."""
        R, T = self.settings.starts, len(people)
        if not T:
            return np.zeros((R, 0, 3))
        root = np.linalg.cholesky(people.covariance[:, SEEN[:, None], SEEN] + 1e-9 * np.eye(3))
        chance = np.random.default_rng(instant % 2**32).standard_normal((R, T, 3))
        return np.einsum("tij,rtj->rti", root, chance)

    def _looks(self, people: Tracks, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
        """(T, M) what appearance says (nats), and the similarities (NaN where there is nothing to compare)."""
        shape = (len(people), len(scene.scores))
        if not scene.embeddings.shape[1] or scene.embeddings.shape[1] != people.appearance.shape[1]:
            return np.zeros(shape), np.full(shape, np.nan)
        similarities = people.looks() @ scene.embeddings.T
        similarities[people.weight <= 0] = np.nan
        told = self.scale.log_ratio(similarities) * np.sqrt(scene.quality)
        return self.settings.appearance_weight * np.nan_to_num(told), similarities

    def _alike(self, scene: Scene) -> np.ndarray:
        """(M, M) how much appearance says that two boxes show one person (nats)."""
        if not scene.embeddings.shape[1]:
            return np.zeros((len(scene.scores), len(scene.scores)))
        quality = np.sqrt(scene.quality[:, None] * scene.quality)
        similarities = scene.embeddings @ scene.embeddings.T
        return self.settings.appearance_weight * quality * self.scale.log_ratio(similarities)

    def _learn(
        self,
        people: Tracks,
        sights: Sights,
        crowd: Crowd,
        told: Told,
        scene: Scene,
        similarities: np.ndarray,
        n: int,
    ) -> None:
        """Learn each camera's habits from people whom others see too, and what a similarity means.

        Args:
            n: the people of the likeliest hypothesis, who come first.
        """
        seen_by = told.boxes[:, :n] >= 0
        certain = people.confirmed[:n] & (people.evidence[:n] > self.settings.confirm)
        for v, view in enumerate(scene.views):
            here = seen_by[v]
            known = certain & (seen_by.sum(0) > here) & sights.inside[v, :n]
            self.bank.learn_rate(view.index, sights.visible[v, :n][known], here[known])
            whole = here & people.confirmed[:n] & (sights.visible[v, :n] > WHOLE)
            rows = np.flatnonzero(whole)
            if not len(rows):
                continue
            boxes = told.boxes[v, rows]
            shift, covariance = where_others_see(
                crowd.precision[rows],
                told.information[:, rows].sum(0) - told.information[v, rows],
                told.pull[:, rows].sum(0) - told.pull[v, rows],
            )
            error = scene.boxes.edges_px[boxes] / sights.scale_px[v, rows, None] - sights.edges[v, rows]
            self.bank.learn_errors(
                view.index, sights.jacobian[v, rows], sights.variances[v, rows], error, shift, covariance
            )
            # matches that nothing else competes with are one person
            own = told.gains[v, rows] > self.settings.own_nats
            alike = similarities[rows[own], boxes[own]]
            self.scale.same.learn(alike[~np.isnan(alike)])

    def _weigh(self, people: Tracks, sights: Sights, told: Told, scene: Scene, dt: float) -> None:
        """Evidence for who was found where nobody else explains the box, against who should have been seen."""
        settings = self.settings
        hit = told.boxes >= 0
        scores = scene.scores[told.boxes] if len(scene.scores) else np.zeros(told.boxes.shape)
        own = np.clip(told.gains / settings.own_nats, 0, 1)
        found = -np.log(settings.chance) * own * sureness(scores, people.confirmed)
        rate = np.maximum(sights.rate, LEAST_RATE)
        silence = np.log((1 - rate) / (1 - settings.chance * rate))
        change = np.where(hit, found, np.where(sights.inside, silence, 0.0)).sum(0)
        self._find_blind(people, sights, hit, scene, share=1 - np.exp(-dt / settings.evidence_memory_s))
        people.findable = 1 - np.where(sights.inside, 1 - sights.rate, 1.0).prod(0)
        share = 1 - np.exp(-dt / settings.evidence_memory_s)
        people.evidence = np.minimum(
            people.evidence + share * change - settings.doubt * dt, settings.evidence_cap
        )
        # boxes of somebody who is in doubt all the same do not show that they are there
        people.seen_s[hit.any(0) & (people.evidence > settings.seen_evidence)] = self.time_s

    def _find_blind(
        self, people: Tracks, sights: Sights, hit: np.ndarray, scene: Scene, share: float
    ) -> None:
        """A camera that overlooks somebody once will soon do so again: clothes like the floor, a still person that has
        become background, a pillar that nobody drew. From then on its silence says little."""
        blind = people.blind[:, scene.cameras].T
        rate = np.clip(sights.rate / np.maximum(1 - blind, 1e-3), 0.0, 0.99)
        # frames in quick succession are one opinion
        sees = np.where(hit, rate, 1 - rate) ** share
        misses = np.where(hit, BLIND_FINDS, 1 - BLIND_FINDS) ** share
        later = blind * misses / (blind * misses + (1 - blind) * sees)
        people.blind[:, scene.cameras] = np.where(sights.inside, later, blind).T

    def _remember_looks(self, people: Tracks, told: Told, scene: Scene) -> None:
        if not scene.embeddings.shape[1] or scene.embeddings.shape[1] != people.appearance.shape[1]:
            return
        for boxes in told.boxes:
            rows = np.flatnonzero(boxes >= 0)
            if not len(rows):
                continue
            quality = scene.quality[boxes[rows]]
            keep = np.minimum(1.0, APPEARANCE_MEMORY / np.maximum(people.weight[rows] + quality, 1e-9))
            people.appearance[rows] += scene.embeddings[boxes[rows]] * quality[:, None]
            people.appearance[rows] *= keep[:, None]
            people.weight[rows] = (people.weight[rows] + quality) * keep

    def _add(self, tracks: Tracks, born: Newcomers, b: int, scene: Scene, number: int) -> None:
        mean, covariance = np.zeros((1, 5)), np.zeros((1, 5, 5))
        mean[0, SEEN] = born.persons[b]
        covariance[0, SEEN[:, None], SEEN] = born.covariances[b]
        covariance[0, 2, 2] = covariance[0, 3, 3] = self.motion.speed**2
        found = born.boxes[b][born.boxes[b] >= 0]
        quality = scene.quality[found]
        tracks.extend(
            Tracks(
                number=np.array([number], np.int64),
                mean=mean,
                covariance=covariance,
                evidence=np.array([min(born.evidence[b], self.settings.evidence_cap)]),
                findable=np.ones(1),
                blind=np.full((1, len(self.bank.bias)), self.settings.blind),
                person=np.array([-1], np.int64),
                born_s=np.array([self.time_s]),
                seen_s=np.array([self.time_s]),
                appearance=(scene.embeddings[found] * quality[:, None]).sum(0, keepdims=True),
                weight=quality.sum(keepdims=True) * (scene.embeddings.shape[1] > 0),
            )
        )

    # -- ending ----------------------------------------------------------------------------------------------

    def _find_duplicates(
        self, tracks: Tracks, before: dict[tuple[int, int], float], gains: np.ndarray, dt: float
    ) -> dict[tuple[int, int], float]:
        """How long pairs have been too close without any camera seeing both, each by a box of its own (s)."""
        if len(tracks) < 2:
            return {}
        gap = tracks.mean[:, None, :2] - tracks.mean[None, :, :2]
        close = np.triu((gap**2).sum(2) < self.settings.merge_m**2, 1)
        if not close.any():
            return {}
        for seen in gains > DISTINCT:
            close &= ~(seen[:, None] & seen[None, :])
        pairs = {}
        for i, j in np.argwhere(close):
            key = (int(tracks.number[i]), int(tracks.number[j]))
            pairs[key] = before.get(key, 0.0) + dt
        return pairs

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
        ended = self.tracks.number[self._over(self.hypotheses[0])]
        seen_s = dict(zip(self.tracks.number.tolist(), self.tracks.seen_s.tolist(), strict=True))
        for hypothesis in self.hypotheses:
            tracks = hypothesis.tracks
            tracks.keep(~(self._over(hypothesis) | np.isin(tracks.number, ended)))
        there = self._present()
        past = set().union(*(step.numbers.tolist() for step in self.history.steps))
        closed = [
            replace(self._there[number], seen_s=seen_s.get(number, 0.0), never=number not in past)
            for number in sorted(self._there.keys() - there.keys())
        ]
        self._there = there
        return closed

    def _present(self) -> dict[int, Closed]:
        """The confirmed tracks that are there now, by their numbers, as if they ended now."""
        tracks = self.tracks
        return {
            int(tracks.number[i]): Closed(
                int(tracks.number[i]), int(tracks.person[i]), float(tracks.seen_s[i])
            )
            for i in np.flatnonzero(tracks.confirmed)
        }

    def rename(self, number: int, person: int) -> None:
        """A track is somebody else, in all hypotheses."""
        for hypothesis in self.hypotheses:
            hypothesis.tracks.person[hypothesis.tracks.number == number] = person
        if number in self._there:
            self._there[number] = replace(self._there[number], person=person)

    def _over(self, hypothesis: Hypothesis) -> np.ndarray:
        """(n,) bool."""
        tracks, settings = hypothesis.tracks, self.settings
        unseen = (self.time_s or 0.0) - tracks.seen_s
        over = np.where(
            tracks.confirmed,
            (unseen > settings.coast_s) | (tracks.evidence < settings.lost),
            (unseen > settings.tentative_s) | (tracks.evidence <= 0),
        )
        order = {int(number): i for i, number in enumerate(tracks.number)}
        for (a, b), seconds in hypothesis.close_pairs.items():
            if seconds >= settings.merge_s and a in order and b in order:
                i, j = order[a], order[b]
                if not over[i] and not over[j]:
                    # the older, confirmed one stays
                    over[j if tracks.confirmed[i] or not tracks.confirmed[j] else i] = True
        return over

    # -- state -----------------------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        several.follow(self.hypotheses)
        return {
            "bank": self.bank.to_state(),
            "time_s": self.time_s,
            "there": [list(vars(c).values()) for c in self._there.values()],
            **several.to_state(self.hypotheses),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.bank.restore(state["bank"])
        self.time_s = state["time_s"]
        self._there = {row[0]: Closed(*row) for row in state["there"]}
        self.hypotheses = several.from_state(state, History(self.motion))
