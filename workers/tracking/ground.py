"""Tracks of one plane: predict, associate with all cameras at once, weigh who exists, end what is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workers.mapping.kalman import SEEN, Motion, fuse, inverse_3x3
from workers.mapping.projection import PersonProjection
from workers.mapping.smoothing import History, Step
from workers.tracking.association import Association, associate
from workers.tracking.births import Newborn, newcomers
from workers.tracking.cameras import CameraBank, Sight, where_others_see
from workers.tracking.likelihood import sureness
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import SimilarityScale
from workers.tracking.tracks import Tracks
from workers.tracking.views import Seen, View, views_of

# appearance follows slow changes of light: about this much weight of crops is remembered
APPEARANCE_MEMORY = 30.0
# nobody is so well hidden that not being found says nothing at all
LEAST_RATE = 0.1
# only people of whom so much shows teach a camera's habits
WHOLE = 0.9
# a box is somebody's own when they explain it better than anybody else by this much (nats)
DISTINCT = 0.5
# shortest time between instants for which errors are told apart (s)
LEAST_DT = 0.05


@dataclass(frozen=True)
class Closed:
    """A track that ended: its number, its person (-1: never confirmed)."""

    number: int
    person: int


class GroundTracker:
    """Tracks of one plane. Deterministic: the same detections in the same order give the same tracks."""

    def __init__(
        self, projection: PersonProjection, motion: Motion, settings: TrackerSettings, scale: SimilarityScale
    ) -> None:
        self.settings = settings
        self.motion = motion
        self.scale = scale
        self.bank = CameraBank(projection, settings)
        self.tracks = Tracks.none()
        self.history = History(motion)
        self.time_s: float | None = None
        # how long two tracks have been too close to be two people, by their numbers (s)
        self.close_pairs: dict[tuple[int, int], float] = {}

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
        tracks = self.tracks
        tracks.mean, tracks.covariance = self.motion.predict(tracks.mean, tracks.covariance, dt)
        predicted, spread = tracks.mean, tracks.covariance
        dependence = 1 + self.settings.noise_memory_s / max(dt, LEAST_DT) if dt > 0 else 1.0

        views = views_of(self.bank, seen)
        persons = predicted[:, SEEN]
        sights = self.bank.sights(np.array([view.index for view in views], int), persons)
        precision, _ = inverse_3x3(spread[:, SEEN[:, None], SEEN])
        looks = [self._looks(view) for view in views]
        found = associate(
            views, sights, precision, tracks.confirmed, [told for told, _ in looks], dependence, self.settings
        )
        self._learn(views, sights, precision, found, looks)
        tracks.mean, tracks.covariance = fuse(predicted, spread, found.information.sum(0), found.pull.sum(0))
        self._weigh(views, sights, found, time_s, dt)
        self._remember_looks(views, found)
        assigned = [
            np.where(rows >= 0, tracks.number[rows], -1) if len(tracks) else rows for rows in found.assigned
        ]
        born = newcomers(
            self.bank, views, found.assigned, tracks.mean[tracks.confirmed][:, SEEN], self.scale, dependence,
            self.settings,
        )  # fmt: skip
        for newborn in born:
            self._add(newborn, views, time_s, next_number)
            for v, box in newborn.boxes:
                assigned[v][box] = next_number
            next_number += 1
        self._find_duplicates(found.gains, dt)
        self.history.append(
            Step(
                instant, time_s, dt, self.tracks.number, self.tracks.mean, self.tracks.covariance,
                np.concatenate([predicted, self.tracks.mean[len(predicted):]]),
                np.concatenate([spread, self.tracks.covariance[len(spread):]]),
            )
        )  # fmt: skip
        return views, assigned, next_number

    def _looks(self, view: View) -> tuple[np.ndarray, np.ndarray | None]:
        """(tracks, detections) what appearance says (nats), and the similarities."""
        tracks = self.tracks
        nothing = np.zeros((len(tracks), len(view)))
        if (
            not len(tracks)
            or not view.embeddings.shape[1]
            or view.embeddings.shape[1] != tracks.appearance.shape[1]
        ):
            return nothing, None
        similarities = tracks.looks() @ view.embeddings.T
        told = self.scale.log_ratio(similarities) * np.sqrt(view.quality)[None, :]
        return self.settings.appearance_weight * np.where(tracks.weight[:, None] > 0, told, 0.0), similarities

    def _learn(
        self, views: list[View], sights: list[Sight], precision: np.ndarray, found: Association, looks: list
    ) -> None:
        """Learn each camera's habits from people whom others see too, and what a similarity means."""
        tracks = self.tracks
        seen_by = np.array([np.bincount(a[a >= 0], minlength=len(tracks)) > 0 for a in found.assigned])
        seen_by = seen_by.reshape(len(views), len(tracks))
        certain = tracks.confirmed & (tracks.evidence > self.settings.confirm)
        for v, (view, sight) in enumerate(zip(views, sights, strict=True)):
            here, rows = seen_by[v], sight.rows
            elsewhere = certain & (seen_by.sum(0) > here)
            known = elsewhere[rows]
            self.bank.learn_rate(view.index, sight.visible[known], here[rows][known])
            boxes = np.flatnonzero(found.assigned[v] >= 0)
            mine = found.assigned[v][boxes]
            place = np.searchsorted(rows, mine)
            kept = tracks.confirmed[mine] & (sight.visible[place] > WHOLE)
            if kept.any():
                boxes, mine, place = boxes[kept], mine[kept], place[kept]
                shift, covariance = where_others_see(
                    precision[mine],
                    found.information[:, mine].sum(0) - found.information[v, mine],
                    found.pull[:, mine].sum(0) - found.pull[v, mine],
                )
                self.bank.learn_bias(view.index, sight.only(place), view.edges_px[boxes], shift, covariance)
            self._learn_same(v, sight, found, looks[v][1])

    def _learn_same(self, v: int, sight: Sight, found: Association, similarities: np.ndarray | None) -> None:
        """Matches that nothing else competes with are one person: learn how similar they are."""
        if similarities is None:
            return
        boxes = np.flatnonzero(found.assigned[v] >= 0)
        rows = found.assigned[v][boxes]
        sure = self.tracks.confirmed[rows] & (found.gains[v, rows] > self.settings.own_nats)
        visible = np.zeros(len(self.tracks))
        visible[sight.rows] = sight.visible
        sure &= (visible[rows] > WHOLE) & (self.tracks.weight[rows] > 0)
        self.scale.same.learn(similarities[rows[sure], boxes[sure]])

    def _weigh(
        self, views: list[View], sights: list[Sight], found: Association, time_s: float, dt: float
    ) -> None:
        """Evidence for who was found where nobody else explains the box, against who should have been seen."""
        tracks, settings = self.tracks, self.settings
        change, overlooked = np.zeros(len(tracks)), np.ones(len(tracks))
        for v, (view, sight) in enumerate(zip(views, sights, strict=True)):
            hit = np.zeros(len(tracks), bool)
            boxes = np.flatnonzero(found.assigned[v] >= 0)
            hit[found.assigned[v][boxes]] = True
            rows = found.assigned[v][boxes]
            own = np.clip(found.gains[v, rows] / settings.own_nats, 0, 1)
            change[rows] -= (
                np.log(settings.chance) * own * sureness(view.scores[boxes], tracks.confirmed[rows])
            )
            rate = np.maximum(sight.rate, LEAST_RATE)
            silence = np.log((1 - rate) / (1 - settings.chance * rate))
            change[sight.rows] += np.where(hit[sight.rows], 0.0, silence)
            tracks.seen_s[hit] = time_s
            overlooked[sight.rows] *= 1 - sight.rate
        tracks.findable = 1 - overlooked
        share = 1 - np.exp(-dt / settings.evidence_memory_s)
        tracks.evidence = np.minimum(
            tracks.evidence + share * change - settings.doubt * dt, settings.evidence_cap
        )

    def _remember_looks(self, views: list[View], found: Association) -> None:
        tracks = self.tracks
        for view, assigned in zip(views, found.assigned, strict=True):
            boxes = np.flatnonzero(assigned >= 0)
            if not len(boxes) or view.embeddings.shape[1] != tracks.appearance.shape[1]:
                continue
            rows, quality = assigned[boxes], view.quality[boxes]
            keep = np.minimum(1.0, APPEARANCE_MEMORY / np.maximum(tracks.weight[rows] + quality, 1e-9))
            tracks.appearance[rows] = (
                tracks.appearance[rows] + view.embeddings[boxes] * quality[:, None]
            ) * keep[:, None]
            tracks.weight[rows] = (tracks.weight[rows] + quality) * keep

    def _add(self, newborn: Newborn, views: list[View], time_s: float, number: int) -> None:
        mean, covariance = np.zeros((1, 5)), np.zeros((1, 5, 5))
        mean[0, SEEN] = newborn.person
        covariance[0, SEEN[:, None], SEEN] = newborn.covariance
        covariance[0, 2, 2] = covariance[0, 3, 3] = self.motion.speed**2
        quality = np.array([views[v].quality[box] for v, box in newborn.boxes])
        embeddings = np.array([views[v].embeddings[box] for v, box in newborn.boxes])
        self.tracks.extend(
            Tracks(
                number=np.array([number], np.int64),
                mean=mean,
                covariance=covariance,
                evidence=np.array([min(newborn.evidence, self.settings.evidence_cap)]),
                findable=np.ones(1),
                person=np.array([-1], np.int64),
                born_s=np.array([time_s]),
                seen_s=np.array([time_s]),
                appearance=(embeddings * quality[:, None]).sum(0, keepdims=True),
                weight=quality.sum(keepdims=True),
            )
        )

    # -- ending ----------------------------------------------------------------------------------------------

    def _find_duplicates(self, gains: np.ndarray, dt: float) -> None:
        """Count how long pairs have been too close without any camera seeing both, each by a box of its own."""
        tracks, settings = self.tracks, self.settings
        if len(tracks) < 2:
            self.close_pairs = {}
            return
        gap = np.hypot(*(tracks.mean[:, None, :2] - tracks.mean[None, :, :2]).transpose(2, 0, 1))
        close = np.triu(gap < settings.merge_m, 1)
        apart = np.zeros((len(gains), len(tracks)), bool)
        apart[:, : gains.shape[1]] = gains > DISTINCT
        for seen in apart:
            close &= ~(seen[:, None] & seen[None, :])
        pairs = {}
        for i, j in np.argwhere(close):
            key = (int(tracks.number[i]), int(tracks.number[j]))
            pairs[key] = self.close_pairs.get(key, 0.0) + dt
        self.close_pairs = pairs

    def shown(self) -> np.ndarray:
        """(n,) bool, tracks that are shown as people now: seen, or well hidden."""
        tracks, settings = self.tracks, self.settings
        unseen = (self.time_s or 0.0) - tracks.seen_s
        there = (unseen <= settings.overlooked_s) | (tracks.findable < settings.hidden)
        return tracks.confirmed & (tracks.evidence > 0) & there

    def prune(self) -> list[Closed]:
        """End tracks that are over: too long unseen, false alarms, duplicates. Call after `step`."""
        tracks, settings = self.tracks, self.settings
        unseen = (self.time_s or 0.0) - tracks.seen_s
        over = np.where(
            tracks.confirmed,
            (unseen > settings.coast_s) | (tracks.evidence < settings.lost),
            (unseen > settings.tentative_s) | (tracks.evidence <= 0),
        )
        order = {int(number): i for i, number in enumerate(tracks.number)}
        for (a, b), seconds in self.close_pairs.items():
            if seconds >= settings.merge_s and not over[order[a]] and not over[order[b]]:
                # the older, confirmed one stays
                i, j = order[a], order[b]
                over[j if tracks.confirmed[i] or not tracks.confirmed[j] else i] = True
        closed = [
            Closed(int(n), int(p)) for n, p in zip(tracks.number[over], tracks.person[over], strict=True)
        ]
        tracks.keep(~over)
        return closed

    # -- state -----------------------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        return {
            "tracks": self.tracks.to_state(),
            "bank": self.bank.to_state(),
            "history": self.history.to_state(),
            "time_s": self.time_s,
            "close_pairs": [[*pair, seconds] for pair, seconds in self.close_pairs.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.tracks = Tracks(**{k: v.copy() for k, v in state["tracks"].items()})
        self.bank.restore(state["bank"])
        self.history.restore(state["history"])
        self.time_s = state["time_s"]
        self.close_pairs = {(a, b): seconds for a, b, seconds in state["close_pairs"]}
