"""What a camera's detector is like, learned from people whom other cameras leave no doubt about."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.mapping.symmetric import invert_3x3

# visible shares of a person for which detection rates are kept, and the rates before anything is learned
VISIBLE = np.array([0.05, 0.25, 0.5, 0.7])
USUAL_RATES = 0.92 * np.array([0.31, 0.66, 0.95, 1.0])
BETWEEN = (VISIBLE[1:] + VISIBLE[:-1]) / 2
# so many people the usual rates are worth, and so many are remembered
RATE_PRIOR, RATE_MEMORY = 130.0, 3000.0
# boxes are rarely off by more than a few per cent of a figure's height; neighbours in time are hardly independent
BIAS_SIGMA, ERROR_DEPENDENCE = 0.03, 3.7
# no detector errs less than this share of the height
LEAST_SPREAD = 0.01
# larger errors than this (shares of the height) are not a habit
BIAS_LIMIT = 0.25
# only people of whom so much shows teach how boxes err
WHOLE = 0.9


class Habits(NamedTuple):
    """What is known of C detectors; arrays are changed in place.

    Attributes:
        bias: (C, 3) mean error of a box's edges, as shares of the figure's height; bias_weight: (C, 3).
        spread: (C, 3) variance of those errors; spread_weight: (C, 3).
        found, tried: (C, 4) how often people of the visible shares `VISIBLE` were found, of how many.
        slipped, slipped_scale: how many boxes slip, and by how many times more they are off; see `TrackerSettings`.
    """

    bias: np.ndarray
    bias_weight: np.ndarray
    spread: np.ndarray
    spread_weight: np.ndarray
    found: np.ndarray
    tried: np.ndarray
    slipped: float
    slipped_scale: float


class Lessons(NamedTuple):
    """Who teaches something at one instant: the first n of all people.

    Attributes:
        certain: (n,) bool, who is there beyond doubt; confirmed: (n,) bool, who is somebody.
        precision: (T, 3, 3) inverse covariance of everybody's predicted x, y, height.
    """

    certain: np.ndarray
    confirmed: np.ndarray
    precision: np.ndarray


@compiled
def rates_of(habits) -> np.ndarray:
    """(C, 4) how probably the detectors find people of the visible shares `VISIBLE`."""
    rates = np.empty(habits.found.shape)
    write_rates(habits, rates)
    return rates


@compiled_lean
def write_rates(habits, rates) -> None:
    """Write `rates_of`."""
    for c in range(len(rates)):
        for k in range(len(VISIBLE)):
            rate = (USUAL_RATES[k] * RATE_PRIOR + habits.found[c, k]) / (RATE_PRIOR + habits.tried[c, k])
            rates[c, k] = min(max(rate, 0.01), 0.99)


@compiled
def learn(habits, lessons, cameras, edges_px, sights, told) -> None:
    """Learn from one instant of V views.

    Args:
        cameras: (V,) whose views they are; edges_px: (M, 3) of their boxes.
        sights: see `cameras.Sights`; told: see `saying.Told`.
    """
    n = len(lessons.certain)
    seen_by = np.zeros(n, np.int64)
    for v in range(len(cameras)):
        for i in range(n):
            seen_by[i] += told.boxes[v, i] >= 0
    error, shift, covariance = np.empty((n, 3)), np.empty((n, 3)), np.empty((n, 3, 3))
    visible, hit, whole = np.empty(n), np.empty(n, np.bool_), np.empty(n, np.int64)
    for v in range(len(cameras)):
        tried = taught = 0
        for i in range(n):
            box = told.boxes[v, i]
            if lessons.certain[i] and sights.inside[v, i] and seen_by[i] > (box >= 0):
                visible[tried], hit[tried] = sights.visible[v, i], box >= 0
                tried += 1
            if box >= 0 and lessons.confirmed[i] and sights.visible[v, i] > WHOLE:
                _others_see(lessons.precision[i], told, v, i, shift[taught], covariance[taught])
                for k in range(3):
                    error[taught, k] = edges_px[box, k] / sights.scale_px[v, i] - sights.edges[v, i, k]
                whole[taught] = i
                taught += 1
        learn_rate(habits, cameras[v], visible[:tried], hit[:tried])
        learn_errors(
            habits,
            cameras[v],
            sights.jacobian[v],
            sights.variances[v],
            whole[:taught],
            error,
            shift,
            covariance,
        )


@compiled_lean
def learn_rate(habits, camera, visible, hit) -> None:
    """Learn from (n,) people who are certainly there: how visible they were, and whether they were found."""
    found, tried = habits.found[camera], habits.tried[camera]
    for i in range(len(visible)):
        k = 0
        while k < len(BETWEEN) and visible[i] > BETWEEN[k]:
            k += 1
        tried[k] += 1
        found[k] += hit[i]
    for k in range(len(tried)):
        fade = min(1.0, RATE_MEMORY / max(tried[k], 1.0))
        tried[k] *= fade
        found[k] *= fade


@compiled_lean
def learn_errors(habits, camera, jacobian, variances, people, error, shift, covariance) -> None:
    """Learn how boxes err from people whose place the other cameras know.

    Args:
        jacobian, variances: (T, 3, 3), (T, 3) as in `Sights`; people: (n,) who of the T they are.
        error: (n, 3) the boxes' edges less the figures', as shares of the figures' heights.
        shift: (n, 3) where the others see them, relative to what the figures were made for; covariance: (n, 3, 3).
    """
    scale, slips = habits.slipped_scale, habits.slipped / habits.slipped_scale**3
    for k in range(3):
        spread_now, own_sum, spread_sum = habits.spread[camera, k], 0.0, 0.0
        bias_sum, weight_sum = 0.0, 0.0
        for j in range(len(people)):
            i = people[j]
            off, others = _error(jacobian[i], error[j], shift[j], covariance[j], k)
            spread = others + variances[i, k]
            if not abs(off) < BIAS_LIMIT:
                continue
            # robust: a box that is far off counts less
            weight = 1 / (1 + off**2 / spread / 4) / spread / ERROR_DEPENDENCE
            bias_sum += weight * off
            weight_sum += weight
            # what remains of the error without the others' uncertainty (one step of expectation maximisation)
            share = variances[i, k] / spread
            own = share**2 * off**2 + share * others - (variances[i, k] - spread_now)
            odd = _oddness(jacobian[i], variances[i], error[j], shift[j], covariance[j])
            slip = slips * np.exp(min(0.5 * odd * (1 - scale**-2), 50.0))
            weight = share / (1 + slip) / ERROR_DEPENDENCE
            own_sum += weight * (own - spread_now)
            spread_sum += weight
        habits.spread_weight[camera, k] += spread_sum
        spread_now += own_sum / habits.spread_weight[camera, k]
        habits.spread[camera, k] = max(spread_now, LEAST_SPREAD**2)
        habits.bias_weight[camera, k] += weight_sum
        habits.bias[camera, k] += bias_sum / (1 / BIAS_SIGMA**2 + habits.bias_weight[camera, k])


@compiled_lean
def _error(jacobian, error, shift, covariance, k):
    """How far edge `k` of a box is from where the others see the person, and the variance of what they see."""
    off, others = error[k], 0.0
    for a in range(3):
        off -= jacobian[k, a] * shift[a]
        for b in range(3):
            others += jacobian[k, a] * covariance[a, b] * jacobian[k, b]
    return off, others


@compiled_lean
def _oddness(jacobian, variances, error, shift, covariance) -> float:
    """Squared deviations of a box's three edges."""
    total = 0.0
    for k in range(3):
        off, others = _error(jacobian, error, shift, covariance, k)
        total += off**2 / (others + variances[k])
    return total


@compiled_lean
def _others_see(precision, told, view, i, shift, covariance) -> None:
    """Write where the prediction and all views but one see a person, relative to the prediction, and how surely.

    Args:
        shift: (3,) and covariance: (3, 3), overwritten.
    """
    for a in range(3):
        for b in range(3):
            covariance[a, b] = precision[a, b]
            for v in range(len(told.boxes)):
                if v != view and told.boxes[v, i] >= 0:
                    covariance[a, b] += told.information[v, i, a, b]
    invert_3x3(
        covariance[0, 0], covariance[0, 1], covariance[0, 2], covariance[1, 1], covariance[1, 2], covariance[2, 2],
        covariance,
    )  # fmt: skip
    for a in range(3):
        shift[a] = 0.0
        for v in range(len(told.boxes)):
            if v != view and told.boxes[v, i] >= 0:
                for b in range(3):
                    shift[a] += covariance[a, b] * told.pull[v, i, b]
