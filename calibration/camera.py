"""The camera model: a full projection matrix, or only the homography of the ground plane.

Frames of reference: image points are pixels, origin top left, x right, y down. Map points are metres on the
ground plane (X, Y), heights are metres above it (Z up, ground Z = 0).

What maps points follows its input: arrays of NumPy, CuPy or PyTorch give arrays of the same library and device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.arrays import beside, float_rows
from calibration.homography import apply_homography, check_homography, projection_from_homography


class InvalidCalibrationError(ValueError):
    """The calibration cannot be used; the message says which part and why."""


@dataclass(frozen=True)
class CameraModel:
    """Where a camera's pixels lie on the map.

    Attributes:
        map_to_image: (3, 3) float64, homogeneous ground metres to homogeneous pixels.
        image_to_map: (3, 3) float64, its inverse.
        projection: (3, 4) float64 metres to pixels, or None when the camera's tilt and focal length could not
            be recovered (then heights cannot be projected).
        image_size: (width, height) in pixels.
    """

    map_to_image: np.ndarray
    image_to_map: np.ndarray
    projection: np.ndarray | None
    image_size: tuple[int, int]

    # -- making one ------------------------------------------------------------------------------------------

    @classmethod
    def from_projection(cls, projection: Any, image_size: tuple[int, int]) -> CameraModel:
        """A camera from its (3, 4) matrix, metres to pixels.

        Raises:
            InvalidCalibrationError: not 3x4, not finite, or the ground plane is seen edge-on.
        """
        P = np.asarray(projection, float)
        if P.shape != (3, 4):
            raise InvalidCalibrationError(f"P must be 3x4, got {'x'.join(map(str, P.shape))}")
        map_to_image = _checked(P[:, [0, 1, 3]], "ground plane of P")
        return cls(map_to_image, np.linalg.inv(map_to_image), P, _checked_size(image_size))

    @classmethod
    def from_homography(cls, image_to_map: Any, image_size: tuple[int, int]) -> CameraModel:
        """A camera from the (3, 3) homography image to map, pixels to metres.

        The full matrix is recovered where square pixels and a central principal point allow it, so that
        people's heights can be used too.

        Raises:
            InvalidCalibrationError: not 3x3, not finite or not invertible.
        """
        size = _checked_size(image_size)
        H = _checked(np.asarray(image_to_map, float), "homography_image_to_map")
        P = projection_from_homography(H, size)
        return cls(np.linalg.inv(H), H, P, size)

    @classmethod
    def from_mapping(
        cls, config: Mapping[str, Any], image_size: tuple[int, int] | None = None
    ) -> CameraModel:
        """A camera from JSON: `P`, or `K`, `R`, `t`, or `homography_image_to_map`, with `width`, `height`.

        Raises:
            InvalidCalibrationError: names the missing or wrong key.
        """
        if image_size is None:
            if "image_size" in config:
                image_size = config["image_size"]
            elif "width" in config and "height" in config:
                image_size = (config["width"], config["height"])
            else:
                raise InvalidCalibrationError("camera config needs `width` and `height` (pixels)")
        try:
            if "P" in config:
                return cls.from_projection(config["P"], image_size)
            if {"K", "R", "t"} <= set(config):
                K, R, t = (np.asarray(config[k], float) for k in ("K", "R", "t"))
                return cls.from_projection(K @ np.column_stack([R, t.reshape(3)]), image_size)
            if "homography_image_to_map" in config:
                return cls.from_homography(config["homography_image_to_map"], image_size)
        except InvalidCalibrationError:
            raise
        except (TypeError, ValueError) as error:
            raise InvalidCalibrationError(f"camera config is malformed: {error}") from error
        raise InvalidCalibrationError(
            "camera config needs `P` (3x4), or `K`, `R` and `t`, or `homography_image_to_map` (3x3)"
        )

    def to_mapping(self) -> dict[str, Any]:
        """JSON-serialisable form that `from_mapping` reads back."""
        width, height = self.image_size
        if self.projection is not None:
            return {"P": self.projection.tolist(), "width": width, "height": height}
        return {"homography_image_to_map": self.image_to_map.tolist(), "width": width, "height": height}

    def scaled_to(self, image_size: tuple[int, int]) -> CameraModel:
        """The same camera for frames of another size (a resized video)."""
        if tuple(image_size) == self.image_size:
            return self
        S = np.diag([image_size[0] / self.image_size[0], image_size[1] / self.image_size[1], 1.0])
        map_to_image = S @ self.map_to_image
        P = None if self.projection is None else S @ self.projection
        return CameraModel(map_to_image, np.linalg.inv(map_to_image), P, _checked_size(image_size))

    # -- using it --------------------------------------------------------------------------------------------

    def to_map(self, points_px: np.ndarray) -> np.ndarray:
        """(n, 2) ground points in pixels to (n, 2) metres; points on or above the horizon give NaN."""
        _, points_px = float_rows(points_px, 2)
        positions, w = apply_homography(self.image_to_map, points_px)
        positions[w * self._front_sign() <= 1e-9 * float(np.abs(self.image_to_map).max())] = np.nan
        return positions

    def to_image(self, positions_m: np.ndarray, height_m: float | np.ndarray = 0.0) -> np.ndarray:
        """(n, 2) map metres (at `height_m` above ground) to (n, 2) pixels; points behind the camera give NaN.

        Raises:
            InvalidCalibrationError: a height other than 0 with a camera known by homography alone.
        """
        xp, positions_m = float_rows(positions_m, 2)
        if self.projection is None:
            if xp.any(beside(height_m, positions_m) != 0):
                raise InvalidCalibrationError("heights need a full camera matrix")
            pixels, w = apply_homography(self.map_to_image, positions_m)
            # positive w is in front by the sign that the image's own lower centre has
            pixels[w * self.depth_sign() <= 0] = np.nan
            return pixels
        P = beside(self.projection, positions_m)
        z = xp.broadcast_to(beside(height_m, positions_m), (len(positions_m),))
        homogeneous = positions_m @ P[:, :2].T + z[:, None] * P[:, 2] + P[:, 3]
        w = homogeneous[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = homogeneous[:, :2] / w[:, None]
        pixels[w * self.depth_sign() <= 0] = np.nan
        return pixels

    def jacobian_to_map(self, points_px: np.ndarray) -> np.ndarray:
        """(n, 2, 2) derivative of `to_map`, metres per pixel, at (n, 2) pixels."""
        _, points_px = float_rows(points_px, 2)
        H = beside(self.image_to_map, points_px)
        homogeneous = points_px @ H[:, :2].T + H[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            w = homogeneous[:, 2:3, None]
            position = homogeneous[:, :2, None] / w
            return (H[None, :2, :2] - position * H[None, 2:3, :2]) / w

    def to_map_with_covariance(
        self, points_px: np.ndarray, sigma_px: np.ndarray | float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ground points with first-order covariance.

        Args:
            points_px: (n, 2) pixels.
            sigma_px: standard deviation in pixels: a number, (n,), or (n, 2) for x and y apart.

        Returns:
            (n, 2) metres and (n, 2, 2) square metres.
        """
        xp, points_px = float_rows(points_px, 2)
        sigma = beside(sigma_px, points_px)
        if sigma.ndim < 2:
            sigma = xp.broadcast_to(xp.reshape(sigma, (-1, 1)), (len(points_px), 2))
        J = self.jacobian_to_map(points_px)
        covariance = xp.einsum("nij,nj,nkj->nik", J, sigma**2, J)
        return self.to_map(points_px), covariance

    def person_boxes(
        self, positions_m: np.ndarray, height_m: float | np.ndarray = 1.7, width_m: float = 0.55
    ) -> np.ndarray:
        """(n, 4) xyxy pixels of upright persons standing at (n, 2) map metres; NaN where not in front.

        Without a full matrix, height is taken from the local scale across the line of sight, which is right
        for cameras mounted at low tilt.
        """
        positions_m = np.asarray(positions_m, float).reshape(-1, 2)
        foot = self.to_image(positions_m)
        scale = self._pixels_per_metre_across(foot)
        if self.projection is not None:
            head = self.to_image(positions_m, height_m)
        else:
            head = foot - np.column_stack([np.zeros(len(foot)), scale * np.asarray(height_m)])
        half = scale * width_m / 2
        top, bottom = np.minimum(foot[:, 1], head[:, 1]), np.maximum(foot[:, 1], head[:, 1])
        left = np.minimum(foot[:, 0], head[:, 0]) - half
        right = np.maximum(foot[:, 0], head[:, 0]) + half
        return np.column_stack([left, top, right, bottom])

    def centre_m(self) -> np.ndarray | None:
        """(3,) position of the camera in metres, or None without a full matrix."""
        if self.projection is None:
            return None
        _, _, v = np.linalg.svd(self.projection)
        centre = v[-1]
        return centre[:3] / centre[3]

    def footprint_m(self, reach_m: float = 40.0, samples: int = 24) -> np.ndarray:
        """(k, 2) polygon of the ground seen, in metres, cut `reach_m` from the lowest visible point."""
        width, height = self.image_size
        near = self.to_map(np.array([[width / 2, height - 1.0]]))[0]
        ys = np.linspace(height - 1.0, 0.0, samples)
        sides = []
        for x in (0.0, width - 1.0):
            points = self.to_map(np.column_stack([np.full(samples, x), ys]))
            reachable = np.isfinite(points).all(1) & (np.linalg.norm(points - near, axis=1) <= reach_m)
            end = samples if reachable.all() else int(np.argmin(reachable))
            sides.append(points[:end])
        return np.concatenate([sides[0], sides[1][::-1]])

    def depth_sign(self) -> float:
        """Sign of the third homogeneous coordinate for ground points in front of the camera: 1.0 or -1.0."""
        width, height = self.image_size
        ground = self.image_to_map @ np.array([width / 2, height - 1.0, 1.0])
        return float(np.sign((self.map_to_image @ (ground / ground[2]))[2])) or 1.0

    # -- helpers ---------------------------------------------------------------------------------------------

    def _pixels_per_metre_across(self, foot_px: np.ndarray) -> np.ndarray:
        """(n,) pixels that one metre parallel to the image's rows takes at (n, 2) ground pixels."""
        J = self.jacobian_to_map(foot_px)
        with np.errstate(divide="ignore", invalid="ignore"):
            return 1.0 / np.linalg.norm(J[:, :, 0], axis=1)

    def _front_sign(self) -> float:
        """Sign of w in image-to-map for pixels below the horizon."""
        width, height = self.image_size
        return float(np.sign((self.image_to_map @ np.array([width / 2, height - 1.0, 1.0]))[2])) or 1.0


def _checked(H: np.ndarray, name: str) -> np.ndarray:
    try:
        return check_homography(H)
    except ValueError as error:
        raise InvalidCalibrationError(f"{name}: {error}") from error


def _checked_size(size: Any) -> tuple[int, int]:
    try:
        width, height = (int(v) for v in size)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidCalibrationError(f"image size must be (width, height), got {size!r}") from error
    if width <= 0 or height <= 0:
        raise InvalidCalibrationError(f"image size must be positive, got {width}x{height}")
    return width, height
