"""Planar homographies: checking, fitting, and what they tell about the camera."""

from __future__ import annotations

import numpy as np

from calibration.arrays import beside


def check_homography(H: np.ndarray) -> np.ndarray:
    """Return `H` as float64 if it is a usable homography.

    Raises:
        ValueError: not 3x3, not finite, or singular.
    """
    H = np.asarray(H, float)
    if H.shape != (3, 3):
        raise ValueError(f"must be 3x3, got {'x'.join(map(str, H.shape))}")
    if not np.isfinite(H).all():
        raise ValueError("holds values that are not finite")
    scaled = H / np.abs(H).max() if np.abs(H).max() > 0 else H
    if abs(np.linalg.det(scaled)) < 1e-14:
        raise ValueError("is singular: the points it maps lie on one line")
    return H


def apply_homography(H: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) points through `H`: (n, 2) results and the (n,) third homogeneous coordinate, where `points` lie."""
    H = beside(H, points)
    homogeneous = points @ H[:, :2].T + H[:, 2]
    w = homogeneous[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return homogeneous[:, :2] / w[:, None], w


def fit_homography(points_px: np.ndarray, positions_m: np.ndarray) -> np.ndarray:
    """Fit the homography image to map to four or more point pairs.

    Normalised direct linear transform (Hartley and Zisserman, Multiple View Geometry, algorithm 4.2).

    Args:
        points_px: (n, 2) pixels.
        positions_m: (n, 2) metres.

    Returns:
        (3, 3) float64, scaled so that the last entry is 1 where that is possible.

    Raises:
        ValueError: fewer than four pairs, or the points are collinear.
    """
    a, b = np.asarray(points_px, float), np.asarray(positions_m, float)
    if a.shape != b.shape or a.ndim != 2 or a.shape[1] != 2 or len(a) < 4:
        raise ValueError(f"need four or more point pairs, got {a.shape} and {b.shape}")
    Ta, Tb = _normaliser(a), _normaliser(b)
    a, b = apply_homography(Ta, a)[0], apply_homography(Tb, b)[0]
    ones, zeros = np.ones(len(a)), np.zeros(len(a))
    x, y, u, v = a[:, 0], a[:, 1], b[:, 0], b[:, 1]
    rows_u = np.column_stack([x, y, ones, zeros, zeros, zeros, -u * x, -u * y, -u])
    rows_v = np.column_stack([zeros, zeros, zeros, x, y, ones, -v * x, -v * y, -v])
    _, s, vt = np.linalg.svd(np.concatenate([rows_u, rows_v]))
    if s[7] < 1e-9 * s[0]:
        raise ValueError("the points do not fix a homography: three or more lie on one line")
    H = np.linalg.inv(Tb) @ vt[-1].reshape(3, 3) @ Ta
    if abs(H[2, 2]) > 1e-12 * np.abs(H).max():
        H = H / H[2, 2]
    return check_homography(H)


def reprojection_error_m(H: np.ndarray, points_px: np.ndarray, positions_m: np.ndarray) -> np.ndarray:
    """(n,) distance in metres between mapped pixels and the positions they should have."""
    mapped, _ = apply_homography(np.asarray(H, float), np.asarray(points_px, float))
    return np.linalg.norm(mapped - np.asarray(positions_m, float), axis=1)


def projection_from_homography(H: np.ndarray, image_size: tuple[int, int]) -> np.ndarray | None:
    """Recover the (3, 4) projection from the ground homography, if the view allows it.

    Assumes square pixels and the principal point in the image centre; the focal length follows from the
    orthogonality and equal length of the two ground axes (Zhang, A Flexible New Technique for Camera
    Calibration, 2000, eq. 3 and 4). Returns None where both constraints are degenerate (camera looking
    straight down, or parallel to the ground) or contradict each other.
    """
    width, height = image_size
    to_centre = np.array([[1.0, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    G = to_centre @ np.linalg.inv(np.asarray(H, float))
    # both axes must be orthogonal and equally long: each gives a linear equation in 1/f^2
    a, b = G[:, 0], G[:, 1]
    coefficients = np.array([a[0] * b[0] + a[1] * b[1], a[0] ** 2 + a[1] ** 2 - b[0] ** 2 - b[1] ** 2])
    constants = -np.array([a[2] * b[2], a[2] ** 2 - b[2] ** 2])
    norm = float(coefficients @ coefficients)
    if norm == 0:
        return None
    inverse_f2 = float(coefficients @ constants) / norm
    diagonal = float(np.hypot(width, height))
    if not np.isfinite(inverse_f2) or inverse_f2 <= 0:
        return None
    f = inverse_f2**-0.5
    if not 0.3 * diagonal < f < 10 * diagonal:
        return None
    K = np.array([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1]])
    A = np.linalg.inv(K) @ np.linalg.inv(np.asarray(H, float))
    scale = 2.0 / (np.linalg.norm(A[:, 0]) + np.linalg.norm(A[:, 1]))
    # the ground under the image's lower centre lies in front of the camera (positive depth)
    ground = np.asarray(H, float) @ np.array([width / 2, height - 1.0, 1.0])
    if (A @ (ground / ground[2]))[2] < 0:
        scale = -scale
    A = A * scale
    up = np.cross(A[:, 0], A[:, 1])
    # Z up: the camera is above the ground, so its centre -R^T t must have positive Z
    R = np.column_stack([A[:, 0], A[:, 1], up])
    u, _, vt = np.linalg.svd(R)
    R = u @ vt
    if (-R.T @ A[:, 2])[2] < 0:
        # a left-handed map (y down on the floor plan): the vertical is the other normal
        R = np.column_stack([R[:, 0], R[:, 1], -R[:, 2]])
    lift = R[:, 2]
    return K @ np.column_stack([A[:, 0], A[:, 1], lift, A[:, 2]])


def _normaliser(points: np.ndarray) -> np.ndarray:
    centre = points.mean(0)
    spread = np.sqrt(((points - centre) ** 2).sum(1).mean()) or 1.0
    s = np.sqrt(2) / spread
    return np.array([[s, 0, -s * centre[0]], [0, s, -s * centre[1]], [0, 0, 1]])
