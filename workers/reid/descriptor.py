"""A descriptor of clothing that needs no weights: colours and texture of horizontal body parts.

Persons stand upright, so what is worn at one height is compared with what is worn at that height. Colours are
counted in Lab, softly, so that a little more light moves counts to neighbouring bins instead of changing all
of them. Before that, the image's own average takes out most of a camera's colour cast and exposure.

The numbers below were chosen on real footage (one camera) and rendered scenes (across cameras), by rank-1,
mAP and how far same and different persons lie apart.
"""

from __future__ import annotations

import cv2
import numpy as np

from workers.reid.crops import crop_persons, unit_rows

CROP_SIZE = (16, 64)  # width, height; more pixels cost time and tell no more
PARTS = 8  # horizontal parts, each overlapping half of its neighbours
# Boxes hold background left and right of the person: weight of a pixel over its distance from the middle,
# standard deviation as a share of the width
CENTRE_WEIGHT = 0.18

# Bins of lightness (Lab L, 0..100) and of the two colour axes. Clothes are seldom more saturated than +-20;
# what is, counts in the outermost bins. Softness: standard deviation of a bin's reach, in bins.
LIGHTNESS_BINS, COLOUR_BINS, COLOUR_RANGE, BIN_SOFTNESS = 4, 5, 20.0, 0.5
TABLE_LEVELS = 16  # levels per channel of the table that turns pixels into soft bins

# Of the image's average: a full correction of colour would take a lawn's green for a cast, none would leave
# the camera's in. 150 is bright, since dark clothes are frequent and differ little.
CAST_CORRECTION, MEAN_LEVEL, GAIN_LIMITS = 0.7, 150.0, (0.25, 5.0)

POWER = 0.6  # of counts, so that a large dark coat does not outweigh everything else
ORIENTATIONS, TEXTURE_WEIGHT, FLAT_GRADIENT = 8, 0.4, 20.0  # grey levels of gradient taken for noise


class DescriptorEmbedder:
    """Embeds persons by colours and texture. Same pixels, same vector, on every machine."""

    name = "descriptor"
    dimension = PARTS * (LIGHTNESS_BINS * COLOUR_BINS**2 + ORIENTATIONS)

    def __init__(self) -> None:
        self._soft_bins = _soft_bin_table()
        self._part_weights = _part_weights()
        angles = 2 * np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS
        self._directions = np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)

    def embed(self, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        """(n, dimension) float32 unit rows for (n, 4) xyxy boxes of a uint8 BGR image."""
        crops = crop_persons(image, boxes_px, CROP_SIZE)
        if not len(crops):
            return np.empty((0, self.dimension), np.float32)
        width, height = CROP_SIZE
        rows = cv2.LUT(crops.reshape(-1, width, 3), _correction_of(image)[None])
        crops = rows.reshape(-1, height, width, 3)
        features = [self._colours(crops), TEXTURE_WEIGHT * self._texture(crops)]
        return unit_rows(np.concatenate([each.reshape(len(crops), -1) for each in features], axis=1))

    def _colours(self, crops: np.ndarray) -> np.ndarray:
        """(n, parts, colour bins), each part's mean taken out so that unlike clothes are near 0."""
        level = crops // (256 // TABLE_LEVELS)
        entry = level.reshape(-1, 3) @ np.array([TABLE_LEVELS**2, TABLE_LEVELS, 1], np.int16)
        counts = self._part_weights @ self._soft_bins.take(entry.reshape(len(crops), -1), axis=0)
        counts **= POWER
        counts /= np.linalg.norm(counts, axis=2, keepdims=True)
        return counts - counts.mean(2, keepdims=True)

    def _texture(self, crops: np.ndarray) -> np.ndarray:
        """(n, parts, orientations): how much of each part's gradient runs in which direction."""
        grey = crops @ np.array([0.114, 0.587, 0.299], np.float32)
        padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
        dx = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
        dy = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
        strength = np.sqrt(dx * dx + dy * dy) + 1e-6
        # Twice the angle: an edge from dark to light is the same edge from light to dark
        doubled = np.stack([(dx * dx - dy * dy) / strength, 2 * dx * dy / strength], axis=-1)
        along = np.maximum(doubled.reshape(len(crops), -1, 2) @ self._directions, 0)
        amount = self._part_weights @ along
        share = np.sqrt(amount / (amount.sum(2, keepdims=True) + FLAT_GRADIENT))
        return share - share.mean(2, keepdims=True)


def _correction_of(image: np.ndarray) -> np.ndarray:
    """(256, 3) uint8 table that takes out the colour cast and exposure that an image's average shows."""
    height, width = image.shape[:2]
    # every fourth pixel of every fourth row
    sample = cv2.resize(image, (-(-width // 4), -(-height // 4)), interpolation=cv2.INTER_NEAREST)
    mean = np.maximum(cv2.mean(sample)[:3], 1.0)
    gains = (mean.mean() / mean) ** CAST_CORRECTION * MEAN_LEVEL / mean.mean()
    return np.clip(np.arange(256)[:, None] * np.clip(gains, *GAIN_LIMITS), 0, 255).astype(np.uint8)


def _part_weights() -> np.ndarray:
    """(parts, height * width) float32 weights of a crop's pixels in each part, each row adding up to 1."""
    width, height = CROP_SIZE
    y, x = np.mgrid[0:height, 0:width] + 0.5
    across = np.exp(-((x / width - 0.5) ** 2) / (2 * CENTRE_WEIGHT**2))
    middles = np.arange(PARTS)[:, None, None] + 0.5
    weights = np.clip(1 - np.abs(y / height * PARTS - middles), 0, None) * across
    return (weights / weights.sum((1, 2), keepdims=True)).reshape(PARTS, -1).astype(np.float32)


def _soft_bin_table() -> np.ndarray:
    """(levels ** 3, bins) float32: for every colour its share in each bin of L x a x b, adding up to 1."""
    level = (np.arange(TABLE_LEVELS) + 0.5) / TABLE_LEVELS
    bgr = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).astype(np.float32)
    lab = cv2.cvtColor(bgr.reshape(1, -1, 3), cv2.COLOR_BGR2LAB)[0]
    lightness = _soft_bins(lab[:, 0], 0, 100, LIGHTNESS_BINS)
    a, b = (_soft_bins(lab[:, i], -COLOUR_RANGE, COLOUR_RANGE, COLOUR_BINS) for i in (1, 2))
    joint = lightness[:, :, None, None] * a[:, None, :, None] * b[:, None, None, :]
    return joint.reshape(len(lab), -1).astype(np.float32)


def _soft_bins(values: np.ndarray, low: float, high: float, count: int) -> np.ndarray:
    """(n, count) shares of values in bins centred from `low` to `high`; values beyond go to the outermost."""
    centres = np.linspace(low, high, count)
    distance = (np.clip(values, low, high)[:, None] - centres) / (centres[1] - centres[0])
    shares = np.exp(-(distance**2) / (2 * BIN_SOFTNESS**2))
    return shares / shares.sum(1, keepdims=True)
