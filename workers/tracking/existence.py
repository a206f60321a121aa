"""Who is there: what being found and not being found says about it, and when a track is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.tracking.association import Told
from workers.tracking.cameras import Sights
from workers.tracking.hypotheses import Hypothesis
from workers.tracking.likelihood import sureness
from workers.tracking.scene import Scene
from workers.tracking.settings import TrackerSettings
from workers.tracking.tracks import Tracks
from workers.tracking.views import merged

# nobody is so well hidden that not being found says nothing at all
LEAST_RATE = 0.1
# a camera finds anybody in view at least this often, and by chance somebody whom it is blind for
LEAST_FOUND, BLIND_FINDS = 0.01, 0.05
# a box is somebody's own when they explain it better than anybody else by this much (nats)
DISTINCT = 0.5
# how sure anybody's existence or absence ever is
LEAST_EXISTENCE, MOST_EXISTENCE = 0.01, 0.98


@compiled
def probability(evidence: np.ndarray) -> np.ndarray:
    """(n,) 0..1 of (n,) nats."""
    result = np.empty(len(evidence))
    for i in range(len(evidence)):
        result[i] = min(max(1 / (1 + np.exp(-evidence[i])), LEAST_EXISTENCE), MOST_EXISTENCE)
    return result


class EvidenceModel(NamedTuple):
    """What being found or not says; see `TrackerSettings`."""

    chance: float
    own_nats: float
    doubt: float
    cap: float
    seen: float

    @classmethod
    def of(cls, settings: TrackerSettings) -> EvidenceModel:
        return cls(
            settings.chance, settings.own_nats, settings.doubt, settings.evidence_cap, settings.seen_evidence
        )


def weigh(
    people: Tracks,
    sights: Sights,
    told: Told,
    scene: Scene,
    time_s: float,
    dt: float,
    settings: TrackerSettings,
) -> None:
    """Evidence for who was found where nobody else explains the box, against who should have been seen."""
    # frames in quick succession are one opinion
    share = float(1 - np.exp(-dt / settings.evidence_memory_s))
    _weigh(
        scene.boxes, sights, told, people.confirmed, people.evidence, people.findable, people.blind, people.seen_s,
        time_s, dt, share, EvidenceModel.of(settings),
    )  # fmt: skip


@compiled_lean
def _weigh(
    boxes, sights, told, confirmed, evidence, findable, blind, seen_s, time_s, dt, share, model
) -> None:
    """Change (T,) evidence, findable, seen_s and (T, C) blind of people; see `weigh`.

    Args:
        share: of an opinion that this instant is worth.
    """
    for i in range(len(evidence)):
        change, missed, hit = 0.0, 1.0, False
        for v in range(len(boxes.cameras)):
            box, rate = told.boxes[v, i], sights.rate[v, i]
            if box >= 0:
                hit = True
                own = min(max(told.gains[v, i] / model.own_nats, 0.0), 1.0)
                change -= np.log(model.chance) * own * sureness(boxes.scores[box], confirmed[i])
            elif sights.inside[v, i]:
                rate *= 1 - merged(boxes, v, sights.boxes_px[v, i])
                finds = max(rate, LEAST_RATE)
                change += np.log((1 - finds) / (1 - model.chance * finds))
            if sights.inside[v, i]:
                missed *= 1 - rate
                camera = boxes.cameras[v]
                blind[i, camera] = _blindness(blind[i, camera], rate, box >= 0, share)
        findable[i] = 1 - missed
        evidence[i] = min(evidence[i] + share * change - model.doubt * dt, model.cap)
        # boxes of somebody who is in doubt all the same do not show that they are there
        if hit and evidence[i] > model.seen:
            seen_s[i] = time_s


@compiled_lean
def _blindness(before: float, rate: float, hit: bool, share: float) -> float:
    """How probably a camera that should find somebody at this rate is blind for them, once it did or did not.

    A camera that overlooks somebody once will soon do so again: clothes like the floor, a still person that has become
    background, a pillar that nobody drew. From then on its silence says little.
    """
    usual = min(max(rate / max(1 - before, 1e-3), 0.0), 0.99)
    sees = (usual if hit else 1 - usual) ** share
    misses = (BLIND_FINDS if hit else 1 - BLIND_FINDS) ** share
    return before * misses / (before * misses + (1 - before) * sees)


def less_by_blindness(
    sights: Sights, people: Tracks, scene: Scene, dt: float, settings: TrackerSettings
) -> Sights:
    """The sights after `dt` seconds, with the rates at which cameras that may be blind for somebody find them."""
    kept = float(np.exp(-dt / settings.blind_s))
    people.blind = people.blind * kept + settings.blind * (1 - kept)
    seeing = 1 - people.blind.T[scene.boxes.cameras]
    return sights._replace(rate=np.maximum(sights.rate * seeing, LEAST_FOUND))


def close_pairs(
    tracks: Tracks,
    before: dict[tuple[int, int], float],
    gains: np.ndarray,
    dt: float,
    settings: TrackerSettings,
) -> dict[tuple[int, int], float]:
    """How long pairs have been too close without any camera seeing both, each by a box of its own (s), by numbers.

    Args:
        before: the same an instant ago; gains: (V, n) as in `Told`.
    """
    if len(tracks) < 2:
        return {}
    found, _ = neighbours(tracks.mean[:, :2], settings.merge_m)
    if not len(found):
        return {}
    distinct = gains > DISTINCT
    apart = (distinct[:, found[:, 0]] & distinct[:, found[:, 1]]).any(0)
    pairs = {}
    for i, j in found[~apart]:
        key = (int(tracks.number[i]), int(tracks.number[j]))
        pairs[key] = before.get(key, 0.0) + dt
    return pairs


@compiled
def neighbours(places: np.ndarray, within: float) -> tuple[np.ndarray, np.ndarray]:
    """Who stand closer together than `within`.

    Args:
        places: (n, 2), same unit as `within`.

    Returns:
        (k, 2) rows i < j, ascending; (k,) their squared distances.
    """
    n = len(places)
    order = np.argsort(places[:, 0], kind="mergesort")
    pairs, gaps2 = np.empty((n, 2), np.int64), np.empty(n)
    k = 0
    for a in range(n):
        for b in range(a + 1, n):
            i, j = order[a], order[b]
            if places[j, 0] - places[i, 0] >= within:
                break
            gap2 = (places[i, 0] - places[j, 0]) ** 2 + (places[i, 1] - places[j, 1]) ** 2
            if gap2 < within**2:
                if k == len(pairs):
                    pairs, gaps2 = np.concatenate((pairs, pairs)), np.concatenate((gaps2, gaps2))
                pairs[k, 0], pairs[k, 1], gaps2[k] = min(i, j), max(i, j), gap2
                k += 1
    ascending = np.argsort(pairs[:k, 0] * n + pairs[:k, 1])
    return pairs[:k][ascending], gaps2[:k][ascending]


def with_merged(
    hypotheses: Sequence[Hypothesis], settings: TrackerSettings
) -> tuple[list[Hypothesis], set[int]]:
    """The hypotheses, and one more: that the two who are closest in the likeliest one are one person.

    Returns:
        Them, and which of them go on with what is shown.
    """
    best, tracks = hypotheses[0], hypotheses[0].tracks
    if len(tracks) < 2:
        return list(hypotheses), {0}
    close, gaps2 = neighbours(tracks.mean[:, :2], settings.merge_m)
    if not len(close):
        return list(hypotheses), {0}
    i, j = close[gaps2.argmin()]
    # the older, confirmed one stays
    i, j = sorted((i, j), key=lambda k: (not tracks.confirmed[k], tracks.number[k]))
    others = tracks.take(np.delete(np.arange(len(tracks)), j))
    weight = best.log_weight + float(np.log(1 - probability(tracks.evidence[j : j + 1])[0]))
    merged = Hypothesis(others, best.history, best.close_pairs, weight, best.closest)
    return [*hypotheses, merged], {0, len(hypotheses)}


def over(hypothesis: Hypothesis, time_s: float, settings: TrackerSettings) -> np.ndarray:
    """(n,) bool, tracks that are over: too long unseen, false alarms, duplicates."""
    tracks = hypothesis.tracks
    unseen = time_s - tracks.seen_s
    result = np.where(
        tracks.confirmed,
        (unseen > settings.coast_s) | (tracks.evidence < settings.lost),
        (unseen > settings.tentative_s) | (tracks.evidence <= 0),
    )
    if not hypothesis.close_pairs:
        return result
    order = {number: i for i, number in enumerate(tracks.number.tolist())}
    for (a, b), seconds in hypothesis.close_pairs.items():
        if seconds >= settings.merge_s and a in order and b in order:
            i, j = order[a], order[b]
            if not result[i] and not result[j]:
                # the older, confirmed one stays
                result[j if tracks.confirmed[i] or not tracks.confirmed[j] else i] = True
    return result
