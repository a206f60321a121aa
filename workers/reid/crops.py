"""Cutting persons out of images, all to one size."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.models import FittingBatches


class CropEmbedder:
    """An embedder that looks at crops of one size; subclasses set the attributes and define `_run`."""

    _size: tuple[int, int]
    batches: FittingBatches
    dimension: int

    def embed(self, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        """(n, dimension) float32 unit rows for (n, 4) xyxy boxes of a uint8 BGR image."""
        return self.embed_all([image], [boxes_px])[0]

    def embed_all(self, images: Sequence[np.ndarray], boxes_px: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The same for several images: all their persons in as few batches as fit."""
        # stretched to the network's size rather than cut to it: heads and feet tell persons apart
        crops = [
            crop_persons(image, boxes, self._size) for image, boxes in zip(images, boxes_px, strict=True)
        ]
        features: list[np.ndarray] = self.batches.run([crop for each in crops for crop in each], self._run)
        rows = unit_rows(np.array(features, np.float32).reshape(-1, self.dimension))
        ends = np.cumsum([len(each) for each in crops])
        return np.split(rows, ends[:-1])

    def _run(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """(n, dimension) features of n (h, w, 3) uint8 BGR crops."""
        raise NotImplementedError


def crop_persons(image: np.ndarray, boxes_px: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(n, height, width, 3) uint8 BGR crops of `size` (width, height).

    Boxes are cut at the image's edges. Those outside of it, without area or not finite give the nearest
    pixels, so that every box has a crop.

    Args:
        image: uint8 BGR (height, width, 3).
        boxes_px: (n, 4) xyxy pixels.
    """
    corners = whole_pixel_boxes(boxes_px, image.shape[1], image.shape[0])
    crops = np.empty((len(corners), size[1], size[0], 3), np.uint8)
    for crop, (x1, y1, x2, y2) in zip(crops, corners.tolist(), strict=True):
        shrinks = x2 - x1 > size[0] and y2 - y1 > size[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        cv2.resize(image[y1:y2, x1:x2], size, dst=crop, interpolation=how)
    return crops


def whole_pixel_boxes(boxes_px: np.ndarray, width: int, height: int) -> np.ndarray:
    """(n, 4) int64 xyxy boxes within an image, each at least one pixel wide and high."""
    return _whole_pixels(np.asarray(boxes_px, float).reshape(-1, 4), width, height)


@compiled
def _whole_pixels(boxes, width, height):
    result = np.empty(boxes.shape, np.int64)
    for n in range(len(boxes)):
        for axis, size in enumerate((width, height)):
            low, high = _within(boxes[n, axis], size), _within(boxes[n, 2 + axis], size)
            first = min(max(np.floor(low), 0.0), size - 1.0)
            result[n, axis], result[n, 2 + axis] = first, max(np.ceil(high), first + 1)
    return result


@compiled_lean
def _within(value, size):
    """From one pixel before the image to its end; whatever is not a number is before it."""
    return min(value, size) if value > -1 else -1.0


def unit_rows(features: np.ndarray) -> np.ndarray:
    """(n, d) float32 rows of unit length; rows that cannot be scaled become one fixed unit vector."""
    features = np.asarray(features, np.float32)
    # as `np.linalg.norm`, without what it asks first
    lengths = np.sqrt(np.add.reduce(features * features, axis=1, keepdims=True))
    usable = np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 1e-12)
    if usable.all():
        return features / lengths
    result = np.zeros_like(features)
    result[:, 0] = 1.0
    result[usable] = features[usable] / lengths[usable]
    return result
