"""What boxes say of the people of all hypotheses, and how well the two go together given what the others say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.tracking.likelihood import expectation, place, ratio, tell

# a box further to the side than this many deviations, slipped or not, is somebody else's
REACH = 4.0


class Crowd(NamedTuple):
    """The people of all hypotheses, one hypothesis after the other; T in all.

    Attributes:
        starts: (H + 1,) where each hypothesis' people begin.
        precision: (T, 3, 3) inverse covariance of their predicted x, y, height.
        first: (T,) bool, who chooses first.
        exists: (T,) 0..1 how probably they are somebody.
    """

    starts: np.ndarray
    precision: np.ndarray
    first: np.ndarray
    exists: np.ndarray


class Pairs(NamedTuple):
    """T people and the M boxes of the views they are in, before anything is decided.

    Attributes:
        errors: (T, M, 3) the boxes' edges less the figures', as shares of the figures' heights.
        chances: (T, M) log odds that the person is found, what the detector doubts, and what appearance says (nats).
        near: (T, M) bool, which boxes can be theirs at all.
    """

    errors: np.ndarray
    chances: np.ndarray
    near: np.ndarray


class Told(NamedTuple):
    """What the boxes say of T people.

    Attributes:
        boxes: (V, T) the box of each person in each view, or -1.
        information, pull: (V, T, 3, 3), (V, T, 3) about x, y and height; see `likelihood.tell`.
        gains: (V, T) nats by which the person explains the box better than anything else could, 0 without a box.
    """

    boxes: np.ndarray
    information: np.ndarray
    pull: np.ndarray
    gains: np.ndarray


class Sum(NamedTuple):
    """What all views together say of T people: (T, 3, 3) information and (T, 3) pull."""

    information: np.ndarray
    pull: np.ndarray


class Rated(NamedTuple):
    """A hypothesis' n people with the M boxes, each view given what all others say.

    Attributes:
        values: (n, M) ratios, minus infinity for those that cannot be above 0; trust, feet_cut: (n, M), of the rest.
    """

    values: np.ndarray
    trust: np.ndarray
    feet_cut: np.ndarray


class Room(NamedTuple):
    """Room to think of one person, overwritten by whoever uses it: allocating costs more than the thoughts."""

    information: np.ndarray
    pull: np.ndarray
    covariance: np.ndarray
    shift: np.ndarray


@compiled
def make_room() -> Room:
    return Room(np.zeros((3, 3)), np.zeros(3), np.zeros((3, 3)), np.zeros(3))


@compiled
def pair_up(boxes, sights, crowd, looks, model, room) -> Pairs:
    T, M = looks.shape
    pairs = Pairs(np.empty((T, M, 3)), np.empty((T, M)), np.zeros((T, M), np.bool_))
    _pair_up(boxes, sights, crowd, looks, model, room, pairs)
    return pairs


@compiled_lean
def _pair_up(boxes, sights, crowd, looks, model, room, pairs) -> None:
    V, T = sights.inside.shape
    room.pull[:] = 0.0
    for i in range(T):
        place(crowd.precision[i], room.pull, room.covariance, room.shift)
        for v in range(V):
            if not sights.inside[v, i]:
                continue
            rate, scale = sights.rate[v, i], sights.scale_px[v, i]
            odds = np.log(rate / (1 - rate))
            J, edges = sights.jacobian[v, i], sights.edges[v, i]
            spread = sights.variances[v, i, 0] * model.slipped_scale**2
            for k in range(3):
                for m in range(3):
                    spread += J[0, k] * room.covariance[k, m] * J[0, m]
            reach = REACH * np.sqrt(spread)
            for box in range(boxes.starts[v], boxes.starts[v + 1]):
                error = boxes.edges_px[box, 0] / scale - edges[0]
                if not boxes.usable[box] or not abs(error) < reach:
                    continue
                pairs.near[i, box] = True
                pairs.chances[i, box] = odds + boxes.doubts[box] + looks[i, box]
                pairs.errors[i, box, 0] = error
                for k in range(1, 3):
                    pairs.errors[i, box, k] = boxes.edges_px[box, k] / scale - edges[k]


@compiled_lean
def clear(told, total, begin, end) -> None:
    """Nothing is said of a hypothesis' people."""
    told.boxes[:, begin:end] = -1
    total.information[begin:end] = 0.0
    total.pull[begin:end] = 0.0


@compiled_lean
def rate_view(
    boxes, sights, crowd, pairs, told, total, v, begin, end, trust, places, model, room, rated
) -> None:
    """Rate a hypothesis' people with the boxes of view `v`, given what all other views say."""
    first, last = boxes.starts[v], boxes.starts[v + 1]
    for i in range(begin, end):
        near = False
        for box in range(first, last):
            rated.values[i - begin, box] = -np.inf
            near |= pairs.near[i, box]
        if not near:
            continue
        _know(
            crowd.precision[i], told.boxes[v, i] >= 0, told.information[v, i], told.pull[v, i],
            total.information[i], total.pull[i], trust, places[i], room,
        )  # fmt: skip
        expected = expectation(sights.jacobian[v, i], sights.variances[v, i], room.shift, room.covariance)
        cut = sights.feet_cut[v, i]
        for box in range(first, last):
            if pairs.near[i, box]:
                error = pairs.errors[i, box]
                found = ratio(expected, error[0], error[1], error[2], cut, pairs.chances[i, box], True, model)
                rated.values[i - begin, box] = found.value
                rated.trust[i - begin, box] = found.trust
                rated.feet_cut[i - begin, box] = found.feet_cut


@compiled_lean
def _know(precision, known, information, pull, all_information, all_pull, trust, place_m, room) -> None:
    """Write into `room` where somebody is by the prediction and all views but one, and how surely.

    Args:
        known: whether that one says anything: `information` and `pull`, which are part of those of all views.
        trust: how many times more than once the prediction is believed to be at `place_m`.
    """
    for k in range(3):
        room.pull[k] = all_pull[k] - (pull[k] if known else 0.0)
        for m in range(3):
            room.information[k, m] = precision[k, m] * (1 + trust) + all_information[k, m]
            if known:
                room.information[k, m] -= information[k, m]
            if trust > 0:
                room.pull[k] += trust * precision[k, m] * place_m[m]
    place(room.information, room.pull, room.covariance, room.shift)


@compiled_lean
def tell_view(boxes, sights, pairs, told, total, v, begin, end, chosen, dependence, rated) -> None:
    """Write what the boxes of view `v` say of a hypothesis' people, who were rated before.

    Args:
        chosen: (m,) the person of each box, counted within the hypothesis, or -1.
    """
    for i in range(begin, end):
        _forget(
            told.boxes[:, i], v, told.information[v, i], told.pull[v, i], total.information[i], total.pull[i]
        )
    for j in range(len(chosen)):
        if chosen[j] < 0:
            continue
        i, box = begin + chosen[j], boxes.starts[v] + j
        told.boxes[v, i] = box
        tell(
            sights.jacobian[v, i], sights.variances[v, i], pairs.errors[i, box], rated.trust[i - begin, box],
            rated.feet_cut[i - begin, box], dependence, told.information[v, i], told.pull[v, i],
        )  # fmt: skip
        _add(told.information[v, i], told.pull[v, i], total.information[i], total.pull[i])


@compiled_lean
def _forget(boxes, v, information, pull, all_information, all_pull) -> None:
    """Take out what view `v` said of a person whose (V,) boxes these are."""
    if boxes[v] < 0:
        return
    boxes[v] = -1
    others = False
    for o in range(len(boxes)):
        others |= boxes[o] >= 0
    for k in range(3):
        # exactly nothing when nothing is left, whatever was added and taken away
        all_pull[k] = all_pull[k] - pull[k] if others else 0.0
        for m in range(3):
            all_information[k, m] = all_information[k, m] - information[k, m] if others else 0.0


@compiled_lean
def _add(information, pull, all_information, all_pull) -> None:
    for k in range(3):
        all_pull[k] += pull[k]
        for m in range(3):
            all_information[k, m] += information[k, m]


@compiled_lean
def tell_box(sights, crowd, pairs, told, total, v, i, box, dependence, model, room) -> float:
    """Write what a box says of its person; returns their ratio given what all other views say."""
    information, pull = told.information[v, i], told.pull[v, i]
    _know(
        crowd.precision[i], told.boxes[v, i] >= 0, information, pull, total.information[i], total.pull[i], 0.0,
        room.pull, room,
    )  # fmt: skip
    expected = expectation(sights.jacobian[v, i], sights.variances[v, i], room.shift, room.covariance)
    error = pairs.errors[i, box]
    found = ratio(
        expected, error[0], error[1], error[2], sights.feet_cut[v, i], pairs.chances[i, box], False, model
    )
    _forget(told.boxes[:, i], v, information, pull, total.information[i], total.pull[i])
    told.boxes[v, i] = box
    tell(
        sights.jacobian[v, i], sights.variances[v, i], error, found.trust, found.feet_cut, dependence, information,
        pull,
    )  # fmt: skip
    _add(information, pull, total.information[i], total.pull[i])
    return found.value
