"""The filter for many persons at once does what the textbook's matrices do for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm

from calibration.tests.cameras import quick
from workers.mapping.kalman import SEEN, Motion, fuse, inverse_3x3, largest_deviations
from workers.mapping.symmetric import factorise, invert

MOTION = Motion(speed=0.94, turn_s=7.0, height_drift=0.01)
N = 3
seconds = st.floats(0.0, 60.0)


@st.composite
def told(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """What cameras say of N persons: (N, 3, 3) derivatives of three edges, and (N, 3) variances of them.

    Any direction, from a millimetre to hundreds of metres; some edges, or all, say nothing.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    derivatives = rng.normal(size=(N, 3, 3)) * (rng.random((N, 3, 1)) < draw(st.floats(0, 1)))
    return derivatives, 10.0 ** rng.uniform(-5, 5, (N, 3))


histories = st.lists(st.tuples(seconds, told()), min_size=1, max_size=12)


def begin(n: int = N) -> tuple[np.ndarray, np.ndarray]:
    means = np.random.default_rng(5).normal(size=(n, 5))
    return means, np.broadcast_to(np.diag([0.2, 0.3, 0.9, 0.9, 0.01]), (n, 5, 5)).copy()


def information(derivatives: np.ndarray, variances: np.ndarray) -> np.ndarray:
    return derivatives.transpose(0, 2, 1) @ (derivatives / variances[:, :, None])


def pull(derivatives: np.ndarray, variances: np.ndarray, differences: np.ndarray) -> np.ndarray:
    return (derivatives.transpose(0, 2, 1) @ (differences / variances)[:, :, None])[:, :, 0]


# -- motion --------------------------------------------------------------------------------------------------


def discretised(dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Transition and noise of the continuous process by matrix exponential (Van Loan, 1978)."""
    A = np.zeros((5, 5))
    A[0, 2] = A[1, 3] = 1.0
    A[2, 2] = A[3, 3] = -1 / MOTION.turn_s
    spectral = np.diag([0, 0, *[2 * MOTION.speed**2 / MOTION.turn_s] * 2, MOTION.height_drift**2])
    block = expm(np.block([[-A, spectral], [np.zeros((5, 5)), A.T]]) * dt)
    F = block[5:, 5:].T
    return F, F @ block[:5, 5:]


@pytest.mark.parametrize("dt", [0.0, 0.04, 0.5, 3.0, 20.0])
def test_motion_is_the_continuous_process_sampled(dt):
    F, Q = discretised(dt)
    np.testing.assert_allclose(MOTION.transition(dt), F, atol=1e-9)
    np.testing.assert_allclose(MOTION.noise(dt), Q, rtol=1e-5, atol=1e-9)


@quick
@given(seconds)
def test_two_half_steps_are_one_whole_step(dt):
    """How often the cameras give a frame says nothing about how people walk."""
    half, noise = MOTION.transition(dt / 2), MOTION.noise(dt / 2)
    np.testing.assert_allclose(half @ half, MOTION.transition(dt), atol=1e-9)
    np.testing.assert_allclose(half @ noise @ half.T + noise, MOTION.noise(dt), rtol=1e-3, atol=1e-12)


def test_for_the_shortest_steps_the_noise_goes_on_smoothly():
    """Where cancellation would eat the closed form a series stands in: no jump where one takes over."""
    steps = np.geomspace(1e-5, 0.05, 400)
    place = np.array([MOTION.noise(dt)[0, 0] for dt in steps])
    cubic = place / (2 / 3 * MOTION.speed**2 / MOTION.turn_s * steps**3)
    np.testing.assert_allclose(cubic[:100], 1.0)
    assert np.abs(np.diff(cubic)).max() < 1e-3


def test_a_velocity_is_forgotten_and_never_grows_beyond_what_people_walk():
    means, covariances = MOTION.predict(np.array([[0, 0, 1.2, -0.5, 1.7]]), np.zeros((1, 5, 5)), 60.0)
    assert np.abs(means[0, 2:4]).max() < 1e-3
    assert np.sqrt(covariances[0, 2, 2]) == pytest.approx(MOTION.speed, rel=1e-3)
    assert means[0, 4] == 1.7


def test_no_time_changes_nothing():
    means, covariances = begin()
    after = MOTION.predict(means, covariances, 0.0)
    np.testing.assert_array_equal(after[0], means)
    np.testing.assert_array_equal(after[1], covariances)


# -- what the cameras say ------------------------------------------------------------------------------------


@quick
@given(histories)
def test_covariances_stay_symmetric_and_positive_definite(history):
    means, covariances = begin()
    for dt, (derivatives, variances) in history:
        means, covariances = MOTION.predict(means, covariances, dt)
        says = information(derivatives, variances)
        means, covariances = fuse(means, covariances, says, pull(derivatives, variances, np.ones((N, 3))))
        assert np.array_equal(covariances, covariances.transpose(0, 2, 1))
        assert (np.linalg.eigvalsh(covariances) > 0).all()
        assert np.isfinite(means).all()


@quick
@given(histories)
def test_many_states_at_once_are_as_many_plain_filters(history):
    """The textbook's gain for measurements of x, y and height, one person after the other."""
    means, covariances = begin()
    plain = list(zip(means.copy(), covariances.copy(), strict=True))
    rng = np.random.default_rng(2)
    for dt, (derivatives, variances) in history:
        variances = np.maximum(variances, 1e-3)
        F, Q = MOTION.transition(dt), MOTION.noise(dt)
        means, covariances = MOTION.predict(means, covariances, dt)
        differences = rng.normal(size=(N, 3))
        means, covariances = fuse(
            means,
            covariances,
            information(derivatives, variances),
            pull(derivatives, variances, differences),
        )
        for i, (m, P) in enumerate(plain):
            m, P = F @ m, F @ P @ F.T + Q
            H = np.zeros((3, 5))
            H[:, SEEN] = derivatives[i]
            K = P @ H.T @ np.linalg.inv(H @ P @ H.T + np.diag(variances[i]))
            plain[i] = (m + K @ differences[i], (np.eye(5) - K @ H) @ P)
    np.testing.assert_allclose(means, [m for m, _ in plain], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(covariances, [P for _, P in plain], rtol=1e-5, atol=1e-5)


def test_nothing_seen_changes_nothing():
    means, covariances = MOTION.predict(*begin(), 0.4)
    after = fuse(means, covariances, np.zeros((N, 3, 3)), np.zeros((N, 3)))
    np.testing.assert_allclose(after[0], means)
    np.testing.assert_allclose(after[1], covariances, atol=1e-12)


def test_who_is_not_seen_is_not_moved_by_what_is_seen_of_others():
    means, covariances = MOTION.predict(*begin(), 0.4)
    says, differences = np.zeros((N, 3, 3)), np.zeros((N, 3))
    says[1], differences[1] = np.eye(3) * 100, 30.0
    after, sharper = fuse(means, covariances, says, differences)
    np.testing.assert_allclose(after[[0, 2]], means[[0, 2]])
    assert (after[1, SEEN] > means[1, SEEN]).all()
    assert (np.diagonal(sharper[1]) < np.diagonal(covariances[1])).all()


def test_a_walker_is_followed_and_the_speed_is_learned():
    means, covariances = np.zeros((1, 5)), begin(1)[1]
    says = np.eye(3)[None] / 0.1**2
    for i in range(1, 51):
        means, covariances = MOTION.predict(means, covariances, 0.1)
        there = np.array([[0.12 * i, -0.05 * i, 1.8]])
        means, covariances = fuse(
            means, covariances, says, np.einsum("nij,nj->ni", says, there - means[:, SEEN])
        )
    np.testing.assert_allclose(means[0], [6.0, -2.5, 1.2, -0.5, 1.8], atol=0.08)


# -- small things --------------------------------------------------------------------------------------------


@quick
@given(st.lists(st.floats(0.1, 10.0), min_size=3, max_size=3), st.integers(0, 2**32 - 1))
def test_inverses_agree_with_numpy(deviations, seed):
    """Covariances with deviations of a hand's breadth to ten metres, along any axes."""
    axes, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(N, 3, 3)))
    matrices = axes @ (np.square(deviations) * axes).transpose(0, 2, 1)
    inverses, determinants = inverse_3x3(matrices)
    np.testing.assert_allclose(inverses, np.linalg.inv(matrices), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(determinants, np.linalg.det(matrices), rtol=1e-6)


def test_inverses_of_any_stack():
    matrices = np.broadcast_to(np.diag([1.0, 2.0, 4.0]), (2, 5, 3, 3))
    inverses, determinants = inverse_3x3(matrices)
    assert (inverses == np.diag([1, 0.5, 0.25])).all()
    assert determinants.shape == (2, 5)


@quick
@given(st.integers(1, 6), st.floats(0.01, 100.0), st.integers(0, 2**32 - 1))
def test_small_matrices_are_inverted_as_by_numpy(size, scale, seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size)) * scale
    matrix = root @ root.T + np.eye(size) * scale**2 / 10
    before, factor, inverse = matrix.copy(), np.zeros((size, size)), np.empty((size, size))
    factorise(matrix, factor)
    np.testing.assert_allclose(factor, np.linalg.cholesky(matrix), rtol=1e-8)
    invert(matrix, factor, inverse)
    np.testing.assert_allclose(inverse @ matrix, np.eye(size), atol=1e-8)
    assert (inverse == inverse.T).all()
    assert (matrix == before).all()


def test_how_unsure_a_place_is_at_most():
    """Two metres along the diagonal, half a metre across."""
    turn = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    covariances = np.tile(np.eye(5), (2, 1, 1))
    covariances[0, :2, :2] = turn @ np.diag([4.0, 0.25]) @ turn.T
    np.testing.assert_allclose(largest_deviations(covariances), [2.0, 1.0])
    assert len(largest_deviations(covariances[:0])) == 0


def test_nobody_is_no_special_case():
    means, covariances = MOTION.predict(np.empty((0, 5)), np.empty((0, 5, 5)), 0.1)
    means, covariances = fuse(means, covariances, np.empty((0, 3, 3)), np.empty((0, 3)))
    assert means.shape == (0, 5)
    assert covariances.shape == (0, 5, 5)
    assert inverse_3x3(np.empty((0, 3, 3)))[0].shape == (0, 3, 3)
