"""How tall persons appear at each row of a camera without calibration, learned from sample frames."""

from __future__ import annotations

import numpy as np

from workers.detection.motion_blobs import find_blobs, looks_like_one_person
from workers.detection.motion_foreground import Foreground

# Blobs below this height, pixels, say little of size.
_MIN_HEIGHT_PX = 16.0
# Fewer agreeing persons than this make no scale.
_MIN_AGREEING = 8
# Persons differ in height by about a tenth, and blobs miss feet or gain shadows.
_AGREEMENT = 0.15
# Blobs compared in pairs: keeps the fit within milliseconds.
_MAX_BLOBS = 150


def learn_scale(samples: np.ndarray, image: np.ndarray, noise: np.ndarray) -> tuple[float, float] | None:
    """Fit height over row of the feet to the lonely upright blobs of some frames.

    On flat ground and with little tilt the height of equally tall persons is linear in the row of their feet
    (the horizon is where it reaches zero).

    Args:
        samples: (n, h, w, 3) uint8 BGR.
        image, noise: the background they show.

    Returns:
        (slope, intercept) with height_px = slope * foot_y + intercept, or None where too few blobs agree.
    """
    foreground = Foreground(image, noise)
    size = image.shape[1], image.shape[0]
    found = [np.empty((0, 5))]
    for sample in samples:
        blobs = find_blobs(foreground.likelihood(sample), _MIN_HEIGHT_PX)
        found.append(blobs[looks_like_one_person(blobs, size)])
    blobs = np.concatenate(found)
    return fit_scale(blobs[:, 3], blobs[:, 3] - blobs[:, 1])


def fit_scale(foot_y: np.ndarray, height_px: np.ndarray) -> tuple[float, float] | None:
    """The line most blobs agree with: every pair proposes one, the winners are fitted by least squares.

    Args:
        foot_y, height_px: (n,) pixels.

    Returns:
        (slope, intercept) or None, see `learn_scale`.
    """
    order = np.lexsort((height_px, foot_y))
    order = order[np.unique(np.linspace(0, len(order) - 1, min(len(order), _MAX_BLOBS)).astype(int))]
    y, h = np.asarray(foot_y, float)[order], np.asarray(height_px, float)[order]
    if len(y) < _MIN_AGREEING:
        return None
    first, second = np.triu_indices(len(y), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (h[second] - h[first]) / (y[second] - y[first])
    # nearer persons are lower in the image and taller; a flat line holds where all are equally far
    slope = np.where(np.isfinite(slope) & (slope > 0) & (np.abs(y[second] - y[first]) > 20), slope, 0.0)
    intercept = h[first] - slope * y[first]
    expected = slope[:, None] * y + intercept[:, None]
    agree = np.abs(h - expected) < _AGREEMENT * np.maximum(expected, 1.0)
    best = agree[np.argmax(agree.sum(1))]
    if best.sum() < max(_MIN_AGREEING, 0.4 * len(y)):
        return None
    if np.ptp(y[best]) <= 20:
        return 0.0, float(np.median(h[best]))
    a, b = np.polyfit(y[best], h[best], 1)
    return (float(a), float(b)) if a > 0 else (0.0, float(np.median(h[best])))
