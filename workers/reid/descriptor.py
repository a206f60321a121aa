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

from workers.reid.crops import unit_rows, whole_pixel_boxes
from workers.reid.pixels import (
    BINS,
    COLOUR_BINS,
    LIGHTNESS_BINS,
    TABLE_LEVELS,
    mean_colour,
    measure_parts,
    shrink,
    write_features,
)

CROP_SIZE = (16, 64)  # width, height; more pixels cost time and tell no more
PARTS = 8  # horizontal parts, each overlapping half of its neighbours
# Boxes hold background left and right of the person: weight of a pixel over its distance from the middle,
# standard deviation as a share of the width
CENTRE_WEIGHT = 0.18

# Of the two colour axes (Lab a and b): clothes are seldom more saturated than +-20; what is, counts in the outermost
# bins. Softness: standard deviation of a bin's reach, in bins.
COLOUR_RANGE, BIN_SOFTNESS = 20.0, 0.5

# Of the image's average: a full correction of colour would take a lawn's green for a cast, none would leave
# the camera's in. 150 is bright, since dark clothes are frequent and differ little.
CAST_CORRECTION, MEAN_LEVEL, GAIN_LIMITS = 0.7, 150.0, (0.25, 5.0)

POWER = 0.6  # of counts, so that a large dark coat does not outweigh everything else
ORIENTATIONS, TEXTURE_WEIGHT, FLAT_GRADIENT = 8, 0.4, 20.0  # grey levels of gradient taken for noise


class DescriptorEmbedder:
    """Embeds persons by colours and texture. Same pixels, same vector, on every machine."""

    name = "descriptor"
    dimension = PARTS * (BINS + ORIENTATIONS)

    def __init__(self) -> None:
        self._soft_bins = _soft_bin_table()
        self._across, self._down = _pixel_weights()
        angles = 2 * np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS
        self._directions = np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)

    def embed(self, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        """(n, dimension) float32 unit rows for (n, 4) xyxy boxes of a uint8 BGR image."""
        if not len(boxes_px):
            return np.empty((0, self.dimension), np.float32)
        rows = np.ascontiguousarray(image).reshape(len(image), -1)
        crops = _cut_out(image, rows, boxes_px)
        colours = np.zeros((len(crops), PARTS, BINS), np.float32)
        gradients = np.zeros((len(crops), PARTS, ORIENTATIONS), np.float32)
        tables = self._soft_bins, self._across, self._down, self._directions
        measure_parts(crops, _gains(rows), *tables, colours, gradients)
        # NumPy raises many numbers to a power at once, a loop one after the other
        colours **= POWER
        features = np.empty((len(crops), self.dimension), np.float32)
        write_features(colours, gradients, FLAT_GRADIENT, TEXTURE_WEIGHT, features)
        return unit_rows(features)


def _cut_out(image: np.ndarray, rows: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
    """(n, width, 3, height) uint8 BGR crops, as `crop_persons` makes them; `rows` are the image's, see `pixels`."""
    corners = whole_pixel_boxes(boxes_px, image.shape[1], image.shape[0])
    width, height = CROP_SIZE
    crops = np.empty((len(corners), width, 3, height), np.uint8)
    shrink(rows, corners, crops.reshape(-1, width, 3 * height))
    for crop, (x1, y1, x2, y2) in zip(crops, corners.tolist(), strict=True):
        if x2 - x1 <= width or y2 - y1 <= height:
            crop[:] = cv2.resize(image[y1:y2, x1:x2], CROP_SIZE).transpose(1, 2, 0)
    return crops


def _gains(rows: np.ndarray) -> np.ndarray:
    """(3,) factors that take out the colour cast and exposure that an image's average shows."""
    mean = [max(channel, 1.0) for channel in mean_colour(rows)]
    level = sum(mean) / len(mean)
    gains = [(level / channel) ** CAST_CORRECTION * MEAN_LEVEL / level for channel in mean]
    low, high = GAIN_LIMITS
    return np.array([min(max(gain, low), high) for gain in gains])


def _pixel_weights() -> tuple[np.ndarray, np.ndarray]:
    """(width,) float32 weights of a crop's columns and (height, parts) of its rows in each part, adding up to 1."""
    width, height = CROP_SIZE
    x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    across = np.exp(-((x / width - 0.5) ** 2) / (2 * CENTRE_WEIGHT**2))
    down = np.clip(1 - np.abs(y / height * PARTS - (np.arange(PARTS) + 0.5)), 0, None)
    return (across / across.sum()).astype(np.float32), (down / down.sum(0)).astype(np.float32)


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
