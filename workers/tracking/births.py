"""Where nobody is tracked yet: boxes that nobody wanted, of all cameras, that agree on a place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.tracking.association import LEAST_OVERLOOKED
from workers.tracking.cameras import Sights, feet_cut_of, hidden_by, rate_of
from workers.tracking.likelihood import BoxModel, expectation, place, ratio, tell
from workers.tracking.settings import TrackerSettings
from workers.tracking.views import Boxes

# two boxes of different cameras show the same newcomer when that is likelier than not by this much (nats)
AGREE = 1.0
# what is known of a newcomer beside the box that proposes them: variances of x, y (m2), height (m2)
SLACK = 1e-4


class BirthModel(NamedTuple):
    """How newcomers are judged; see `TrackerSettings`."""

    chance: float
    first_box: float
    least_share: float
    repulsion: float
    merge_m: float
    feet_cut: float
    feet_cut_hidden: float

    @classmethod
    def of(cls, settings: TrackerSettings) -> BirthModel:
        return cls(
            settings.chance,
            settings.first_box,
            settings.birth_share,
            settings.birth_repulsion,
            settings.merge_m,
            settings.feet_cut,
            settings.feet_cut_hidden,
        )


class Newcomers(NamedTuple):
    """b people whom nobody tracked.

    Attributes:
        persons: (b, 3) x, y, height; covariances: (b, 3, 3).
        evidence: (b,) nats for their existence.
        boxes: (b, V) the box that shows them in each view, or -1.
    """

    persons: np.ndarray
    covariances: np.ndarray
    evidence: np.ndarray
    boxes: np.ndarray

    def __len__(self) -> int:
        return len(self.evidence)

    @classmethod
    def none(cls, views: int) -> Newcomers:
        return cls(np.empty((0, 3)), np.empty((0, 3, 3)), np.empty(0), np.empty((0, views), np.int64))


class Room(NamedTuple):
    """Room to think of one newcomer, overwritten by whoever uses it.

    Attributes:
        base: (3, 3) what the proposing box says; information, pull: (V, 3, 3), (V, 3) what each view adds.
        total, pulled: (3, 3), (3,) sums; shift, error: (3,).
    """

    base: np.ndarray
    information: np.ndarray
    pull: np.ndarray
    total: np.ndarray
    pulled: np.ndarray
    shift: np.ndarray
    error: np.ndarray


@compiled
def _room(V: int) -> Room:
    return Room(
        np.empty((3, 3)), np.empty((V, 3, 3)), np.empty((V, 3)), np.empty((3, 3)), np.empty(3), np.empty(3),
        np.empty(3),
    )  # fmt: skip


def newcomers(
    boxes: Boxes, proposed: Sights, sights: Sights, known: np.ndarray, persons: np.ndarray, assigned: np.ndarray,
    looks: np.ndarray, rates: np.ndarray, dependence: float, settings: TrackerSettings,
) -> Newcomers:  # fmt: skip
    """People whom nobody tracks yet, the most certain first.

    Every free box proposes a person; a camera that should see that person and does not speaks against it.

    Args:
        proposed: what V cameras should see of the person of each of M boxes.
        sights: what they should see of T people; known: (k,) rows of those who hide newcomers, and within whom nobody
            is born; persons: (k, 3) where they are.
        assigned: (M,) whose box it is, -1 where nobody's.
        looks: (M, M) how much appearance says that two boxes show one person (nats).
        rates: (V, 4), see `CameraBank.rates`.
    """
    return Newcomers(*_newcomers(
        boxes, proposed, sights, known, persons, assigned, looks, rates, dependence, BoxModel.of(settings),
        BirthModel.of(settings),
    ))  # fmt: skip


@compiled
def _newcomers(
    boxes,
    proposed,
    sights,
    known,
    persons,
    assigned,
    looks,
    rates,
    dependence,
    model: BoxModel,
    births: BirthModel,
):
    V, M = len(boxes.starts) - 1, len(assigned)
    free = (assigned < 0) & boxes.usable
    view_of = np.empty(M, np.int64)
    for v in range(V):
        view_of[boxes.starts[v] : boxes.starts[v + 1]] = v
    seeds = _seeds(boxes, proposed, births, view_of, free)
    support = np.zeros(len(seeds))
    found = np.empty(V, np.int64)
    person, covariance, room = np.empty(3), np.empty((3, 3)), _room(V)
    for s in range(len(seeds)):
        support[s] = _gather(
            boxes, proposed, sights, known, persons, looks, rates, dependence, model, births, view_of, free, seeds[s],
            1, person, covariance, found, room,
        )  # fmt: skip
    order = np.argsort(-support, kind="mergesort")
    count = 0
    B = len(seeds)
    result_person, result_covariance = np.empty((B, 3)), np.empty((B, 3, 3))
    result_evidence, result_boxes = np.empty(B), np.empty((B, V), np.int64)
    for k in range(B):
        seed = seeds[order[k]]
        if support[order[k]] <= 0:
            break
        if not free[seed]:
            continue
        evidence = _gather(
            boxes, proposed, sights, known, persons, looks, rates, dependence, model, births, view_of, free, seed,
            2, person, covariance, found, room,
        )  # fmt: skip
        if evidence <= 0:
            continue
        result_person[count], result_covariance[count] = person, covariance
        result_evidence[count], result_boxes[count] = evidence, found
        count += 1
        for v in range(V):
            if found[v] >= 0:
                free[found[v]] = False
    return result_person[:count], result_covariance[:count], result_evidence[:count], result_boxes[:count]


@compiled
def _seeds(boxes, proposed, births, view_of, free) -> np.ndarray:
    """(s,) free boxes that may start a track."""
    proposing = free & boxes.seeds
    for m in range(len(free)):
        headless = proposed.boxes_px[view_of[m], m, 1] <= 0
        proposing[m] &= not headless or proposed.share[view_of[m], m] >= births.least_share
    return np.flatnonzero(proposing)


@compiled_lean
def _gather(
    boxes, proposed, sights, known, persons, looks, rates, dependence, model, births, view_of, free, seed, sweeps,
    person, covariance, found, room,
) -> float:  # fmt: skip
    """Collect the boxes that agree with the one that proposes a person; every view against what the others say.

    Writes (3,) person, (3, 3) covariance and the (V,) boxes found; returns the evidence (nats).
    """
    V = len(boxes.starts) - 1
    own = view_of[seed]
    shift = room.shift
    shift[:] = 0.0
    for i in range(3):
        for k in range(3):
            room.total[i, k] = boxes.covariances[seed, i, k] + (SLACK if i == k else 0.0)
    place(room.total, shift, room.base, shift)
    room.information[:], room.pull[:] = 0.0, 0.0
    found[:] = -1
    found[own] = seed
    evidence = 0.0
    for _ in range(sweeps):
        evidence = births.first_box
        for v in range(V):
            if v == own or not proposed.inside[v, seed]:
                continue
            _others(room, v)
            place(room.total, room.pulled, covariance, shift)
            rate, cut = _chances(proposed, sights, known, rates, births, v, seed)
            expected = expectation(proposed.jacobian[v, seed], proposed.variances[v, seed], shift, covariance)
            odds, scale, edges = (
                np.log(rate / (1 - rate)),
                proposed.scale_px[v, seed],
                proposed.edges[v, seed],
            )
            best, most, trust, feet_cut = -1, AGREE, 1.0, False
            for box in range(boxes.starts[v], boxes.starts[v + 1]):
                if not free[box]:
                    continue
                _error(boxes.edges_px[box], scale, edges, room.error)
                chance = odds + boxes.doubts[box] + looks[seed, box]
                match = ratio(expected, room.error[0], room.error[1], room.error[2], cut, chance, True, model)
                if match.value > most:
                    best, most, trust, feet_cut = box, match.value, match.trust, match.feet_cut
            found[v] = best
            room.information[v], room.pull[v] = 0.0, 0.0
            if best >= 0:
                _error(boxes.edges_px[best], scale, edges, room.error)
                tell(
                    proposed.jacobian[v, seed], proposed.variances[v, seed], room.error, trust, feet_cut, dependence,
                    room.information[v], room.pull[v],
                )  # fmt: skip
                evidence -= np.log(births.chance)
            else:
                overlooked = max(1 - rate, LEAST_OVERLOOKED)
                evidence += np.log(overlooked / (1 - births.chance * (1 - overlooked)))
    _others(room, -1)
    place(room.total, room.pulled, covariance, shift)
    for i in range(3):
        person[i] = boxes.persons[seed, i] + shift[i]
    return evidence - _crowding(person, persons, births)


@compiled_lean
def _others(room, view) -> None:
    """Write into `room` what is known of a newcomer by all views but one."""
    for i in range(3):
        room.pulled[i] = 0.0
        for k in range(3):
            room.total[i, k] = room.base[i, k]
    for o in range(len(room.pull)):
        if o == view:
            continue
        for i in range(3):
            room.pulled[i] += room.pull[o, i]
            for k in range(3):
                room.total[i, k] += room.information[o, i, k]


@compiled_lean
def _error(edges_px, scale_px, edges, error) -> None:
    """Write a box's edges less the figure's, as shares of the figure's height."""
    for k in range(3):
        error[k] = edges_px[k] / scale_px - edges[k]


@compiled_lean
def _chances(proposed, sights, known, rates, births, v, seed):
    """How probably a camera finds the proposed person behind those who are known, and how probably without feet."""
    shows = proposed.share[v, seed]
    for i in known:
        if sights.share[v, i] > 0:
            shows *= 1 - hidden_by(
                proposed.boxes_px[v, seed], proposed.depth[v, seed], sights.boxes_px[v, i], sights.depth[v, i]
            )
    return rate_of(shows, rates[v]), feet_cut_of(shows, births.feet_cut, births.feet_cut_hidden)


@compiled_lean
def _crowding(person: np.ndarray, persons: np.ndarray, births: BirthModel) -> float:
    """What it costs to be born within one of the known people (nats)."""
    nearest = np.inf
    for i in range(len(persons)):
        nearest = min(nearest, (person[0] - persons[i, 0]) ** 2 + (person[1] - persons[i, 1]) ** 2)
    return births.repulsion * np.exp(-nearest / births.merge_m**2)
