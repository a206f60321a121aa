"""Where nobody is tracked yet: boxes that nobody wanted, of all cameras, that agree on a place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workers.mapping.kalman import inverse_3x3
from workers.tracking.cameras import CameraBank
from workers.tracking.likelihood import box_ratios, told
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import SimilarityScale
from workers.tracking.views import View

# two boxes of different cameras show the same newcomer when that is likelier than not by this much (nats)
AGREE = 1.0
# a camera's silence counts at most as if it found this share
SUREST_RATE = 0.98


@dataclass(frozen=True)
class Newborn:
    """Somebody new.

    Attributes:
        person: (3,) x, y, height; covariance: (3, 3).
        evidence: nats for existence.
        boxes: (view, box) that show them.
    """

    person: np.ndarray
    covariance: np.ndarray
    evidence: float
    boxes: list[tuple[int, int]]


def newcomers(
    bank: CameraBank,
    views: list[View],
    assigned: list[np.ndarray],
    known: np.ndarray,
    scale: SimilarityScale,
    dependence: float,
    settings: TrackerSettings,
) -> list[Newborn]:
    """People whom nobody tracks yet, the most certain first.

    Every free box proposes a person; a camera that should see that person and does not speaks against it.

    Args:
        assigned: for each view (m,) whose box it is, -1 where nobody's.
        known: (n, 3) confirmed people: they hide newcomers, and nobody is born within them.
    """
    free = [np.flatnonzero((a < 0) & view.placed) for a, view in zip(assigned, views, strict=True)]
    seeds = [
        (v, int(j)) for v, view in enumerate(views) for j in free[v] if view.scores[j] >= settings.start_score
    ]
    if not seeds:
        return []
    persons = np.array([views[v].persons[j] for v, j in seeds])
    covariances = np.array([views[v].covariances[j] for v, j in seeds]) + np.eye(3) * 1e-4
    cameras = np.array([view.index for view in views])
    support = np.zeros(len(seeds))
    for v, sight in enumerate(bank.sights(cameras, persons, known)):
        rate = np.zeros(len(seeds))
        rate[sight.rows] = sight.rate
        agrees = np.zeros(len(seeds), bool)
        if len(free[v]) and len(sight):
            values = _ratios(bank, views, seeds, sight, covariances, v, free[v], scale, settings)
            agrees[sight.rows] = values.max(1) > AGREE
        here = np.array([seed[0] == v for seed in seeds])
        support += np.where(
            here, settings.first_box, np.where(agrees, -np.log(settings.chance), _silence(rate, settings))
        )
    support -= _crowding(persons, known, settings)
    taken = [np.zeros(len(view), bool) for view in views]
    born = []
    for k in np.argsort(-support, kind="stable"):
        if support[k] <= 0:
            break
        v, j = seeds[k]
        if taken[v][j]:
            continue
        newborn = _gather(
            bank, views, (v, j), persons[k], covariances[k], free, taken, known, scale, dependence, settings
        )
        if newborn.evidence > 0:
            born.append(newborn)
            for view, box in newborn.boxes:
                taken[view][box] = True
    return born


def _gather(
    bank, views, seed, person, covariance, free, taken, known, scale, dependence, settings
) -> Newborn:
    """Go through the other cameras, each against what the ones before said."""
    evidence, boxes = settings.first_box, [seed]
    for v, view in enumerate(views):
        if v == seed[0]:
            continue
        (sight,) = bank.sights(np.array([view.index]), person[None], known)
        if not len(sight):
            continue
        left = free[v][~taken[v][free[v]]]
        if len(left):
            look = _looks(views, [seed], view, left, scale, settings)
            ratios = box_ratios(
                sight, np.zeros((1, 3)), covariance[None], view.edges_px[left], view.scores[left], settings
            )
            best = int(np.argmax(ratios.values[0] + look[0]))
            if ratios.values[0, best] + look[0, best] > AGREE:
                information, pull = told(
                    sight,
                    view.edges_px[left[best : best + 1]],
                    ratios.trust[:1, best],
                    ratios.feet_cut[:1, best],
                    dependence,
                )
                covariance = inverse_3x3(inverse_3x3(covariance)[0] + information[0])[0]
                person = person + covariance @ pull[0]
                evidence -= np.log(settings.chance)
                boxes.append((v, int(left[best])))
                continue
        evidence += float(_silence(sight.rate, settings)[0])
    evidence -= _crowding(person[None], known, settings)[0]
    return Newborn(person, covariance, float(evidence), boxes)


def _ratios(bank, views, seeds, sight, covariances, v, free, scale, settings) -> np.ndarray:
    view = views[v]
    ratios = box_ratios(
        sight,
        np.zeros((len(sight), 3)),
        covariances[sight.rows],
        view.edges_px[free],
        view.scores[free],
        settings,
    )
    return ratios.values + _looks(views, [seeds[k] for k in sight.rows], view, free, scale, settings)


def _looks(views, seeds, view: View, boxes: np.ndarray, scale: SimilarityScale, settings) -> np.ndarray:
    """(seeds, boxes) how much appearance says that they are the same person."""
    mine = np.array([views[v].embeddings[j] for v, j in seeds])
    if mine.shape[1] == 0 or view.embeddings.shape[1] != mine.shape[1]:
        return np.zeros((len(seeds), len(boxes)))
    quality = np.sqrt(
        np.array([views[v].quality[j] for v, j in seeds])[:, None] * view.quality[boxes][None, :]
    )
    return settings.appearance_weight * quality * scale.log_ratio(mine @ view.embeddings[boxes].T)


def _crowding(persons: np.ndarray, known: np.ndarray, settings: TrackerSettings) -> np.ndarray:
    """(n,) what it costs to be born within one of the known people."""
    if len(known) == 0:
        return np.zeros(len(persons))
    gap2 = ((persons[:, None, :2] - known[None, :, :2]) ** 2).sum(2).min(1)
    return settings.birth_repulsion * np.exp(-gap2 / settings.merge_m**2)


def _silence(rate: np.ndarray, settings: TrackerSettings) -> np.ndarray:
    """What it says about somebody's existence that a camera found nothing."""
    rate = np.minimum(rate, SUREST_RATE)
    return np.log((1 - rate) / (1 - settings.chance * rate))
