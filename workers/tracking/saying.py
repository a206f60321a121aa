"""What boxes say of the people of all hypotheses, and how well the two go together given what the others say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers.tracking.compiled import compiled
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


@compiled
def pair_up(boxes, sights, crowd, looks, model) -> Pairs:
    V, T = sights.inside.shape
    M = len(boxes.doubts)
    pairs = Pairs(np.empty((T, M, 3)), np.empty((T, M)), np.zeros((T, M), np.bool_))
    covariance, shift = np.empty((3, 3)), np.zeros(3)
    for i in range(T):
        place(crowd.precision[i], np.zeros(3), covariance, shift)
        for v in range(V):
            if not sights.inside[v, i]:
                continue
            rate, scale = sights.rate[v, i], sights.scale_px[v, i]
            odds = np.log(rate / (1 - rate))
            J = sights.jacobian[v, i]
            spread = sights.variances[v, i, 0] * model.slipped_scale**2
            for k in range(3):
                for m in range(3):
                    spread += J[0, k] * covariance[k, m] * J[0, m]
            reach = REACH * np.sqrt(spread)
            for box in range(boxes.starts[v], boxes.starts[v + 1]):
                pairs.chances[i, box] = odds + boxes.doubts[box] + looks[i, box]
                for k in range(3):
                    pairs.errors[i, box, k] = boxes.edges_px[box, k] / scale - sights.edges[v, i, k]
                pairs.near[i, box] = boxes.usable[box] and abs(pairs.errors[i, box, 0]) < reach
    return pairs


@compiled
def clear(told, total, begin, end) -> None:
    """Nothing is said of a hypothesis' people."""
    told.boxes[:, begin:end] = -1
    total.information[begin:end] = 0.0
    total.pull[begin:end] = 0.0


@compiled
def rate_view(boxes, sights, crowd, pairs, told, total, v, begin, end, trust, places, model, values) -> None:
    """Write (n, m) ratios of a hypothesis' people with the boxes of view `v`, given what all other views say.

    Those that cannot be above 0 are minus infinity.
    """
    first_box, m = boxes.starts[v], boxes.starts[v + 1] - boxes.starts[v]
    covariance, shift, information, pull = np.empty((3, 3)), np.empty(3), np.empty((3, 3)), np.empty(3)
    for i in range(begin, end):
        near = False
        for j in range(m):
            values[i - begin, j] = -np.inf
            near |= pairs.near[i, first_box + j]
        if not near:
            continue
        where_is(crowd, told, total, v, i, trust, places, information, pull)
        place(information, pull, covariance, shift)
        expected = expectation(sights.jacobian[v, i], sights.variances[v, i], shift, covariance)
        cut = sights.feet_cut[v, i]
        for j in range(m):
            box = first_box + j
            if pairs.near[i, box]:
                error = pairs.errors[i, box]
                found = ratio(expected, error[0], error[1], error[2], cut, pairs.chances[i, box], True, model)
                values[i - begin, j] = found.value


@compiled
def where_is(crowd, told, total, v, i, trust, places, information, pull) -> None:
    """Write what is known of person `i` by the prediction and all views but `v`."""
    known = told.boxes[v, i] >= 0
    for k in range(3):
        pull[k] = total.pull[i, k] - (told.pull[v, i, k] if known else 0.0)
        for m in range(3):
            precision = crowd.precision[i, k, m]
            information[k, m] = precision * (1 + trust) + total.information[i, k, m]
            if known:
                information[k, m] -= told.information[v, i, k, m]
            if trust > 0:
                pull[k] += trust * precision * places[i, m]


@compiled
def forget(told, total, v, i) -> None:
    """Take out what view `v` said of person `i`."""
    if told.boxes[v, i] < 0:
        return
    told.boxes[v, i] = -1
    others = 0
    for o in range(len(told.boxes)):
        others += told.boxes[o, i] >= 0
    for k in range(3):
        # exactly nothing when nothing is left, whatever was added and taken away
        total.pull[i, k] = total.pull[i, k] - told.pull[v, i, k] if others else 0.0
        for m in range(3):
            total.information[i, k, m] = (
                total.information[i, k, m] - told.information[v, i, k, m] if others else 0.0
            )


@compiled
def tell_box(sights, crowd, pairs, told, total, v, i, box, dependence, trust, places, model) -> float:
    """Write what a box says of its person; returns their ratio given what all other views say."""
    covariance, shift, information, pull = np.empty((3, 3)), np.empty(3), np.empty((3, 3)), np.empty(3)
    where_is(crowd, told, total, v, i, trust, places, information, pull)
    place(information, pull, covariance, shift)
    expected = expectation(sights.jacobian[v, i], sights.variances[v, i], shift, covariance)
    error = pairs.errors[i, box]
    found = ratio(
        expected, error[0], error[1], error[2], sights.feet_cut[v, i], pairs.chances[i, box], False, model
    )
    forget(told, total, v, i)
    told.boxes[v, i] = box
    tell(
        sights.jacobian[v, i], sights.variances[v, i], error, found.trust, found.feet_cut, dependence,
        told.information[v, i], told.pull[v, i],
    )  # fmt: skip
    for k in range(3):
        total.pull[i, k] += told.pull[v, i, k]
        for m in range(3):
            total.information[i, k, m] += told.information[v, i, k, m]
    return found.value
