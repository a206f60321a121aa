"""Fitting the ground plane to marked points, and what it tells of the camera."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from calibration import CameraModel, fit_homography, reprojection_error_m
from calibration.homography import check_homography, projection_from_homography
from calibration.tests.cameras import SIZE, looking_at_ground, pixels_on_ground, projections, quick

FOUR_PX = np.array([[80.0, 340], [560, 340], [440, 150], [200, 150]])


@quick
@given(projections())
def test_exact_points_give_the_exact_homography(P):
    camera = CameraModel.from_projection(P, SIZE)
    pixels = pixels_on_ground(camera)
    H = fit_homography(pixels, camera.to_map(pixels))
    other = pixels_on_ground(camera, seed=7)
    assert reprojection_error_m(H, other, camera.to_map(other)).max() < 1e-4


def test_four_points_are_enough():
    camera = CameraModel.from_projection(looking_at_ground(), SIZE)
    H = fit_homography(FOUR_PX, camera.to_map(FOUR_PX))
    assert H[2, 2] == 1
    assert reprojection_error_m(H, FOUR_PX, camera.to_map(FOUR_PX)).max() < 1e-9
    np.testing.assert_allclose(H, camera.image_to_map / camera.image_to_map[2, 2], rtol=1e-6, atol=1e-12)


def test_noise_averages_out():
    """Marked with an error of 1 px, a hundred points fix the ground to a few centimetres."""
    camera = CameraModel.from_projection(looking_at_ground(), SIZE)
    rng = np.random.default_rng(2)
    pixels = rng.uniform([20, 120], [620, 350], (100, 2))
    H = fit_homography(pixels + rng.normal(0, 1, pixels.shape), camera.to_map(pixels))
    near = pixels[pixels[:, 1] > 180]
    assert np.median(reprojection_error_m(H, near, camera.to_map(near))) < 0.06


@pytest.mark.parametrize(
    ("points_px", "positions_m"),
    [
        (FOUR_PX[:3], FOUR_PX[:3]),
        (FOUR_PX, FOUR_PX[:3]),
        (FOUR_PX[:, :1], FOUR_PX[:, :1]),
        (np.empty((0, 2)), np.empty((0, 2))),
    ],
    ids=["three points", "unequal counts", "one coordinate", "none"],
)
def test_too_few_or_unpaired_points_are_refused(points_px, positions_m):
    with pytest.raises(ValueError, match="four or more point pairs"):
        fit_homography(points_px, positions_m)


@pytest.mark.parametrize(
    "points",
    [
        np.array([[10.0, 10], [20, 20], [30, 30], [40, 40], [55, 55]]),
        np.array([[10.0, 10], [20, 20], [30, 30], [300, 40]]),
        np.array([[10.0, 10]] * 6),
        np.array([[10.0, 10], [10, 10], [30, 90], [300, 40]]),
    ],
    ids=["all on a line", "three on a line", "all the same", "one marked twice"],
)
def test_points_that_fix_nothing_are_refused(points):
    with pytest.raises(ValueError, match=r"do not fix|finite"):
        fit_homography(points, points * 0.01)


@pytest.mark.parametrize(
    ("H", "why"),
    [
        (np.eye(2), "3x3"),
        (np.full((3, 3), np.inf), "finite"),
        (np.zeros((3, 3)), "singular"),
        (np.outer([1, 2, 3], [4, 5, 6]), "singular"),
    ],
)
def test_unusable_matrices_are_refused(H, why):
    with pytest.raises(ValueError, match=why):
        check_homography(H)


def test_a_matrix_in_odd_units_is_usable():
    """The determinant alone tells nothing: metres against thousands of pixels make it tiny."""
    H = np.diag([1e-3, 1e-3, 1.0]) @ np.array([[1.0, 0, -960], [0, 1, -540], [0, 1e-4, 1]])
    np.testing.assert_array_equal(check_homography(H), H)


# -- the camera behind it ------------------------------------------------------------------------------------


@quick
@given(projections())
def test_the_projection_is_recovered_from_the_ground_alone(P):
    """Square pixels and a central principal point are all it needs."""
    camera = CameraModel.from_projection(P, SIZE)
    recovered = projection_from_homography(camera.image_to_map, SIZE)
    assert recovered is not None
    positions = camera.to_map(pixels_on_ground(camera))
    model = CameraModel.from_projection(recovered, SIZE)
    np.testing.assert_allclose(model.centre_m(), camera.centre_m(), rtol=1e-3, atol=1e-3)
    heads, expected = model.to_image(positions, 1.7), camera.to_image(positions, 1.7)
    np.testing.assert_allclose(heads, expected, rtol=1e-3, atol=0.05)


def test_maps_drawn_downwards_are_understood():
    """A floor plan whose y axis points down mirrors the ground; heights still go up."""
    camera = CameraModel.from_projection(looking_at_ground(), SIZE)
    flipped = np.diag([1.0, -1.0, 1.0]) @ camera.image_to_map
    model = CameraModel.from_homography(flipped, SIZE)
    assert model.projection is not None
    head, foot = model.to_image([[0.0, -12.0]], 1.7)[0], model.to_image([[0.0, -12.0]])[0]
    np.testing.assert_allclose(head, camera.to_image([[0.0, 12.0]], 1.7)[0], atol=0.01)
    assert head[1] < foot[1]


def test_a_camera_looking_straight_down_tells_no_focal_length():
    """Seen from above, height and zoom look alike: the ground stays usable, heights are not made up."""
    scale = np.diag([0.02, -0.02, 1.0]) @ np.array([[1.0, 0, -320], [0, 1, -180], [0, 0, 1]])
    assert projection_from_homography(scale, SIZE) is None
    model = CameraModel.from_homography(scale, SIZE)
    assert model.projection is None
    np.testing.assert_allclose(model.to_map([[320, 180]]), [[0, 0]], atol=1e-12)
