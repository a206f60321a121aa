"""How much better a box is explained by a person than by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workers.mapping.kalman import inverse_3x3
from workers.tracking.cameras import Sight
from workers.tracking.settings import TrackerSettings

# a score whose log odds are beyond this leaves no doubt (nats): detectors are overconfident
SURE_ODDS = 1.5
# a box whose feet are hidden ends at most this far below the feet, and this far above (shares of the height)
CUT_BELOW, CUT_ABOVE = 0.05, 0.9
MOST_DOUBT = 3.0
# log odds of a score that says nothing about a newcomer (a score of 0.6)
NEWCOMER_ODDS = 0.4
LOG_2PI = np.log(2 * np.pi)


@dataclass(frozen=True)
class Ratios:
    """n persons against m boxes of one camera.

    Attributes:
        values: (n, m) log-likelihood ratios (nats) of a match against two separate explanations.
        trust: (n, m) 0..1, how much of the usual precision the box has for this person: less where it slipped.
        feet_cut: (n, m) bool: its lower edge is not the feet.
    """

    values: np.ndarray
    trust: np.ndarray
    feet_cut: np.ndarray


def box_ratios(
    sight: Sight,
    shift: np.ndarray,
    covariance: np.ndarray,
    edges_px: np.ndarray,
    scores: np.ndarray,
    settings: TrackerSettings,
) -> Ratios:
    """Compare persons with boxes.

    A box is usual, or slipped by more, or its lower edge is not the feet because something hides them; the ratio is
    the mixture of the three against the density of clutter, plus the odds that the person is found at all.

    Args:
        sight: what the camera should see of n persons.
        shift, covariance: (n, 3), (n, 3, 3) where they are, relative to what `sight` was made for.
        edges_px: (m, 3); scores: (m,).
    """
    expected = sight.edges_px + np.einsum("nij,nj->ni", sight.jacobian, shift) * sight.scale_px[:, None]
    error = (edges_px[None] - expected[:, None]) / sight.scale_px[:, None, None]
    S = sight.jacobian @ covariance @ sight.jacobian.transpose(0, 2, 1)
    S[:, [0, 1, 2], [0, 1, 2]] += sight.variances
    inverse, determinant = inverse_3x3(S)
    distance2 = np.einsum("nmi,nij,nmj->nm", error, inverse, error)
    norm = (-0.5 * np.log(determinant) - 1.5 * LOG_2PI)[:, None]
    cut = sight.feet_cut[:, None]
    scale = settings.slipped_scale
    usual = np.log((1 - cut) * (1 - settings.slipped)) - 0.5 * distance2 + norm
    slipped = np.log((1 - cut) * settings.slipped) - 0.5 * distance2 / scale**2 - 3 * np.log(scale) + norm
    headless = np.log(cut) + _without_feet(S, error)
    total = np.logaddexp(np.logaddexp(usual, slipped), headless)
    # of the two that speak of the feet: how sure the usual one is
    odds = np.exp(np.clip(slipped - usual, -50, 50))
    trust = (1 + odds / scale**2) / (1 + odds)
    feet_cut = headless > total - np.log(2)
    found = np.log(sight.rate / (1 - sight.rate))[:, None]
    values = total - np.log(settings.clutter) + found + doubt(scores, settings)[None]
    return Ratios(values, np.where(feet_cut, 1.0, trust), feet_cut)


def doubt(scores: np.ndarray, settings: TrackerSettings) -> np.ndarray:
    """(m,) nats by which a detector's own doubt makes its boxes less likely to be somebody; 0 or below."""
    return np.maximum(settings.score_weight * np.minimum(_log_odds(scores) - SURE_ODDS, 0.0), -MOST_DOUBT)


def sureness(scores: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(m,) -1..1 how much a score speaks for somebody's existence.

    A score of one half says nothing and less speaks against, of people who are known: half hidden, they look
    doubtful. Who is not known yet has to look a little better than that.

    Args:
        known: (m,) bool.
    """
    neutral = np.where(known, 0.0, NEWCOMER_ODDS)
    return np.clip((_log_odds(scores) - neutral) / (SURE_ODDS - neutral), -1.0, 1.0)


def told(
    sight: Sight, edges_px: np.ndarray, trust: np.ndarray, feet_cut: np.ndarray, dependence: float
) -> tuple[np.ndarray, np.ndarray]:
    """What k matched boxes tell of their persons' x, y and height.

    Args:
        sight: what the camera should see of these k; edges_px: (k, 3) of their boxes.
        dependence: how much wider the errors are to be taken because the frame before erred the same way.

    Returns:
        (k, 3, 3) information and (k, 3) information times the difference to what `sight` was made for.
    """
    weight = trust[:, None] / (sight.variances * dependence)
    weight[feet_cut, 1] = 0.0
    error = (edges_px - sight.edges_px) / sight.scale_px[:, None]
    weighted = sight.jacobian.transpose(0, 2, 1) * weight[:, None, :]
    return weighted @ sight.jacobian, np.einsum("kij,kj->ki", weighted, error)


def _without_feet(S: np.ndarray, error: np.ndarray) -> np.ndarray:
    """(n, m) log density of middle and head alone, for boxes that end where a person with hidden feet's may."""
    a, b, d = S[:, 0, 0, None], S[:, 0, 2, None], S[:, 2, 2, None]
    determinant = a * d - b * b
    x, y = error[..., 0], error[..., 2]
    distance2 = (d * x * x - 2 * b * x * y + a * y * y) / determinant
    possible = (error[..., 1] < CUT_BELOW) & (error[..., 1] > -CUT_ABOVE)
    return np.where(possible, -0.5 * distance2 - 0.5 * np.log(determinant) - LOG_2PI, -np.inf)


def _log_odds(scores: np.ndarray) -> np.ndarray:
    bounded = np.clip(scores, 0.01, 0.99)
    return np.log(bounded / (1 - bounded))
