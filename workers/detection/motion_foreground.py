"""How likely each pixel shows something that is not the background: gain compensation, noise, shadows."""

from __future__ import annotations

import cv2
import numpy as np

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


class Foreground:
    """Compares images of one size with one background. Stateless between images."""

    def __init__(self, image: np.ndarray, noise: np.ndarray) -> None:
        """Take the background's `image` (h, w, 3) and `noise` (h, w), both uint8 as in `BackgroundModel`."""
        self._image = image
        self._noise = noise
        self._tolerance = np.clip(NOISE_SIGMAS * noise + FLOOR_LEVELS, 0, 255).astype(np.uint8)

    def likelihood(self, image: np.ndarray) -> np.ndarray:
        """(h, w) uint8, 0 background to 255 foreground, for a uint8 BGR (h, w, 3) image of the same size."""
        gains = channel_gains(image, self._image)
        expected = self._image
        if np.abs(gains - 1).max() > 0.01:
            expected = scaled(expected, gains)
        blue, green, red = cv2.split(cv2.absdiff(image, expected))
        distance = cv2.subtract(cv2.max(cv2.max(blue, green), red), self._tolerance)
        likelihood = cv2.convertScaleAbs(distance, alpha=255.0 / CERTAIN_LEVELS)
        self._weaken_shadows(likelihood, image, expected)
        return cv2.medianBlur(likelihood, 3)

    def _weaken_shadows(self, likelihood: np.ndarray, image: np.ndarray, expected: np.ndarray) -> None:
        """Scale down, in place, pixels that look like the background under less (or slightly more) light.

        The darkening is the least-squares factor between both colours, the rest is the colour's change
        (Horprasert, Harwood, Davis, A Statistical Approach for Real-time Robust Background Subtraction and
        Shadow Detection, 1999).
        """
        at = np.flatnonzero(likelihood > 0)
        seen = image.reshape(-1, 3)[at].astype(np.float32)
        lit = expected.reshape(-1, 3)[at].astype(np.float32)
        factor = np.einsum("ij,ij->i", seen, lit) / (np.einsum("ij,ij->i", lit, lit) + 1.0)
        residual = _over_channels(np.maximum, np.abs(seen - factor[:, None] * lit))
        shadow = (factor > SHADOW_DARKEST) & (factor < SHADOW_BRIGHTEST)
        shadow &= residual < SHADOW_COLOUR_LEVELS + self._noise.reshape(-1)[at]
        at = at[shadow]
        flat = likelihood.reshape(-1)
        flat[at] = (flat[at] * SHADOW_SHARE).astype(np.uint8)


def scaled(image: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """A copy of a uint8 (h, w, 3) image, each channel times its gain, cut off at 255."""
    # four numbers, because OpenCV takes three for a 3x1 matrix
    return cv2.multiply(image, np.array([*gains, 1.0], float))


def channel_gains(image: np.ndarray, background: np.ndarray) -> np.ndarray:
    """(3,) float factors that turn the background's exposure into the image's.

    The median of ratios on a coarse grid, so that people covering less than half of the view do not count.
    Both are uint8 (h, w, 3) of one size.
    """
    step = max(1, round((image.shape[0] * image.shape[1] / 3000) ** 0.5))
    seen = image[step // 2 :: step, step // 2 :: step].reshape(-1, 3).astype(np.float32)
    expected = background[step // 2 :: step, step // 2 :: step].reshape(-1, 3).astype(np.float32)
    # very dark and clipped pixels do not scale with the light
    usable = _over_channels(np.minimum, expected) > 24
    usable &= (_over_channels(np.maximum, expected) < 235) & (_over_channels(np.maximum, seen) < 250)
    if usable.sum() < 50:
        return np.ones(3, np.float32)
    return np.median(seen[usable] / expected[usable], axis=0)


def _over_channels(pick: np.ufunc, pixels: np.ndarray) -> np.ndarray:
    """(n,) maximum or minimum of (n, 3): NumPy's own reduction over so few is several times slower."""
    return pick(pick(pixels[:, 0], pixels[:, 1]), pixels[:, 2])
