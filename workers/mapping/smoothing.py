"""Smooth trajectories: a Rauch-Tung-Striebel pass over a closed track's measurements."""

from __future__ import annotations

import numpy as np

from workers.mapping import kalman


def smooth(
    times_s: np.ndarray, positions_m: np.ndarray, covariances_m2: np.ndarray, acceleration: float
) -> np.ndarray:
    """Positions at the measured times, corrected by what came before and after.

    Rauch, Tung and Striebel, Maximum Likelihood Estimates of Linear Dynamic Systems (1965).

    Args:
        times_s: (n,) ascending.
        positions_m: (n, 2) measured; covariances_m2: (n, 2, 2).
        acceleration: standard deviation of the random acceleration, m/s^2.

    Returns:
        (n, 2) metres.
    """
    n = len(times_s)
    if n < 3:
        return np.array(positions_m, float)
    means, covariances = np.empty((n, 4)), np.empty((n, 4, 4))
    ahead_means, ahead_covariances = np.empty((n, 4)), np.empty((n, 4, 4))
    mean = np.array([*positions_m[0], 0.0, 0.0])[None]
    covariance = np.zeros((1, 4, 4))
    covariance[0, :2, :2] = covariances_m2[0]
    covariance[0, 2, 2] = covariance[0, 3, 3] = 1.5**2
    means[0], covariances[0] = mean[0], covariance[0]
    steps = np.diff(times_s)
    for i in range(1, n):
        mean, covariance = kalman.predict(mean, covariance, steps[i - 1], acceleration)
        ahead_means[i], ahead_covariances[i] = mean[0], covariance[0]
        mean, covariance = kalman.update(mean, covariance, positions_m[i : i + 1], covariances_m2[i : i + 1])
        means[i], covariances[i] = mean[0], covariance[0]
    smoothed = means.copy()
    for i in range(n - 2, -1, -1):
        F = kalman.transition(steps[i])
        gain = np.linalg.solve(ahead_covariances[i + 1], F @ covariances[i]).T
        smoothed[i] += gain @ (smoothed[i + 1] - ahead_means[i + 1])
    return smoothed[:, :2]
