"""How much better a box is explained by a person than by chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.mapping.symmetric import invert_3x3
from workers.tracking.settings import TrackerSettings

# a score whose log odds are beyond this leaves no doubt (nats): detectors are overconfident
SURE_ODDS = 1.5
# a box whose feet are hidden ends at most this far below the feet, and this far above (shares of the height)
CUT_BELOW, CUT_ABOVE = 0.05, 0.9
MOST_DOUBT = 3.0
# log odds of a score that says nothing about a newcomer (a score of 0.6)
NEWCOMER_ODDS = 0.4
LOG_2PI = float(np.log(2 * np.pi))
LOG_2, LOG_3 = float(np.log(2.0)), float(np.log(3.0))


class BoxModel(NamedTuple):
    """How boxes err; see `TrackerSettings`.

    Attributes:
        slipped_scale: by how many times more a slipped box is off.
        log_usual, log_slipped: logarithms of how often boxes are usual or slipped, the wider density included.
        log_clutter: of the density of boxes that are nobody's.
    """

    slipped_scale: float
    log_usual: float
    log_slipped: float
    log_clutter: float

    @classmethod
    def of(cls, settings: TrackerSettings) -> BoxModel:
        scale = settings.slipped_scale
        usual, slipped = np.log(1 - settings.slipped), np.log(settings.slipped) - 3 * np.log(scale)
        return cls(scale, float(usual), float(slipped), float(np.log(settings.clutter)))


class Ratio(NamedTuple):
    """A person against a box.

    Attributes:
        value: log-likelihood ratio (nats) of a match against two separate explanations.
        trust: 0..1, how much of the usual precision the box has for this person: less where it slipped.
        feet_cut: its lower edge is not the feet.
    """

    value: float
    trust: float
    feet_cut: bool


@compiled_lean
def _spread(jacobian: np.ndarray, covariance: np.ndarray, i: int, j: int) -> float:
    """Entry of J P J'."""
    total = 0.0
    for k in range(3):
        for m in range(3):
            total += jacobian[i, k] * covariance[k, m] * jacobian[j, m]
    return total


@compiled_lean
def expectation(jacobian: np.ndarray, variances: np.ndarray, shift: np.ndarray, covariance: np.ndarray):
    """What a camera expects to see of a person.

    Args:
        jacobian: (3, 3) of the edges by x, y, height; variances: (3,) of the edges.
        shift, covariance: (3,), (3, 3) where the person is, relative to what `jacobian` was made for.

    Returns:
        The shift of the three edges; the inverse covariance of the edges (00, 01, 02, 11, 12, 22) and the logarithm of
        the determinant; the same of middle and head alone (00, 02, 22).
    """
    a = _spread(jacobian, covariance, 0, 0) + variances[0]
    b, c = _spread(jacobian, covariance, 0, 1), _spread(jacobian, covariance, 0, 2)
    d = _spread(jacobian, covariance, 1, 1) + variances[1]
    e = _spread(jacobian, covariance, 1, 2)
    f = _spread(jacobian, covariance, 2, 2) + variances[2]
    A, B, C = d * f - e * e, c * e - b * f, b * e - c * d
    D, E, F = a * f - c * c, b * c - a * e, a * d - b * b
    determinant = a * A + b * B + c * C
    return (
        jacobian[0, 0] * shift[0] + jacobian[0, 1] * shift[1] + jacobian[0, 2] * shift[2],
        jacobian[1, 0] * shift[0] + jacobian[1, 1] * shift[1] + jacobian[1, 2] * shift[2],
        jacobian[2, 0] * shift[0] + jacobian[2, 1] * shift[1] + jacobian[2, 2] * shift[2],
        A / determinant, B / determinant, C / determinant, D / determinant, E / determinant, F / determinant,
        np.log(determinant), f / D, -c / D, a / D, np.log(D),
    )  # fmt: skip


@compiled_lean
def ratio(
    expected,
    error0: float,
    error1: float,
    error2: float,
    cut: float,
    found: float,
    gated: bool,
    model: BoxModel,
) -> Ratio:
    """Compare a person with a box.

    A box is usual, or slipped by more, or its lower edge is not the feet because something hides them; the ratio is
    the mixture of the three against the density of clutter, plus the odds that the person is found at all.

    Args:
        expected: of `expectation`.
        error0, error1, error2: the box's edges less the figure's, as shares of the figure's height.
        cut: how probably the box ends above the feet.
        found: log odds that the person is found, and the detector's doubt.
        gated: ratios that cannot be above 0 may be given as minus infinity.
    """
    x, y, z = error0 - expected[0], error1 - expected[1], error2 - expected[2]
    distance2 = (
        expected[3] * x * x + expected[6] * y * y + expected[8] * z * z
        + 2 * (expected[4] * x * y + expected[5] * x * z + expected[7] * y * z)
    )  # fmt: skip
    norm = -0.5 * expected[9] - 1.5 * LOG_2PI
    scale = model.slipped_scale
    usual = norm - 0.5 * distance2 + model.log_usual
    slipped = norm - 0.5 * distance2 / scale**2 + model.log_slipped
    headless = -np.inf
    if -CUT_ABOVE < y < CUT_BELOW:
        without = expected[10] * x * x + 2 * expected[11] * x * z + expected[12] * z * z
        headless = -0.5 * without - 0.5 * expected[13] - LOG_2PI
    rest = found - model.log_clutter
    if gated and max(usual, slipped, headless) + LOG_3 + rest <= 0:
        return Ratio(-np.inf, 1.0, False)
    log_whole = np.log(1 - cut)
    usual += log_whole
    slipped += log_whole
    headless += np.log(cut)
    most = max(usual, slipped, headless)
    total = most + np.log(np.exp(usual - most) + np.exp(slipped - most) + np.exp(headless - most))
    feet_cut = headless > total - LOG_2
    # of the two that speak of the feet: how sure the usual one is
    odds = np.exp(min(max(slipped - usual, -50.0), 50.0))
    trust = 1.0 if feet_cut else (1 + odds / scale**2) / (1 + odds)
    return Ratio(total + rest, trust, feet_cut)


@compiled_lean
def tell(
    jacobian: np.ndarray, variances: np.ndarray, error: np.ndarray, trust: float, feet_cut: bool, dependence: float,
    information: np.ndarray, pull: np.ndarray,
) -> None:  # fmt: skip
    """Write what a matched box tells of its person's x, y and height.

    Args:
        error: (3,) the box's edges less the figure's, as shares of the figure's height.
        dependence: how much wider the errors are to be taken because the frame before erred the same way.
        information: (3, 3) and pull: (3,), overwritten: information, and information times the difference to what the
            figure was made for.
    """
    information[:], pull[:] = 0.0, 0.0
    for edge in range(3):
        if edge == 1 and feet_cut:
            continue
        weight = trust / (variances[edge] * dependence)
        for i in range(3):
            scaled = weight * jacobian[edge, i]
            pull[i] += scaled * error[edge]
            for j in range(3):
                information[i, j] += scaled * jacobian[edge, j]


@compiled_lean
def place(information: np.ndarray, pull: np.ndarray, covariance: np.ndarray, shift: np.ndarray) -> None:
    """Write (3, 3) covariance and (3,) shift of a person of whom (3, 3) information and (3,) pull are known."""
    a, b, c = information[0, 0], information[0, 1], information[0, 2]
    d, e, f = information[1, 1], information[1, 2], information[2, 2]
    invert_3x3(a, b, c, d, e, f, covariance)
    for i in range(3):
        shift[i] = covariance[i, 0] * pull[0] + covariance[i, 1] * pull[1] + covariance[i, 2] * pull[2]


def doubt(scores: np.ndarray, settings: TrackerSettings) -> np.ndarray:
    """(m,) nats by which a detector's own doubt makes its boxes less likely to be somebody; 0 or below."""
    return _doubts(scores, settings.score_weight)


@compiled
def _doubts(scores: np.ndarray, weight: float) -> np.ndarray:
    doubts = np.empty(len(scores))
    for i in range(len(scores)):
        score = min(max(scores[i], 0.01), 0.99)
        odds = np.log(score / (1 - score))
        doubts[i] = max(weight * min(odds - SURE_ODDS, 0.0), -MOST_DOUBT)
    return doubts


@compiled_lean
def sureness(score: float, known: bool) -> float:
    """-1..1 how much a score speaks for somebody's existence.

    A score of one half says nothing and less speaks against, of people who are known: half hidden, they look
    doubtful. Who is not known yet has to look a little better than that.
    """
    bounded = min(max(score, 0.01), 0.99)
    neutral = 0.0 if known else NEWCOMER_ODDS
    sure = (np.log(bounded / (1 - bounded)) - neutral) / (SURE_ODDS - neutral)
    return min(max(sure, -1.0), 1.0)
