"""What boxes say of the people of all hypotheses, and how well the two go together given what the others say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.tracking.likelihood import expectation, place, ratio, tell
from workers.tracking.pairs import pair_of


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
    """P pairs, each view's given what all others say.

    Attributes:
        values: (P,) ratios, minus infinity for those that cannot be above 0; trust, feet_cut: (P,), of the rest.
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


@compiled_lean
def clear(told, total, begin, end) -> None:
    """Nothing is said of a hypothesis' people."""
    told.boxes[:, begin:end] = -1
    total.information[begin:end] = 0.0
    total.pull[begin:end] = 0.0


@compiled_lean
def rate_view(sights, crowd, pairs, told, total, v, begin, end, trust, places, model, room, rated) -> None:
    """Rate a hypothesis' people with the boxes of view `v` that are near them, given what all other views say."""
    T = len(crowd.precision)
    for i in range(begin, end):
        first, last = pairs.starts[v * T + i], pairs.starts[v * T + i + 1]
        if first == last:
            continue
        _know(
            crowd.precision[i], told.boxes[v, i] >= 0, told.information[v, i], told.pull[v, i],
            total.information[i], total.pull[i], trust, places[i], room,
        )  # fmt: skip
        expected = expectation(sights.jacobian[v, i], sights.variances[v, i], room.shift, room.covariance)
        cut = sights.feet_cut[v, i]
        for k in range(first, last):
            error = pairs.errors[k]
            found = ratio(expected, error[0], error[1], error[2], cut, pairs.chances[k], True, model)
            rated.values[k] = found.value
            rated.trust[k] = found.trust
            rated.feet_cut[k] = found.feet_cut


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
def tell_view(sights, pairs, told, total, v, begin, end, first, chosen, dependence, rated) -> None:
    """Write what the boxes of view `v` say of a hypothesis' people, who were rated before.

    Args:
        first: the view's first box; chosen: (m,) the person of each, counted within the hypothesis, or -1.
    """
    T = sights.inside.shape[1]
    for i in range(begin, end):
        _forget(
            told.boxes[:, i], v, told.information[v, i], told.pull[v, i], total.information[i], total.pull[i]
        )
    for j in range(len(chosen)):
        if chosen[j] < 0:
            continue
        i = begin + chosen[j]
        k = pair_of(pairs, v * T + i, first + j)
        told.boxes[v, i] = first + j
        tell(
            sights.jacobian[v, i], sights.variances[v, i], pairs.errors[k], rated.trust[k], rated.feet_cut[k],
            dependence, told.information[v, i], told.pull[v, i],
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
    pair = pair_of(pairs, v * len(crowd.precision) + i, box)
    information, pull = told.information[v, i], told.pull[v, i]
    _know(
        crowd.precision[i], told.boxes[v, i] >= 0, information, pull, total.information[i], total.pull[i], 0.0,
        room.pull, room,
    )  # fmt: skip
    expected = expectation(sights.jacobian[v, i], sights.variances[v, i], room.shift, room.covariance)
    error = pairs.errors[pair]
    found = ratio(
        expected, error[0], error[1], error[2], sights.feet_cut[v, i], pairs.chances[pair], False, model
    )
    _forget(told.boxes[:, i], v, information, pull, total.information[i], total.pull[i])
    told.boxes[v, i] = box
    tell(
        sights.jacobian[v, i], sights.variances[v, i], error, found.trust, found.feet_cut, dependence, information,
        pull,
    )  # fmt: skip
    _add(information, pull, total.information[i], total.pull[i])
    return found.value
