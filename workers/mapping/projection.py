"""Upright persons of one plane, as each of its cameras sees them; and back from a box to the person.

A person is x, y (metres on the plane) and a height (metres). A box says three things about it: the column of its
middle, the row of its lower edge (the feet) and the row of its upper edge (the head). All functions work on rows:
row k is one person in one camera, so that all cameras are done at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration import CameraModel
from workers.mapping.figures import cut_all, draw_all, locate_all


@dataclass(frozen=True)
class Figures:
    """k persons in their images.

    Attributes:
        edges_px: (k, 3) column of the middle, rows of the lower and the upper edge, cut at the image's borders.
        jacobian: (k, 3, 3) derivative of `edges_px` by x, y, height (pixels per metre); 0 for an edge that is cut.
        scale_px: (k,) height of the whole figure.
        boxes_px: (k, 4) xyxy, cut at the borders.
        share: (k,) 0..1 of the figure that is inside the image, 0 for who is not in view.
        depth: (k,) grows with the distance from the camera.
    """

    edges_px: np.ndarray
    jacobian: np.ndarray
    scale_px: np.ndarray
    boxes_px: np.ndarray
    share: np.ndarray
    depth: np.ndarray


@dataclass(frozen=True)
class Noise:
    """Errors of a detector's boxes.

    Attributes:
        middle, feet, head: standard deviations as shares of the figure's height.
        least_px: rounding and motion blur, on top.
    """

    middle: float
    feet: float
    head: float
    least_px: float


class PersonProjection:
    """C cameras of one plane.

    Attributes:
        matrices: (C, 3, 4) metres to pixels, third row positive in front.
        sizes: (C, 2) width, height of the images.
        height_m, height_sigma_m: what is known of a person's height before it is measured.
    """

    def __init__(
        self,
        matrices: np.ndarray,
        depth_rows: np.ndarray,
        sizes: np.ndarray,
        height_m: float,
        height_sigma_m: float,
    ) -> None:
        self.matrices, self.depth_rows = np.ascontiguousarray(matrices), np.ascontiguousarray(depth_rows)
        self.sizes = np.ascontiguousarray(sizes)
        self.height_m, self.height_sigma_m = height_m, height_sigma_m
        ground = matrices[:, :, [0, 1, 3]]
        heads = ground.copy()
        heads[:, :, 2] += matrices[:, :, 2] * height_m
        self._to_ground, self._to_heads = _inverses(ground), _inverses(heads)

    @classmethod
    def of_map(
        cls, cameras: Sequence[CameraModel], height_m: float, height_sigma_m: float
    ) -> PersonProjection:
        """Calibrated cameras. One known by its homography alone gets upright figures of the local scale."""
        matrices = np.array([_full_matrix(camera) for camera in cameras]).reshape(-1, 3, 4)
        sizes = np.array([camera.image_size for camera in cameras], float).reshape(-1, 2)
        return cls(matrices, matrices[:, 2], sizes, height_m, height_sigma_m)

    @classmethod
    def of_image(cls, size: tuple[int, int], height_m: float) -> PersonProjection:
        """A camera without calibration: its image is the plane, scaled so that a person a quarter as high is
        `height_m`. Who stands lower in the image is in front."""
        scale = size[1] / 4 / height_m
        matrix = np.array([[scale, 0, 0, 0], [0, scale, -scale, 0], [0, 0, 0, 1.0]])
        depth_row = np.array([0.0, -1.0, 0.0, 1e4])
        # how far away somebody is and how high they look is not known: any height may be
        return cls(matrix[None], depth_row[None], np.array([size], float), height_m, 2 * height_m)

    def __len__(self) -> int:
        return len(self.matrices)

    def figures(self, cameras: np.ndarray, persons: np.ndarray, shift: np.ndarray | float = 0.0) -> Figures:
        """What (k, 3) persons look like in (k,) cameras.

        Args:
            shift: (k, 3) systematic error of the camera's boxes, as shares of the figure's height.
        """
        k = len(cameras)
        figures = Figures(
            np.empty((k, 3)), np.empty((k, 3, 3)), np.empty(k), np.empty((k, 4)), np.empty(k), np.empty(k)
        )
        draw_all(
            self.matrices, self.depth_rows, self.sizes, cameras, np.ascontiguousarray(persons, float),
            _rows(shift, k), *vars(figures).values(),
        )  # fmt: skip
        return figures

    def edges(self, cameras: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        """(k, 3) edges of (k, 4) xyxy boxes, cut at the borders as figures are."""
        edges = np.empty((len(cameras), 3))
        cut_all(self.sizes, cameras, np.ascontiguousarray(boxes_px, float), edges)
        return edges

    def persons(
        self, cameras: np.ndarray, boxes_px: np.ndarray, noise: Noise, shift: np.ndarray | float = 0.0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The persons that (k, 4) boxes of (k,) cameras most probably show.

        A few Gauss-Newton steps from where the feet are (the head, where the feet are cut), with what is known of
        people's heights.

        Returns:
            (k, 3) x, y, height; (k, 3, 3) covariance, positive definite; (k,) bool: the box can be a person.
        """
        k = len(cameras)
        persons, covariances, sound = np.empty((k, 3)), np.empty((k, 3, 3)), np.empty(k, bool)
        locate_all(
            self.matrices, self.sizes, self._to_ground, self._to_heads, cameras,
            np.ascontiguousarray(boxes_px, float).reshape(-1, 4),
            np.array([noise.middle, noise.feet, noise.head, noise.least_px]), _rows(shift, k), self.height_m,
            self.height_sigma_m, persons, covariances, sound, np.empty(3), np.empty(3), np.empty((3, 3)), np.empty(4),
        )  # fmt: skip
        return persons, covariances, sound


def _rows(values: np.ndarray | float, count: int) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values, float), (count, 3)))


def _full_matrix(camera: CameraModel) -> np.ndarray:
    """(3, 4) with positive third coordinate in front of the camera and rows scaled to metric depth."""
    if camera.projection is not None:
        P = camera.projection / np.linalg.norm(camera.projection[2, :3])
        return P * camera.depth_sign()
    H = camera.map_to_image * camera.depth_sign()
    width, height = camera.image_size
    foot = np.array([[width / 2, height - 1.0]])
    ground = camera.image_to_map @ np.array([width / 2, height - 1.0, 1.0])
    depth = (H @ (ground / ground[2]))[2]
    across = 1.0 / np.linalg.norm(camera.jacobian_to_map(foot)[0, :, 0])
    return np.column_stack([H[:, 0], H[:, 1], [0.0, -across * depth, 0.0], H[:, 2]]) / depth


def _inverses(matrices: np.ndarray) -> np.ndarray:
    """Inverses; NaN for a plane that is seen edge-on (a camera at the height of heads)."""
    scaled = matrices / np.abs(matrices).max((1, 2), keepdims=True)
    usable = np.abs(np.linalg.det(scaled)) > 1e-14
    return np.where(
        usable[:, None, None], np.linalg.inv(np.where(usable[:, None, None], matrices, np.eye(3))), np.nan
    )
