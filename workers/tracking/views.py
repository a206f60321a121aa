"""What one camera saw at one instant, ready for association."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workers.mapping.plane import Plane

# a crop this high (pixels) tells as much about appearance as it ever will
FULL_HEIGHT_PX = 100.0


@dataclass(frozen=True)
class View:
    """n detections of one camera at one instant.

    Attributes:
        boxes_px: (n, 4) xyxy; scores: (n,).
        positions_m: (n, 2) on the camera's plane; noises_m2: (n, 2, 2).
        embeddings: (n, d) float64 unit rows (d may be 0).
        quality: (n,) 0..1, how much a crop tells about appearance.
        image_size: (width, height).
    """

    camera: str
    plane: Plane
    boxes_px: np.ndarray
    scores: np.ndarray
    positions_m: np.ndarray
    noises_m2: np.ndarray
    embeddings: np.ndarray
    quality: np.ndarray
    image_size: tuple[int, int]

    @classmethod
    def of(
        cls,
        camera: str,
        plane: Plane,
        image_size: tuple[int, int],
        boxes_px: np.ndarray,
        scores: np.ndarray,
        embeddings: np.ndarray,
    ) -> View:
        """Locate the boxes on the plane; boxes without a place there (above the horizon) get no gate."""
        boxes = np.asarray(boxes_px, float)
        positions, noises = plane.locate(boxes)
        placed = np.isfinite(positions).all(1) & np.isfinite(noises).all((1, 2))
        positions[~placed] = 1e9
        noises[~placed] = np.eye(2)
        return cls(
            camera,
            plane,
            boxes,
            np.asarray(scores, float),
            positions,
            noises,
            np.asarray(embeddings, float),
            crop_quality(boxes, np.asarray(scores, float)),
            image_size,
        )

    @property
    def placed(self) -> np.ndarray:
        """(n,) bool: detections that have a position."""
        return self.positions_m[:, 0] < 1e8

    def __len__(self) -> int:
        return len(self.boxes_px)


def crop_quality(boxes_px: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n,) 0..1: large, confident, uncovered crops count most."""
    if len(boxes_px) == 0:
        return np.empty(0)
    height = boxes_px[:, 3] - boxes_px[:, 1]
    size = np.clip(height / FULL_HEIGHT_PX, 0.1, 1.0)
    return size * np.clip(scores, 0.05, 1.0) * (1.0 - np.minimum(covered(boxes_px), 0.95))


def covered(boxes_px: np.ndarray) -> np.ndarray:
    """(n,) largest share of each box that one other box in front of it covers.

    In front is whose feet are lower in the image: on one ground plane that person is nearer.
    """
    if len(boxes_px) == 0:
        return np.empty(0)
    left_top = np.maximum(boxes_px[:, None, :2], boxes_px[None, :, :2])
    right_bottom = np.minimum(boxes_px[:, None, 2:], boxes_px[None, :, 2:])
    overlap = np.prod(np.clip(right_bottom - left_top, 0, None), axis=2)
    area = np.maximum(np.prod(boxes_px[:, 2:] - boxes_px[:, :2], axis=1), 1e-9)
    in_front = boxes_px[None, :, 3] > boxes_px[:, None, 3]
    return np.where(in_front, overlap / area[:, None], 0.0).max(1)
