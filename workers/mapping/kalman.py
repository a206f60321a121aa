"""Constant-velocity Kalman filter for many persons at once: arrays of n states, no object per person.

State: x, y (metres), vx, vy (metres per second). Measurement: x, y (metres) with its own covariance.
White-noise acceleration model and Joseph form, see Bar-Shalom, Li and Kirubarajan, Estimation with
Applications to Tracking and Navigation (2001), sections 6.2 and 5.2.
"""

from __future__ import annotations

import numpy as np


def transition(dt: float) -> np.ndarray:
    """(4, 4) state transition over `dt` seconds."""
    F = np.eye(4)
    F[0, 2] = F[1, 3] = dt
    return F


def process_noise(dt: float, acceleration: float) -> np.ndarray:
    """(4, 4) noise of random accelerations with standard deviation `acceleration` (m/s^2) over `dt` seconds."""
    a, b, c = dt**4 / 4, dt**3 / 2, dt**2
    Q = np.zeros((4, 4))
    Q[0, 0] = Q[1, 1] = a
    Q[0, 2] = Q[2, 0] = Q[1, 3] = Q[3, 1] = b
    Q[2, 2] = Q[3, 3] = c
    return Q * acceleration**2


def predict(means: np.ndarray, covariances: np.ndarray, dt: float, acceleration: float):
    """(n, 4) and (n, 4, 4) one step of `dt` seconds ahead."""
    F = transition(dt)
    return means @ F.T, F @ covariances @ F.T + process_noise(dt, acceleration)


def update(means: np.ndarray, covariances: np.ndarray, positions_m: np.ndarray, noises_m2: np.ndarray):
    """States after one measurement each.

    Args:
        means: (n, 4); covariances: (n, 4, 4).
        positions_m: (n, 2); noises_m2: (n, 2, 2), positive definite.

    Returns:
        (n, 4) means and (n, 4, 4) covariances, symmetric and positive definite.
    """
    S = covariances[:, :2, :2] + noises_m2
    gain = covariances[:, :, :2] @ inverse_2x2(S)
    means = means + np.einsum("nij,nj->ni", gain, positions_m - means[:, :2])
    A = np.broadcast_to(np.eye(4), covariances.shape).copy()
    A[:, :, :2] -= gain
    covariances = A @ covariances @ A.transpose(0, 2, 1) + gain @ noises_m2 @ gain.transpose(0, 2, 1)
    return means, (covariances + covariances.transpose(0, 2, 1)) / 2


def inverse_2x2(matrices: np.ndarray) -> np.ndarray:
    """Inverses of (..., 2, 2) matrices in closed form: far faster than a call to LAPACK for each."""
    a, b, c, d = (matrices[..., i, j] for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
    inverse = np.empty_like(matrices)
    inverse[..., 0, 0], inverse[..., 0, 1], inverse[..., 1, 0], inverse[..., 1, 1] = d, -b, -c, a
    return inverse / (a * d - b * c)[..., None, None]


def mahalanobis2(
    positions_m: np.ndarray, covariances_m2: np.ndarray, others_m: np.ndarray, others_m2: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Squared distance of every pair in units of their joint uncertainty, and log det of that uncertainty.

    Args:
        positions_m: (n, 2) with (n, 2, 2); others_m: (m, 2) with (m, 2, 2).

    Returns:
        (n, m) and (n, m).
    """
    S = covariances_m2[:, None] + others_m2[None]
    difference = positions_m[:, None] - others_m[None]
    a, b, c = S[..., 0, 0], S[..., 0, 1], S[..., 1, 1]
    determinant = a * c - b * b
    x, y = difference[..., 0], difference[..., 1]
    return (c * x * x - 2 * b * x * y + a * y * y) / determinant, np.log(determinant)


def paired_mahalanobis2(
    positions_m: np.ndarray, covariances_m2: np.ndarray, others_m: np.ndarray
) -> np.ndarray:
    """(n,) squared Mahalanobis distance of (n, 2) points to their partners, with (n, 2, 2) joint covariances."""
    difference = others_m - positions_m
    return np.einsum("ni,nij,nj->n", difference, inverse_2x2(covariances_m2), difference)
