"""Fitting images to the input of a YOLO network: scaled, the rest grey, one plane per colour."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from workers.compiled import compiled_lean

PAD_GREY = 114  # what YOLO networks see beside the picture when they are trained


class Letterbox:
    """Input of a network, kept between calls: memory that is new costs more than the pixels written to it.

    Args:
        size: (width, height) of the input.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._planes = np.empty((0, 3, size[1], size[0]), np.float32)
        # (width, height) of the picture in each of them; what is beside it is grey
        self._fitted: list[tuple[int, int]] = []

    def fit(self, images: Sequence[np.ndarray]) -> tuple[np.ndarray, list[float]]:
        """Each image scaled to fit, at the top left, and its scale. The next call overwrites the result.

        Args:
            images: uint8 BGR (height, width, 3); sizes may differ.

        Returns:
            (n, 3, height, width) float32 blue, green, red, 0..255.
        """
        if len(self._planes) < len(images):
            self._planes = np.empty((len(images), *self._planes.shape[1:]), np.float32)
            self._fitted = [(0, 0)] * len(images)
        return self._planes[: len(images)], [self._fit_one(i, image) for i, image in enumerate(images)]

    def _fit_one(self, i: int, image: np.ndarray) -> float:
        planes = self._planes[i]
        (height, width), (rows, columns) = image.shape[:2], planes.shape[1:]
        scale = min(columns / width, rows / height)
        fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
        if fitted != self._fitted[i]:
            planes[:] = PAD_GREY
            self._fitted[i] = fitted
        small = cv2.resize(image, fitted, interpolation=cv2.INTER_LINEAR)
        _part_colours(small.reshape(fitted[1], -1), planes)
        return scale


@compiled_lean
def _part_colours(rows, planes) -> None:
    """Write (h, 3 * w) uint8 rows of pixels into the top left of float32 (3, rows, columns) planes."""
    for y in range(len(rows)):
        row = rows[y]
        for c in range(3):
            plane = planes[c, y]
            for x in range(len(row) // 3):
                plane[x] = row[3 * x + c]
