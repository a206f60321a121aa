"""A Kalman filter for many walking persons at once: arrays of n states, no object per person.

State: x, y (metres), vx, vy (metres per second), height (metres). People walk at some speed for some seconds, then
turn or stop: velocity is an Ornstein-Uhlenbeck process, whose discrete form is exact for any step (Bar-Shalom, Li
and Kirubarajan, Estimation with Applications to Tracking and Navigation, 2001, section 8.2, there as Singer's model
for acceleration). Measurements come as information about x, y and height, summed over the cameras that gave them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.mapping.symmetric import invert, invert_3x3

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
        return _transition(self.turn_s, dt)

    def noise(self, dt: float) -> np.ndarray:
        """(5, 5) covariance that `dt` seconds add, positive semidefinite."""
        return _noise(self.speed, self.turn_s, self.height_drift, dt)

    def predict(self, means: np.ndarray, covariances: np.ndarray, dt: float):
        """(n, 5) and (n, 5, 5) one step of `dt` seconds ahead."""
        return _predict(means, covariances, self.transition(dt), self.noise(dt))


@compiled
def _noise(speed: float, turn_s: float, height_drift: float, dt: float) -> np.ndarray:
    rate = dt / turn_s
    kept, variance = np.exp(-rate), speed**2
    # 2 r - 3 + 4 e - e^2 cancels for small steps: its series is 2 r^3 / 3
    place = 2 * rate - 3 + 4 * kept - kept**2 if rate > 1e-3 else 2 * rate**3 / 3
    Q = np.zeros((5, 5))
    Q[0, 0] = Q[1, 1] = variance * turn_s**2 * place
    Q[0, 2] = Q[2, 0] = Q[1, 3] = Q[3, 1] = variance * turn_s * (1 - kept) ** 2
    Q[2, 2] = Q[3, 3] = variance * -np.expm1(-2 * rate)
    Q[4, 4] = height_drift**2 * dt
    return Q


@compiled
def _predict(means, covariances, F, Q):
    ahead, spread = np.zeros(means.shape), np.empty(covariances.shape)
    room = np.empty((5, 5))
    for i in range(len(means)):
        for k in range(5):
            for m in range(5):
                ahead[i, k] += F[k, m] * means[i, m]
                room[k, m] = 0.0
                for j in range(5):
                    room[k, m] += F[k, j] * covariances[i, j, m]
        # symmetric to the last bit
        for k in range(5):
            for m in range(k, 5):
                total = Q[k, m]
                for j in range(5):
                    total += room[k, j] * F[m, j]
                spread[i, k, m] = spread[i, m, k] = total
    return ahead, spread


@compiled
def _transition(turn_s: float, dt: float) -> np.ndarray:
    kept, F = np.exp(-dt / turn_s), np.zeros((5, 5))
    F[0, 0] = F[1, 1] = F[4, 4] = 1.0
    F[0, 2] = F[1, 3] = turn_s * (1 - kept)
    F[2, 2] = F[3, 3] = kept
    return F


def fuse(means: np.ndarray, covariances: np.ndarray, information: np.ndarray, pull: np.ndarray):
    """States after what the cameras told of them.

    Args:
        means: (n, 5); covariances: (n, 5, 5), positive definite.
        information: (n, 3, 3) inverse covariance about x, y, height, positive semidefinite; 0 for nothing seen.
        pull: (n, 3) information times the difference of the measurement and the mean.

    Returns:
        (n, 5) means and (n, 5, 5) covariances, symmetric and positive definite.
    """
    return _fuse(means, covariances, information, pull)


@compiled
def _fuse(means, covariances, information, pull):
    fused, spread = means.copy(), np.empty_like(covariances)
    total, factor = np.empty((5, 5)), np.empty((5, 5))
    for i in range(len(means)):
        invert(covariances[i], factor, total)
        for k in range(3):
            for m in range(3):
                total[SEEN[k], SEEN[m]] += information[i, k, m]
        invert(total, factor, spread[i])
        for k in range(5):
            for m in range(3):
                fused[i, k] += spread[i, k, SEEN[m]] * pull[i, m]
    return fused, spread


def inverse_3x3(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverses of symmetric (..., 3, 3) matrices in closed form, and their determinants.

    Far faster than a call to LAPACK for each.
    """
    inverse, determinants = np.empty(matrices.shape), np.empty(matrices.shape[:-2])
    _invert_all(
        np.ascontiguousarray(matrices, float).reshape(-1, 3, 3),
        inverse.reshape(-1, 3, 3),
        determinants.reshape(-1),
    )
    return inverse, determinants


@compiled_lean
def _invert_all(matrices, inverse, determinants) -> None:
    for i in range(len(matrices)):
        m = matrices[i]
        determinants[i] = invert_3x3(m[0, 0], m[0, 1], m[0, 2], m[1, 1], m[1, 2], m[2, 2], inverse[i])


def largest_deviations(covariances: np.ndarray) -> np.ndarray:
    """(n,) standard deviations of places (m) in the direction in which they are known least.

    Args:
        covariances: (n, 5, 5) of states.
    """
    a, b, d = covariances[:, 0, 0], covariances[:, 0, 1], covariances[:, 1, 1]
    return np.sqrt((a + d) / 2 + np.hypot((a - d) / 2, b))
