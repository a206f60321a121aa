"""The filter in closed form does what the textbook's matrices do."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.mapping import kalman

quick = settings(max_examples=60, deadline=None, derandomize=True)


def positive(draw: st.DrawFn, n: int, least: float, most: float) -> np.ndarray:
    """(n, 2, 2) covariances: any direction, standard deviations between `least` and `most`."""
    sigmas = np.array(draw(st.lists(st.tuples(*[st.floats(least, most)] * 2), min_size=n, max_size=n)))
    angles = np.array(draw(st.lists(st.floats(0, np.pi), min_size=n, max_size=n)))
    R = np.stack([np.cos(angles), -np.sin(angles), np.sin(angles), np.cos(angles)], 1).reshape(n, 2, 2)
    return R @ (sigmas[:, :, None] ** 2 * np.eye(2)) @ R.transpose(0, 2, 1)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[float, np.ndarray]]:
    """Steps of a filter: seconds since the last measurement, and the (3, 2, 2) noises of the next."""
    steps = draw(st.integers(1, 12))
    return [(draw(st.floats(0.0, 5.0)), positive(draw, 3, 0.02, 30.0)) for _ in range(steps)]


def begin(n: int = 3) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((n, 4)), np.broadcast_to(np.diag([0.2, 0.3, 1.4, 1.4]), (n, 4, 4)).copy()


@quick
@given(histories())
def test_covariances_stay_symmetric_and_positive_definite(history):
    means, covariances = begin()
    for dt, noises in history:
        means, covariances = kalman.predict(means, covariances, dt, 1.0)
        means, covariances = kalman.update(means, covariances, np.ones((3, 2)), noises)
        assert np.array_equal(covariances, covariances.transpose(0, 2, 1))
        assert (np.linalg.eigvalsh(covariances) > 0).all()
        assert np.isfinite(means).all()


@quick
@given(histories())
def test_many_states_at_once_are_as_many_filters_with_plain_matrices(history):
    means, covariances = begin()
    plain = [(m.copy(), P.copy()) for m, P in zip(means, covariances, strict=True)]
    H = np.eye(2, 4)
    for step, (dt, noises) in enumerate(history):
        z = np.array([[step, 1.0], [-0.5 * step, 0.0], [0.0, 2.0]])
        means, covariances = kalman.update(
            *kalman.predict(means, covariances, dt, 1.0), positions_m=z, noises_m2=noises
        )
        F, Q = kalman.transition(dt), kalman.process_noise(dt, 1.0)
        for i, (m, P) in enumerate(plain):
            m, P = F @ m, F @ P @ F.T + Q
            K = P @ H.T @ np.linalg.inv(H @ P @ H.T + noises[i])
            plain[i] = (m + K @ (z[i] - H @ m), (np.eye(4) - K @ H) @ P)
    np.testing.assert_allclose(means, [m for m, _ in plain], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(covariances, [P for _, P in plain], rtol=1e-6, atol=1e-6)


def test_a_walker_is_followed_and_the_speed_is_learned():
    means, covariances = begin(1)
    noise = np.eye(2)[None] * 0.1**2
    for i in range(1, 51):
        means, covariances = kalman.predict(means, covariances, 0.1, 1.0)
        means, covariances = kalman.update(means, covariances, np.array([[0.12 * i, -0.05 * i]]), noise)
    np.testing.assert_allclose(means[0], [6.0, -2.5, 1.2, -0.5], atol=0.03)


@st.composite
def placed(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """(4, 2) positions with (4, 2, 2) covariances."""
    place = st.tuples(*[st.floats(-50, 50)] * 2)
    positions = np.array(draw(st.lists(place, min_size=4, max_size=4)))
    return positions, positive(draw, 4, 0.05, 10.0)


@quick
@given(placed(), placed())
def test_distances_agree_with_numpy(some, others):
    (a, A), (b, B) = some, others
    S = A[:, None] + B[None]
    difference = (b[None] - a[:, None])[..., None]
    expected = (difference.swapaxes(-1, -2) @ np.linalg.inv(S) @ difference)[..., 0, 0]
    distance2, log_det = kalman.mahalanobis2(a, A, b, B)
    np.testing.assert_allclose(distance2, expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(S)[1], rtol=1e-6, atol=1e-9)
    paired = kalman.paired_mahalanobis2(a, A + B, b)
    np.testing.assert_allclose(paired, np.diagonal(distance2), rtol=1e-9, atol=1e-9)


@quick
@given(placed())
def test_inverses_agree_with_numpy(some):
    _, matrices = some
    np.testing.assert_allclose(kalman.inverse_2x2(matrices), np.linalg.inv(matrices), rtol=1e-6, atol=1e-6)
    shaped = matrices.reshape(2, 2, 2, 2)
    assert kalman.inverse_2x2(shaped).shape == shaped.shape


def test_nobody_is_no_special_case():
    means, covariances = kalman.predict(np.empty((0, 4)), np.empty((0, 4, 4)), 0.1, 1.0)
    means, covariances = kalman.update(means, covariances, np.empty((0, 2)), np.empty((0, 2, 2)))
    assert means.shape == (0, 4)
    assert covariances.shape == (0, 4, 4)
    assert kalman.mahalanobis2(means[:, :2], covariances[:, :2, :2], np.ones((3, 2)), np.ones((3, 2, 2)))[
        0
    ].shape == (0, 3)
