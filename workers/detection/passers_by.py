"""The empty scene in sample frames of a busy one: who passes by is recognised and left out, pixel by pixel.

A median alone shows the empty scene wherever it is seen most of the time, but it says nothing of how much the scene
itself flickers there: people who pass would count as flicker, and where many pass nobody would be found any more.
"""

from __future__ import annotations

import cv2
import numpy as np

from workers.detection.motion_foreground import FLOOR_LEVELS, NOISE_SIGMAS
from workers.detection.order_statistics import sort_samples

# The scene shows for this share of the samples at least; the tightest range of grey levels that holds as many is
# its own. A normal distribution keeps half of its values within so many standard deviations.
_USUAL_SHARE, _USUAL_SIGMAS = 0.5, 0.6745
# Who stands out at fewer neighbouring pixels than this, in both directions, is flicker.
_CORE_PX = 3
# Holes and gaps up to this size within somebody are filled ...
_GAP_PX = 9
# ... and the rim of this width around them, where compression smears their colours, is left out with them.
_RIM_PX = 3
# Where the scene shows in a smaller share of samples than this, those without passers-by are too few to learn from.
_LEAST_SHARE = 0.2
# What comes back at least so often and takes this share of the samples, always in the same colour (within so many times
# what the scene may differ by), is the scene's own: a lamp, a screen, a branch.
_RETURNS, _RETURNING_SHARE, _SAME = 4, 0.3, 3.0
# The spread is that of this central share of the samples; less would miss a swaying branch, more would let in what was
# not recognised as somebody passing. The quantile is that of the normal distribution.
_QUIET_SHARE, _QUIET_SIGMAS = 0.7, 1.036
# Stands behind all samples that count when they are sorted.
_LAST = 255
_ROWS_AT_ONCE = 32


def empty_scene(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the scene shows without people, and how much it flickers.

    Args:
        samples: (n, h, w, 3) uint8, of one exposure, in the order of time.

    Returns:
        (h, w, 3) uint8, and (h, w) uint8 robust standard deviation of the most restless channel, grey levels.
    """
    usual, spread = np.empty(samples.shape[1:], np.uint8), np.empty(samples.shape[1:3], np.float32)
    for rows in _strips(samples):
        usual[rows], spread[rows] = _tightest(sort_samples(samples[:, rows]))
    passing = _passing(samples, usual, spread)
    image, noise = usual, np.empty(spread.shape, np.uint8)
    for rows in _strips(samples):
        image[rows], noise[rows] = _without(samples[:, rows], passing[:, rows])
    return image, noise


def _tightest(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle (h, w, 3) uint8 and spread (h, w), standard deviations, of the tightest half of sorted samples.

    The middle of the shortest half stays with the scene also where the median wanders off, because those who pass have
    all kinds of colours (Rousseeuw and Leroy, A robust scale estimator based on the shortest half, 1988).
    """
    kept = min(len(ordered), max(2, int(np.ceil(_USUAL_SHARE * len(ordered)))))
    least, middle = ordered[kept - 1] - ordered[0], ordered[kept // 2].copy()
    for begin in range(1, len(ordered) - kept + 1):
        width = ordered[begin + kept - 1] - ordered[begin]
        np.copyto(middle, ordered[begin + kept // 2], where=width < least)
        np.minimum(least, width, out=least)
    return middle, least.max(axis=2) / np.float32(2 * _USUAL_SIGMAS)


def _passing(samples: np.ndarray, usual: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """(n, h, w) bool, where somebody covers the scene: coherent patches that differ from what is usual there."""
    tolerance = np.clip(NOISE_SIGMAS * spread + FLOOR_LEVELS, 0, 255).astype(np.uint8)
    core, gap = np.ones((_CORE_PX, _CORE_PX), np.uint8), np.ones((_GAP_PX, _GAP_PX), np.uint8)
    rim = np.ones((2 * _RIM_PX + 1, 2 * _RIM_PX + 1), np.uint8)
    passing = np.empty(samples.shape[:3], bool)
    darkest, brightest = np.full_like(usual, 255), np.zeros_like(usual)
    for sample, covered in zip(samples, passing, strict=True):
        blue, green, red = cv2.split(cv2.absdiff(sample, usual))
        differs = cv2.compare(cv2.max(cv2.max(blue, green), red), tolerance, cv2.CMP_GT)
        patches = cv2.morphologyEx(cv2.morphologyEx(differs, cv2.MORPH_OPEN, core), cv2.MORPH_CLOSE, gap)
        patches = cv2.dilate(patches, rim)
        covered[:] = patches
        patches = cv2.merge([patches] * 3)
        brightest = cv2.max(brightest, cv2.bitwise_and(sample, patches))
        darkest = cv2.min(darkest, cv2.bitwise_or(sample, cv2.bitwise_not(patches)))
    returns = np.count_nonzero(passing[1:] & ~passing[:-1], axis=0) + passing[0]
    often = (returns >= _RETURNS) & (np.count_nonzero(passing, axis=0) >= _RETURNING_SHARE * len(passing))
    same = cv2.subtract(brightest, darkest).max(axis=2) < _SAME * tolerance
    passing &= ~(often & same)
    return passing


def _without(samples: np.ndarray, passing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median (h, w, 3) and spread (h, w) of the samples in which nobody passes, both uint8."""
    count = len(samples) - np.count_nonzero(passing, axis=0)
    # too few are left where somebody stood for nearly all of the time, or nothing but people was seen
    few = count < _LEAST_SHARE * len(samples)
    count[few] = len(samples)
    # those that count come first
    ordered = sort_samples(np.where((passing & ~few)[..., None], np.uint8(_LAST), samples))
    beyond = (1 - _QUIET_SHARE) / 2
    low, high = (_at(ordered, (share * (count - 1)).astype(np.intp)) for share in (beyond, 1 - beyond))
    noise = (high - low).max(axis=2) / (2 * _QUIET_SIGMAS)
    return _at(ordered, count // 2), np.rint(noise).astype(np.uint8)


def _at(ordered: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(h, w, 3): of each pixel's (n, h, w, 3) sorted samples the one at `place` (h, w)."""
    return np.take_along_axis(ordered, place[None, ..., None], axis=0)[0]


def _strips(samples: np.ndarray) -> list[slice]:
    """Rows that are worked on together: few, because sorted samples take as much memory as the samples themselves."""
    height = samples.shape[1]
    return [slice(top, min(top + _ROWS_AT_ONCE, height)) for top in range(0, height, _ROWS_AT_ONCE)]
