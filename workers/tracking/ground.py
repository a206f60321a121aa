"""Association on one plane: detections of all its cameras at one instant with the tracks that live there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workers.mapping import kalman
from workers.tracking.assignment import assign
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import SimilarityScale
from workers.tracking.tracks import Tracks
from workers.tracking.views import View, covered

# a track that should be seen is forgiven when another one covers this share of it
HIDDEN_SHARE = 0.5
# boxes of half-hidden or touching people: their share, and how many times wider their errors are
SLIPPED_SHARE, SLIPPED_SCALE = 0.15, 3.0
# one detection tells at most this much about a track's existence (nats)
MOST_EVIDENCE = 3.0
# appearance follows slow changes of light: about this much weight of crops is remembered
APPEARANCE_MEMORY = 30.0
# a tentative track without any detection for this long was a false alarm (s)
TENTATIVE_GAP_S = 0.7


@dataclass(frozen=True)
class Closed:
    """A track that ended: its number, its person (-1: never confirmed)."""

    number: int
    person: int


class GroundTracker:
    """Tracks of one plane. Deterministic: the same views in the same order give the same tracks."""

    def __init__(self, settings: TrackerSettings, scale: SimilarityScale) -> None:
        self.settings = settings
        self.scale = scale
        self.tracks = Tracks.none()
        self.time_s: float | None = None
        # how long two tracks have been too close to be two people, by their numbers (s)
        self.close_pairs: dict[tuple[int, int], float] = {}

    def step(self, time_s: float, views: list[View], next_number: int) -> tuple[list[np.ndarray], int]:
        """Advance to `time_s` and associate.

        Args:
            next_number: number of the next track that is born.

        Returns:
            For each view the (n,) track number of every detection, -1 where it has none; and the number after
            the last one born.
        """
        dt = 0.0 if self.time_s is None else max(time_s - self.time_s, 0.0)
        self.time_s = time_s
        tracks = self.tracks
        if len(tracks) and dt > 0:
            tracks.mean, tracks.covariance = kalman.predict(
                tracks.mean, tracks.covariance, dt, self.settings.acceleration
            )
        assigned = [np.full(len(view), -1, np.int64) for view in views]
        for view, numbers in zip(views, assigned, strict=True):
            self._associate(view, numbers, time_s)
        self._age(views, assigned)
        next_number = self._give_birth(views, assigned, time_s, next_number)
        self._find_duplicates(views, assigned, dt)
        return assigned, next_number

    # -- steps -----------------------------------------------------------------------------------------------

    def _associate(self, view: View, numbers: np.ndarray, time_s: float) -> None:
        """Confirmed tracks choose first, then tentative ones take what is left."""
        if not len(view):
            return
        ratios, similarities = self._log_ratios(view)
        self._learn_same(ratios, similarities)
        free = view.placed.copy()
        for tier in (self.tracks.confirmed, ~self.tracks.confirmed):
            rows, columns = np.flatnonzero(tier), np.flatnonzero(free)
            # a match must be more likely than a new person or a false box: a ratio above 1
            i, j = assign(-ratios[np.ix_(rows, columns)], 0.0)
            rows, columns = rows[i], columns[j]
            self.tracks.evidence[rows] += np.clip(ratios[rows, columns], 0.0, MOST_EVIDENCE)
            self._update(rows, view, columns, time_s)
            numbers[columns] = self.tracks.number[rows]
            free[columns] = False

    def _log_ratios(self, view: View) -> tuple[np.ndarray, np.ndarray | None]:
        """(tracks, detections) log-likelihood ratio of a match against clutter, and the similarities.

        Position: the Gaussian of the joint uncertainty against the clutter's density. Appearance: see
        `SimilarityScale`. Minus infinity beyond the gate.
        """
        tracks, settings = self.tracks, self.settings
        distance2, log_det = kalman.mahalanobis2(
            tracks.mean[:, :2], tracks.covariance[:, :2, :2], view.positions_m, view.noises_m2
        )
        ratios = _heavy_tailed(distance2) - 0.5 * log_det - np.log(2 * np.pi * settings.clutter)
        similarities = None
        if len(tracks) and view.embeddings.shape[1] == tracks.appearance.shape[1] > 0:
            similarities = tracks.looks() @ view.embeddings.T
            told = self.scale.log_ratio(similarities) * np.sqrt(view.quality)[None, :]
            ratios = ratios + settings.appearance_weight * np.where(tracks.weight[:, None] > 0, told, 0.0)
        return np.where(distance2 <= settings.gate, ratios, -np.inf), similarities

    def _learn_same(self, ratios: np.ndarray, similarities: np.ndarray | None) -> None:
        """Pairs that nothing else competes with are one person: learn how similar they are."""
        if similarities is None:
            return
        possible = np.isfinite(ratios)
        alone = possible & (possible.sum(0, keepdims=True) == 1) & (possible.sum(1, keepdims=True) == 1)
        alone &= self.tracks.confirmed[:, None] & (ratios > 0)
        self.scale.same.learn(similarities[alone])

    def _update(self, rows: np.ndarray, view: View, columns: np.ndarray, time_s: float) -> None:
        tracks = self.tracks
        tracks.mean[rows], tracks.covariance[rows] = kalman.update(
            tracks.mean[rows],
            tracks.covariance[rows],
            view.positions_m[columns],
            self._believed_noise(rows, view, columns),
        )
        tracks.seen_s[rows] = time_s
        if view.embeddings.shape[1] == tracks.appearance.shape[1]:
            quality = view.quality[columns]
            keep = np.minimum(1.0, APPEARANCE_MEMORY / np.maximum(tracks.weight[rows] + quality, 1e-9))
            tracks.appearance[rows] = (
                tracks.appearance[rows] + view.embeddings[columns] * quality[:, None]
            ) * keep[:, None]
            tracks.weight[rows] = (tracks.weight[rows] + quality) * keep

    def _believed_noise(self, rows: np.ndarray, view: View, columns: np.ndarray) -> np.ndarray:
        """(n, 2, 2) noise of the matched detections, wider for those that slipped."""
        distance2 = kalman.paired_mahalanobis2(
            self.tracks.mean[rows, :2],
            self.tracks.covariance[rows, :2, :2] + view.noises_m2[columns],
            view.positions_m[columns],
        )
        usual = np.log(1 - SLIPPED_SHARE) - 0.5 * distance2
        slipped_share = 1 - np.exp(usual - _heavy_tailed(distance2))
        return view.noises_m2[columns] * (1 + slipped_share * (SLIPPED_SCALE**2 - 1))[:, None, None]

    def _age(self, views: list[View], assigned: list[np.ndarray]) -> None:
        """Tracks that a camera should have seen and did not lose evidence."""
        tracks = self.tracks
        for view, numbers in zip(views, assigned, strict=True):
            expected = self._expected_in(view)
            missed = expected & ~np.isin(tracks.number, numbers)
            tracks.evidence[missed] += np.log(1 - self.settings.detection_probability)
        tracks.evidence = np.minimum(tracks.evidence, self.settings.evidence_cap)

    def _expected_in(self, view: View) -> np.ndarray:
        """(n,) bool: tracks whose person should be visible in this view, unhidden by another track."""
        boxes = view.plane.boxes_at(self.tracks.mean[:, :2])
        width, height = view.image_size
        with np.errstate(invalid="ignore"):
            inside = (
                (boxes[:, 0] > 0)
                & (boxes[:, 2] < width)
                & (boxes[:, 1] > -0.2 * height)
                & (boxes[:, 3] < height)
            )
        result = np.zeros(len(boxes), bool)
        seen = np.flatnonzero(inside)
        if len(seen):
            result[seen] = covered(boxes[seen]) < HIDDEN_SHARE
        return result

    def _give_birth(
        self, views: list[View], assigned: list[np.ndarray], time_s: float, next_number: int
    ) -> int:
        """New tentative tracks from detections that no track wanted; several views of one spot make one."""
        settings = self.settings
        begun = len(self.tracks)
        for view, numbers in zip(views, assigned, strict=True):
            for j in np.flatnonzero((numbers < 0) & view.placed & (view.scores >= settings.start_score)):
                newborn = slice(begun, len(self.tracks))
                i = self._same_newborn(newborn, view, j, numbers)
                if i is None:
                    self.tracks.extend(_newborn(view, j, time_s, next_number, settings.start_speed))
                    numbers[j] = next_number
                    next_number += 1
                else:
                    self.tracks.evidence[i] += 1.0
                    self._update(np.array([i]), view, np.array([j]), time_s)
                    numbers[j] = self.tracks.number[i]
        return next_number

    def _same_newborn(self, newborn: slice, view: View, j: int, numbers: np.ndarray) -> int | None:
        tracks = self.tracks
        if newborn.start == newborn.stop:
            return None
        distance2, _ = kalman.mahalanobis2(
            tracks.mean[newborn, :2],
            tracks.covariance[newborn, :2, :2],
            view.positions_m[j : j + 1],
            view.noises_m2[j : j + 1],
        )
        distance2 = distance2[:, 0]
        # one camera sees one person once
        distance2[np.isin(tracks.number[newborn], numbers)] = np.inf
        best = int(np.argmin(distance2))
        return newborn.start + best if distance2[best] <= self.settings.gate / 2 else None

    def _find_duplicates(self, views: list[View], assigned: list[np.ndarray], dt: float) -> None:
        """Count how long pairs have been too close without any camera seeing both."""
        tracks, settings = self.tracks, self.settings
        if len(tracks) < 2:
            self.close_pairs = {}
            return
        gap = np.linalg.norm(tracks.mean[:, None, :2] - tracks.mean[None, :, :2], axis=2)
        close = np.triu(gap < settings.merge_m, 1)
        for numbers in assigned:
            seen = np.isin(tracks.number, numbers)
            close &= ~(seen[:, None] & seen[None, :])
        pairs = {}
        for i, j in np.argwhere(close):
            key = (int(tracks.number[i]), int(tracks.number[j]))
            pairs[key] = self.close_pairs.get(key, 0.0) + dt
        self.close_pairs = pairs

    def prune(self) -> list[Closed]:
        """End tracks that are over: too long unseen, false alarms, duplicates. Call after `step`."""
        tracks, settings = self.tracks, self.settings
        unseen = (self.time_s or 0.0) - tracks.seen_s
        over = np.where(
            tracks.confirmed,
            (unseen > settings.coast_s) | (tracks.evidence < -settings.confirm_evidence),
            (unseen > TENTATIVE_GAP_S) | (tracks.evidence <= 0),
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


def _heavy_tailed(distance2: np.ndarray) -> np.ndarray:
    """Log of a Gaussian's exponential term, some of it from boxes that slipped far more than usual."""
    usual = np.log(1 - SLIPPED_SHARE) - 0.5 * distance2
    slipped = np.log(SLIPPED_SHARE) - 0.5 * distance2 / SLIPPED_SCALE**2 - 2 * np.log(SLIPPED_SCALE)
    return np.logaddexp(usual, slipped)


def _newborn(view: View, j: int, time_s: float, number: int, start_speed: float) -> Tracks:
    covariance = np.zeros((1, 4, 4))
    covariance[0, :2, :2] = view.noises_m2[j]
    covariance[0, 2, 2] = covariance[0, 3, 3] = start_speed**2
    quality = view.quality[j : j + 1]
    return Tracks(
        number=np.array([number], np.int64),
        mean=np.array([[*view.positions_m[j], 0.0, 0.0]]),
        covariance=covariance,
        evidence=np.array([1.0]),
        person=np.array([-1], np.int64),
        born_s=np.array([time_s]),
        seen_s=np.array([time_s]),
        appearance=view.embeddings[j : j + 1] * quality[:, None],
        weight=quality.copy(),
    )
