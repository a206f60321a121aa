"""How likely each pixel shows something that is not the background: gain compensation, noise, shadows."""

from __future__ import annotations

import cv2
import numpy as np

from workers.compiled import compiled, compiled_lean

# A pixel this many standard deviations of its own noise away may be foreground ...
NOISE_SIGMAS = 3.0
# ... plus this many grey levels, for what compression adds around moving edges ...
FLOOR_LEVELS = 8.0
# ... and is taken for certain this many grey levels further on.
CERTAIN_LEVELS = 16.0
# A cast shadow keeps at least this share of the light (less is a dark coat), and a glint adds this much.
SHADOW_DARKEST, SHADOW_BRIGHTEST = 0.45, 1.12
# Grey levels a shadow's colour may be off the darkened background, beside the pixel's noise.
SHADOW_COLOUR_LEVELS = 5.0
# What is left of a shadow-like pixel's likelihood: grey trousers on grey asphalt look just so, and then the
# rest of the person must speak for them. Less than `SearchSettings.neutral`, or shadows would become persons.
SHADOW_SHARE = 0.25
# Exposure is compared at about so many pixels, of which at least a few must be neither very dark nor clipped; ratios
# are counted in so fine steps, up to a multiple of them.
SAMPLES, LEAST_SAMPLES = 3000, 50
RATIO_STEPS, RATIO_BINS = 2000, 8000
DARK, BRIGHT, CLIPPED = 24, 235, 250
# Smaller differences of exposure are what is measured anyway.
SAME_EXPOSURE = 0.01
HALF, FULL = np.float32(0.5), np.float32(255)
LIKELIHOOD_PER_LEVEL = FULL / np.float32(CERTAIN_LEVELS)


class Foreground:
    """Compares images of one size with one background. Stateless between images."""

    def __init__(self, image: np.ndarray, noise: np.ndarray) -> None:
        """Take the background's `image` (h, w, 3) and `noise` (h, w), both uint8 as in `BackgroundModel`."""
        self._image = np.ascontiguousarray(image)
        self._noise = noise
        self._tolerance = np.clip(NOISE_SIGMAS * noise + FLOOR_LEVELS, 0, 255).astype(np.uint8)

    def likelihood(self, image: np.ndarray) -> np.ndarray:
        """(h, w) uint8, 0 background to 255 foreground, for a uint8 BGR (h, w, 3) image of the same size."""
        image = np.ascontiguousarray(image)
        gains = np.tile(channel_gains(image, self._image), image.shape[1])
        if np.abs(gains[:3] - 1).max() <= SAME_EXPOSURE:
            gains[:] = 1
        likelihood, differs = np.empty(self._noise.shape, np.uint8), np.empty(gains.shape, np.uint8)
        _compare(_rows(image), _rows(self._image), gains, self._tolerance, self._noise, differs, likelihood)
        return cv2.medianBlur(likelihood, 3)


@compiled_lean
def _compare(image, background, gains, tolerance, noise, differs, likelihood):
    """Write (h, w) uint8 likelihoods of foreground, less where a pixel looks like the background in a shadow.

    Args:
        image, background: (h, 3 * w) uint8 rows of pixels; gains: (3 * w,) float32, of the background.
        tolerance, noise: (h, w) uint8 grey levels.
        differs: (3 * w,) uint8, overwritten.
    """
    for y in range(len(likelihood)):
        seen, empty, row = image[y], background[y], likelihood[y]
        for i in range(len(differs)):
            differs[i] = np.uint8(np.int32(abs(np.float32(seen[i]) - _lit(empty[i], gains[i]))))
        for x in range(len(row)):
            most = _larger(_larger(differs[3 * x], differs[3 * x + 1]), differs[3 * x + 2])
            row[x] = _larger(most, tolerance[y, x]) - tolerance[y, x]
        for x in range(len(row)):
            if row[x] > 0:
                certain = min(np.float32(row[x]) * LIKELIHOOD_PER_LEVEL, FULL)
                if _looks_like_shadow(seen, empty, gains, 3 * x, noise[y, x]):
                    certain *= SHADOW_SHARE
                row[x] = np.uint8(certain)


@compiled_lean
def _larger(a, b):
    """Of two bytes: Numba's own maximum is of 64 bits, of which the processor does few at once."""
    return a if a > b else b


@compiled_lean
def _looks_like_shadow(seen, empty, gains, at, noise):
    """Whether the pixel at a place of both rows shows the background under less (or slightly more) light.

    The darkening is the least-squares factor between both colours, the rest is the colour's change (Horprasert,
    Harwood, Davis, A Statistical Approach for Real-time Robust Background Subtraction and Shadow Detection, 1999).
    """
    product, square = np.float32(0), np.float32(1)
    for c in range(3):
        lit = _lit(empty[at + c], gains[c])
        product += np.float32(seen[at + c]) * lit
        square += lit * lit
    factor, off = product / square, np.float32(0)
    for c in range(3):
        off = max(off, abs(np.float32(seen[at + c]) - factor * _lit(empty[at + c], gains[c])))
    return SHADOW_DARKEST < factor < SHADOW_BRIGHTEST and off < SHADOW_COLOUR_LEVELS + noise


@compiled_lean
def _lit(level, gain):
    """A grey level at another exposure."""
    return min(np.float32(level) * gain, FULL)


def _rows(image: np.ndarray) -> np.ndarray:
    """(h, 3 * w) of (h, w, 3)."""
    return image.reshape(len(image), -1)


def scaled(image: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """A copy of a uint8 (h, w, 3) image, each channel times its gain, cut off at 255."""
    # four numbers, because OpenCV takes three for a 3x1 matrix
    return cv2.multiply(image, np.array([*gains, 1.0], float))


def channel_gains(image: np.ndarray, background: np.ndarray) -> np.ndarray:
    """(3,) float factors that turn the background's exposure into the image's.

    The median of ratios on a coarse grid, so that people covering less than half of the view do not count.
    Both are uint8 (h, w, 3) of one size.
    """
    step = max(1, round((image.shape[0] * image.shape[1] / SAMPLES) ** 0.5))
    return _median_ratios(image, background, step)


@compiled
def _median_ratios(image, background, step):
    """(3,) float32 of every `step`th pixel of both; ones where too few can be compared."""
    counts, n = np.zeros((3, RATIO_BINS), np.int32), 0
    for y in range(step // 2, len(image), step):
        for x in range(step // 2, image.shape[1], step):
            usable = True
            for c in range(3):
                # very dark and clipped pixels do not scale with the light
                usable &= DARK < background[y, x, c] < BRIGHT and image[y, x, c] < CLIPPED
            if usable:
                n += 1
                for c in range(3):
                    ratio = np.float32(image[y, x, c]) / np.float32(background[y, x, c])
                    counts[c, min(int(ratio * RATIO_STEPS + HALF), RATIO_BINS - 1)] += 1
    gains = np.ones(3, np.float32)
    if n >= LEAST_SAMPLES:
        for c in range(3):
            below, at = 0, -1
            while 2 * below < n:
                at += 1
                below += counts[c, at]
            gains[c] = at / RATIO_STEPS
    return gains
