"""The compiled loops give what the same formulas give in NumPy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from workers.reid import descriptor
from workers.reid.crops import crop_persons
from workers.reid.descriptor import CROP_SIZE, PARTS, DescriptorEmbedder
from workers.reid.pixels import TABLE_LEVELS

WIDTH, HEIGHT = 321, 241
# Those that are shrunk are odd in width and height: no average lies halfway between two levels, where OpenCV rounds by
# chance
BOXES = {
    "usual": [[20, 10, 81, 191], [150.4, 30.2, 200.7, 200.9], [240, 90, 259, 157]],
    "small": [[30, 30, 31, 31], [50, 50, 60, 90], [70, 20, 90, 60], [100, 20, 110, 200], [200, 40, 216, 104]],
    "edges": [[-30, -20, 41, 151], [292, 100, 400, 300], [0, 0, 101, HEIGHT], [500, 500, 600, 700]],
    "nobody": np.empty((0, 4)),
}


def noise(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def clothes(rng: np.random.Generator) -> np.ndarray:
    """Areas of one colour, a little noisy."""
    areas = cv2.resize(noise(rng)[:12, :16], (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    return np.clip(areas + rng.normal(0, 4, areas.shape), 0, 255).astype(np.uint8)


def flat(rng: np.random.Generator) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), rng.integers(0, 256, 3), np.uint8)


def black(rng: np.random.Generator) -> np.ndarray:
    return np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def described(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(n, dimension) unit rows, all pixels of all crops at once."""
    if not len(boxes):
        return np.empty((0, DescriptorEmbedder.dimension))
    crops = corrected(image, crop_persons(image, boxes, CROP_SIZE))
    weights = part_weights()
    parts = [colours(crops, weights), descriptor.TEXTURE_WEIGHT * texture(crops, weights)]
    rows = np.concatenate([part.reshape(len(crops), -1) for part in parts], axis=1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def corrected(image: np.ndarray, crops: np.ndarray) -> np.ndarray:
    step = max(1, len(image) // 48)
    mean = np.maximum(image[step // 2 :: step, ::4].mean((0, 1)), 1.0)
    gains = (mean.mean() / mean) ** descriptor.CAST_CORRECTION * descriptor.MEAN_LEVEL / mean.mean()
    return np.clip(crops * np.clip(gains, *descriptor.GAIN_LIMITS), 0, 255).astype(np.uint8)


def part_weights() -> np.ndarray:
    """(parts, height * width), each row adding up to 1."""
    width, height = CROP_SIZE
    y, x = np.mgrid[0:height, 0:width] + 0.5
    across = np.exp(-((x / width - 0.5) ** 2) / (2 * descriptor.CENTRE_WEIGHT**2))
    middles = np.arange(PARTS)[:, None, None] + 0.5
    weights = np.clip(1 - np.abs(y / height * PARTS - middles), 0, None) * across
    return (weights / weights.sum((1, 2), keepdims=True)).reshape(PARTS, -1)


def colours(crops: np.ndarray, weights: np.ndarray) -> np.ndarray:
    level = crops.astype(int) // (256 // TABLE_LEVELS)
    entry = level @ [TABLE_LEVELS**2, TABLE_LEVELS, 1]
    counts = weights @ DescriptorEmbedder()._soft_bins[entry.reshape(len(crops), weights.shape[1])]
    counts = counts**descriptor.POWER
    counts /= np.linalg.norm(counts, axis=2, keepdims=True)
    return counts - counts.mean(2, keepdims=True)


def texture(crops: np.ndarray, weights: np.ndarray) -> np.ndarray:
    padded = np.pad(crops @ [0.114, 0.587, 0.299], ((0, 0), (1, 1), (1, 1)), mode="edge")
    dx = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    dy = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    # (dx + i dy) squared has twice the angle
    gradient = (dx + 1j * dy) ** 2 / (np.hypot(dx, dy) + 1e-6)
    angles = 2 * np.pi * np.arange(descriptor.ORIENTATIONS) / descriptor.ORIENTATIONS
    along = np.maximum((gradient[..., None] * np.exp(-1j * angles)).real, 0)
    amount = weights @ along.reshape(len(crops), weights.shape[1], descriptor.ORIENTATIONS)
    share = np.sqrt(amount / (amount.sum(2, keepdims=True) + descriptor.FLAT_GRADIENT))
    return share - share.mean(2, keepdims=True)


@pytest.mark.parametrize("boxes", BOXES.values(), ids=BOXES)
@pytest.mark.parametrize("paint", [noise, clothes, flat, black])
@pytest.mark.parametrize("seed", range(3))
def test_as_in_numpy(paint, boxes, seed):
    image, boxes = paint(np.random.default_rng(seed)), np.array(boxes, float)
    rows = DescriptorEmbedder().embed(image, boxes)
    assert rows.shape == (len(boxes), DescriptorEmbedder.dimension)
    assert rows == pytest.approx(described(image, boxes), abs=1e-4)


def test_views_and_images_that_cannot_be_written_to():
    image = noise(np.random.default_rng(0))
    rows = DescriptorEmbedder().embed(image, np.array(BOXES["usual"]))
    wider = np.concatenate([image, image], axis=1)
    view = wider[:, :WIDTH]
    view.setflags(write=False)
    assert (DescriptorEmbedder().embed(view, np.array(BOXES["usual"])) == rows).all()
    image.setflags(write=False)
    assert (DescriptorEmbedder().embed(image, np.array(BOXES["usual"])) == rows).all()
