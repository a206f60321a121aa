"""The plane a camera's persons are tracked on: the ground where it is calibrated, else its own image."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from calibration import CameraModel
from workers.mapping.kalman import inverse_2x2

# Uncertainty of a box's foot point as a share of the box height, across and along the image's columns. Real
# detectors' boxes are off by some per cent of their height sideways; feet are hidden or cut more easily.
FOOT_SIGMA_X = 0.06
FOOT_SIGMA_Y = 0.07
# never better than this, whatever the box: pixels of rounding and motion blur
FOOT_SIGMA_MIN_PX = 1.5
# calibration and body sway: no position is better than this
POSITION_SIGMA_MIN_M = 0.08
# adults: mean and spread of height with shoes and gait
PERSON_HEIGHT_M = 1.72
HEIGHT_SIGMA_M = 0.11
# squared Mahalanobis distance up to which feet and head tell the same story: 99 % of good boxes
AGREEMENT = 9.2
# no place is this far from the map's origin (m): a foot that close to the horizon tells nothing
FARTHEST_M = 1e4


class Plane(Protocol):
    """Positions of persons' feet, in metres (or what stands for them), with covariance."""

    def locate(self, boxes_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, 4) xyxy to (n, 2) positions and (n, 2, 2) covariances; NaN where a box has no place."""
        ...

    def boxes_at(self, positions_m: np.ndarray) -> np.ndarray:
        """(n, 2) positions to the (n, 4) boxes that a person there would have; NaN where not in view."""
        ...


class GroundPlane:
    """The map, seen by a calibrated camera.

    Where the full camera matrix is known, a box says twice where its person stands: by the feet, and by the head
    of a person of usual height. Both together are better than one; where they contradict each other, the feet are
    hidden (the box is too short) or the box holds more than one person (it is too tall).
    """

    def __init__(self, camera: CameraModel) -> None:
        self.camera = camera
        self._head_to_map = _plane_inverses(camera)

    def locate(self, boxes_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        foot, sigma = foot_points(boxes_px)
        by_foot, foot_noise = self.camera.to_map_with_covariance(foot, sigma)
        by_foot[np.abs(by_foot).max(1) > FARTHEST_M] = np.nan
        foot_noise += np.eye(2) * POSITION_SIGMA_MIN_M**2
        if self._head_to_map is None or len(foot) == 0:
            return by_foot, foot_noise
        by_head, head_noise = self._by_head(boxes_px, sigma)
        usable = (
            np.isfinite(by_head).all(1) & np.isfinite(by_foot).all(1) & np.isfinite(head_noise).all((1, 2))
        )
        positions, noises = by_foot.copy(), foot_noise.copy()
        if usable.any():
            positions[usable], noises[usable] = _combine(
                by_foot[usable],
                foot_noise[usable],
                by_head[usable],
                head_noise[usable],
                self._distance(by_foot[usable]) > self._distance(by_head[usable]),
            )
        return positions, noises

    def boxes_at(self, positions_m: np.ndarray) -> np.ndarray:
        return self.camera.person_boxes(positions_m)

    def _by_head(self, boxes_px: np.ndarray, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions at which a person of usual height has its head at the box's upper edge."""
        boxes = np.asarray(boxes_px, float).reshape(-1, 4)
        head = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 1]])
        middle, taller, shorter = (_map_points(H, head) for H in self._head_to_map)
        # one pixel to the side and up, for the derivative at head height
        right = _map_points(self._head_to_map[0], head + [1.0, 0.0]) - middle
        below = _map_points(self._head_to_map[0], head + [0.0, 1.0]) - middle
        lean = (taller - shorter) / 2
        parts = ((right, sigma[:, :1]), (below, sigma[:, 1:]), (lean, 1.0))
        noise = sum(np.einsum("ni,nj->nij", d * s, d * s) for d, s in parts)
        # far outside or behind: nothing to learn from
        middle[np.abs(middle).max(1) > FARTHEST_M] = np.nan
        return middle, noise + np.eye(2) * POSITION_SIGMA_MIN_M**2

    def _distance(self, positions_m: np.ndarray) -> np.ndarray:
        return np.linalg.norm(positions_m - self.camera.centre_m()[:2], axis=1)


def _combine(
    by_foot: np.ndarray,
    foot_noise: np.ndarray,
    by_head: np.ndarray,
    head_noise: np.ndarray,
    too_short: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """One position from two: their weighted mean where they agree, the trustworthy one where they do not."""
    joint = inverse_2x2(foot_noise + head_noise)
    gap = by_head - by_foot
    agree = np.einsum("ni,nij,nj->n", gap, joint, gap) <= AGREEMENT
    gain = foot_noise @ joint
    positions = by_foot + np.einsum("nij,nj->ni", gain, gap)
    # Joseph form: stays symmetric and positive definite however long the feet's uncertainty is
    rest = np.eye(2) - gain
    noises = rest @ foot_noise @ rest.swapaxes(1, 2) + gain @ head_noise @ gain.swapaxes(1, 2)
    # hidden feet: the head still shows where the person is
    hidden = ~agree & too_short
    positions[hidden], noises[hidden] = by_head[hidden], head_noise[hidden]
    # too tall a box: somewhere between the two
    spread = np.einsum("ni,nj->nij", gap, gap) / 4
    merged = ~agree & ~too_short
    positions[merged] = (by_foot[merged] + by_head[merged]) / 2
    noises[merged] = foot_noise[merged] + spread[merged]
    return positions, noises


def _plane_inverses(camera: CameraModel) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Homographies image to map for heads at usual height, one deviation more, and one less."""
    P = camera.projection
    if P is None:
        return None
    planes = []
    for height in (PERSON_HEIGHT_M, PERSON_HEIGHT_M + HEIGHT_SIGMA_M, PERSON_HEIGHT_M - HEIGHT_SIGMA_M):
        H = np.column_stack([P[:, 0], P[:, 1], P[:, 2] * height + P[:, 3]])
        if abs(np.linalg.det(H / np.abs(H).max())) < 1e-14:
            return None  # the camera hangs at head height: heads say nothing about the distance
        planes.append(np.linalg.inv(H))
    return tuple(planes)


def _map_points(H: np.ndarray, points: np.ndarray) -> np.ndarray:
    homogeneous = points @ H[:, :2].T + H[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return homogeneous[:, :2] / homogeneous[:, 2:]


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
