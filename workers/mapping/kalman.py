"""A Kalman filter for many walking persons at once: arrays of n states, no object per person.

State: x, y (metres), vx, vy (metres per second), height (metres). People walk at some speed for some seconds, then
turn or stop: velocity is an Ornstein-Uhlenbeck process, whose discrete form is exact for any step (Bar-Shalom, Li
and Kirubarajan, Estimation with Applications to Tracking and Navigation, 2001, section 8.2, there as Singer's model
for acceleration). Measurements come as information about x, y and height, summed over the cameras that gave them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# the part of a state that is seen: x, y, height
SEEN = np.array([0, 1, 4])


@dataclass(frozen=True)
class Motion:
    """How people move.

    Attributes:
        speed: spread of each component of the velocity (m/s).
        turn_s: seconds after which a velocity is mostly forgotten.
        height_drift: how fast the apparent height may change (m per square root of a second).
    """

    speed: float
    turn_s: float
    height_drift: float

    def transition(self, dt: float) -> np.ndarray:
        """(5, 5) over `dt` seconds."""
        kept = np.exp(-dt / self.turn_s)
        F = np.eye(5)
        F[0, 2] = F[1, 3] = self.turn_s * (1 - kept)
        F[2, 2] = F[3, 3] = kept
        return F

    def noise(self, dt: float) -> np.ndarray:
        """(5, 5) covariance that `dt` seconds add, positive semidefinite."""
        rate = dt / self.turn_s
        kept = np.exp(-rate)
        variance = self.speed**2
        # 2 r - 3 + 4 e - e^2 cancels for small steps: its series is 2 r^3 / 3
        place = 2 * rate - 3 + 4 * kept - kept**2 if rate > 1e-3 else 2 * rate**3 / 3
        Q = np.zeros((5, 5))
        Q[0, 0] = Q[1, 1] = variance * self.turn_s**2 * place
        Q[0, 2] = Q[2, 0] = Q[1, 3] = Q[3, 1] = variance * self.turn_s * (1 - kept) ** 2
        Q[2, 2] = Q[3, 3] = variance * -np.expm1(-2 * rate)
        Q[4, 4] = self.height_drift**2 * dt
        return Q

    def predict(self, means: np.ndarray, covariances: np.ndarray, dt: float):
        """(n, 5) and (n, 5, 5) one step of `dt` seconds ahead."""
        F = self.transition(dt)
        return means @ F.T, F @ covariances @ F.T + self.noise(dt)


def fuse(means: np.ndarray, covariances: np.ndarray, information: np.ndarray, pull: np.ndarray):
    """States after what the cameras told of them.

    Args:
        means: (n, 5); covariances: (n, 5, 5), positive definite.
        information: (n, 3, 3) inverse covariance about x, y, height, positive semidefinite; 0 for nothing seen.
        pull: (n, 3) information times the difference of the measurement and the mean.

    Returns:
        (n, 5) means and (n, 5, 5) covariances, symmetric and positive definite.
    """
    if len(means) == 0:
        return means, covariances
    total = np.linalg.inv(covariances)
    total[:, SEEN[:, None], SEEN] += information
    covariances = np.linalg.inv(total)
    covariances = (covariances + covariances.transpose(0, 2, 1)) / 2
    return means + np.einsum("nij,nj->ni", covariances[:, :, SEEN], pull), covariances


def inverse_3x3(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverses of symmetric (..., 3, 3) matrices in closed form, and their determinants.

    Far faster than a call to LAPACK for each.
    """
    a, b, c = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 0, 2]
    d, e, f = matrices[..., 1, 1], matrices[..., 1, 2], matrices[..., 2, 2]
    inverse = np.empty_like(matrices)
    inverse[..., 0, 0] = A = d * f - e * e
    inverse[..., 0, 1] = inverse[..., 1, 0] = B = c * e - b * f
    inverse[..., 0, 2] = inverse[..., 2, 0] = C = b * e - c * d
    inverse[..., 1, 1] = a * f - c * c
    inverse[..., 1, 2] = inverse[..., 2, 1] = b * c - a * e
    inverse[..., 2, 2] = a * d - b * b
    determinant = a * A + b * B + c * C
    return inverse / determinant[..., None, None], determinant
