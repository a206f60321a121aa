"""The plane a camera's persons are tracked on: the ground where it is calibrated, else its own image."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from calibration import CameraModel

# Uncertainty of a box's foot point as a share of the box height, across and along the image's columns. Real
# detectors' boxes are off by some per cent of their height sideways; feet are hidden or cut more easily.
FOOT_SIGMA_X = 0.06
FOOT_SIGMA_Y = 0.07
# never better than this, whatever the box: pixels of rounding and motion blur
FOOT_SIGMA_MIN_PX = 1.5
# calibration and body sway: no position is better than this
POSITION_SIGMA_MIN_M = 0.08


class Plane(Protocol):
    """Positions of persons' feet, in metres (or what stands for them), with covariance."""

    def locate(self, boxes_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, 4) xyxy to (n, 2) positions and (n, 2, 2) covariances; NaN where a box has no place."""
        ...

    def boxes_at(self, positions_m: np.ndarray) -> np.ndarray:
        """(n, 2) positions to the (n, 4) boxes that a person there would have; NaN where not in view."""
        ...


class GroundPlane:
    """The map, seen by a calibrated camera."""

    def __init__(self, camera: CameraModel) -> None:
        self.camera = camera

    def locate(self, boxes_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        foot, sigma = foot_points(boxes_px)
        positions, covariances = self.camera.to_map_with_covariance(foot, sigma)
        return positions, covariances + np.eye(2) * POSITION_SIGMA_MIN_M**2

    def boxes_at(self, positions_m: np.ndarray) -> np.ndarray:
        return self.camera.person_boxes(positions_m)


class ImagePlane:
    """A camera without calibration: its image, scaled so that a person a quarter as high as it is 1.7 m."""

    def __init__(self, image_size: tuple[int, int]) -> None:
        self._metres_per_px = 1.7 / (image_size[1] / 4)

    def locate(self, boxes_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        foot, sigma = foot_points(boxes_px)
        scale = self._metres_per_px
        covariances = np.zeros((len(foot), 2, 2))
        covariances[:, 0, 0], covariances[:, 1, 1] = ((sigma * scale) ** 2).T
        return foot * scale, covariances

    def boxes_at(self, positions_m: np.ndarray) -> np.ndarray:
        return np.full((len(positions_m), 4), np.nan)


def foot_points(boxes_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) middle of the boxes' lower edges and their (n, 2) standard deviations, all pixels."""
    boxes = np.asarray(boxes_px, float).reshape(-1, 4)
    foot = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
    height = (boxes[:, 3] - boxes[:, 1])[:, None]
    return foot, np.maximum(height * np.array([FOOT_SIGMA_X, FOOT_SIGMA_Y]), FOOT_SIGMA_MIN_PX)
