"""From pixels to metres and back, and how sure that is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from calibration import CameraModel, InvalidCalibrationError
from calibration.tests.cameras import SIZE, looking_at_ground, pixels_on_ground, projections, quick

TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "groundtruth"


@pytest.fixture
def camera() -> CameraModel:
    """5 m above the origin, looking north (+Y), 25 degrees down."""
    return CameraModel.from_projection(looking_at_ground(), SIZE)


# -- there and back ------------------------------------------------------------------------------------------


@quick
@given(projections())
def test_pixels_to_the_map_and_back(P):
    camera = CameraModel.from_projection(P, SIZE)
    pixels = pixels_on_ground(camera)
    np.testing.assert_allclose(camera.to_image(camera.to_map(pixels)), pixels, atol=1e-5)


@quick
@given(projections())
def test_a_camera_survives_its_own_json(P):
    camera = CameraModel.from_projection(P, SIZE)
    again = CameraModel.from_mapping(json.loads(json.dumps(camera.to_mapping())))
    np.testing.assert_array_equal(again.projection, camera.projection)
    assert again.image_size == SIZE


@quick
@given(projections())
def test_ground_through_the_homography_equals_ground_through_the_projection(P):
    full = CameraModel.from_projection(P, SIZE)
    flat = CameraModel(full.map_to_image, full.image_to_map, None, SIZE)
    pixels = pixels_on_ground(full)
    np.testing.assert_allclose(flat.to_map(pixels), full.to_map(pixels))
    np.testing.assert_allclose(flat.to_image(full.to_map(pixels)), pixels, atol=1e-5)


def test_directions_are_those_of_the_map(camera):
    """Looking north, what lies further up in the image lies further north, what lies right lies east."""
    near, far, right = camera.to_map([[320, 300], [320, 200], [500, 300]])
    assert far[1] > near[1] > 0
    assert right[0] > near[0]
    assert abs(near[0]) < 1e-9


def test_the_optical_axis_meets_the_ground_where_trigonometry_says(camera):
    expected = 5.0 / np.tan(np.deg2rad(25))
    np.testing.assert_allclose(camera.to_map([[320, 180]]), [[0, expected]], atol=1e-9)


def test_the_camera_knows_where_it_is(camera):
    np.testing.assert_allclose(camera.centre_m(), [0, 0, 5], atol=1e-9)
    flat = CameraModel(camera.map_to_image, camera.image_to_map, None, SIZE)
    assert flat.centre_m() is None


@pytest.mark.parametrize("sign", [1, -1])
def test_the_sign_and_scale_of_a_matrix_mean_nothing(camera, sign):
    """P is homogeneous: any multiple is the same camera, also a negative one."""
    other = CameraModel.from_projection(sign * 3.7 * camera.projection, SIZE)
    positions = np.array([[0.0, 8.0], [2.0, 12.0], [0.0, -8.0]])
    np.testing.assert_allclose(other.to_image(positions, 1.7), camera.to_image(positions, 1.7))
    pixels = np.array([[320, 300], [100, 200], [320, -200]])
    np.testing.assert_allclose(other.to_map(pixels), camera.to_map(pixels), atol=1e-9)
    assert np.isnan(camera.to_map(pixels)[2]).all()


# -- where there is no answer --------------------------------------------------------------------------------


@quick
@given(projections())
def test_sky_has_no_place_on_the_map(P):
    """Pixels above the horizon would land behind the camera; they get NaN instead."""
    camera = CameraModel.from_projection(P, SIZE)
    horizon = np.cross(camera.map_to_image[:, 0], camera.map_to_image[:, 1])
    xs = np.linspace(0, SIZE[0], 9)
    ys = -(horizon[0] * xs + horizon[2]) / horizon[1]
    above = camera.to_map(np.column_stack([xs, ys - 5]))
    below = camera.to_map(np.column_stack([xs, ys + 5]))
    assert np.isnan(above).all()
    assert np.isfinite(below).all()


@quick
@given(projections())
def test_who_stands_behind_the_camera_is_not_in_the_image(P):
    camera = CameraModel.from_projection(P, SIZE)
    (*centre, height), forward = camera.centre_m(), P[2, :3]
    level = np.hypot(*forward[:2])
    # further back than the plane of the lens cuts the ground
    behind = centre - forward[:2] / level * (1.2 * height * -forward[2] / level + 1)
    ahead = camera.to_map([[SIZE[0] / 2, SIZE[1] - 1.0]])[0]
    for model in (camera, CameraModel(camera.map_to_image, camera.image_to_map, None, SIZE)):
        assert np.isnan(model.to_image(behind)).all()
        assert np.isfinite(model.to_image(ahead)).all()
    assert np.isnan(camera.person_boxes(behind)).all()


def test_no_points_are_no_problem(camera):
    assert camera.to_map(np.empty((0, 2))).shape == (0, 2)
    assert camera.to_image(np.empty((0, 2)), 1.7).shape == (0, 2)
    assert camera.person_boxes(np.empty((0, 2))).shape == (0, 4)
    means, covariances = camera.to_map_with_covariance(np.empty((0, 2)), 2.0)
    assert (means.shape, covariances.shape) == ((0, 2), (0, 2, 2))


# -- how sure ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("foot_px", [(320, 330), (80, 250), (560, 220)])
def test_covariance_agrees_with_monte_carlo(camera, foot_px):
    """First-order propagation against the spread of 200,000 noisy pixels."""
    sigma_px = np.array([1.5, 2.5])
    noisy = np.random.default_rng(4).normal(foot_px, sigma_px, (200_000, 2))
    sampled = np.cov(camera.to_map(noisy).T)
    _, (predicted,) = camera.to_map_with_covariance(np.array([foot_px]), sigma_px[None])
    np.testing.assert_allclose(predicted, sampled, rtol=0.06, atol=0.02 * np.trace(sampled))


@quick
@given(projections())
def test_the_jacobian_is_the_derivative(P):
    camera = CameraModel.from_projection(P, SIZE)
    pixels, step = pixels_on_ground(camera), 1e-4
    numeric = np.stack(
        [
            (camera.to_map(pixels + d) - camera.to_map(pixels - d)) / (2 * step)
            for d in (np.array([step, 0]), np.array([0, step]))
        ],
        axis=2,
    )
    np.testing.assert_allclose(camera.jacobian_to_map(pixels), numeric, rtol=1e-3, atol=1e-6)


def test_the_same_error_in_pixels_is_more_metres_far_away(camera):
    near_and_far = np.array([[320, 340], [320, 80]])
    _, covariances = camera.to_map_with_covariance(near_and_far, 2.0)
    near, far = np.sqrt([np.linalg.eigvalsh(c)[-1] for c in covariances])
    assert far > 5 * near
    _, per_point = camera.to_map_with_covariance(near_and_far, np.array([2.0, 2.0]))
    np.testing.assert_allclose(per_point, covariances)


# -- people --------------------------------------------------------------------------------------------------


def test_person_boxes_stand_on_the_ground(camera):
    positions = np.array([[0.0, 10.0], [3.0, 14.0]])
    boxes = camera.person_boxes(positions, height_m=1.8)
    feet, heads = camera.to_image(positions), camera.to_image(positions, 1.8)
    np.testing.assert_allclose(boxes[:, 3], feet[:, 1])
    np.testing.assert_allclose(boxes[:, 1], heads[:, 1])
    assert boxes[0, 3] - boxes[0, 1] > boxes[1, 3] - boxes[1, 1], "farther people are smaller"
    assert ((boxes[:, 0] < feet[:, 0]) & (feet[:, 0] < boxes[:, 2])).all()


def test_heights_need_a_full_matrix(camera):
    flat = CameraModel(camera.map_to_image, camera.image_to_map, None, SIZE)
    with pytest.raises(InvalidCalibrationError, match="full camera matrix"):
        flat.to_image([[0.0, 10.0]], 1.7)
    # their boxes come from the local scale instead: much the same at low tilt
    estimated, exact = flat.person_boxes([[0.0, 14.0]])[0], camera.person_boxes([[0.0, 14.0]])[0]
    assert estimated[3] == pytest.approx(exact[3])
    assert estimated[3] - estimated[1] == pytest.approx(exact[3] - exact[1], rel=0.2)


def test_the_footprint_is_ground_that_is_in_view(camera):
    corners = camera.footprint_m(reach_m=30)
    pixels = camera.to_image(corners)
    assert np.isfinite(corners).all()
    assert ((pixels > -1) & (pixels < np.array(SIZE) + 1)).all()
    near = camera.to_map([[SIZE[0] / 2, SIZE[1] - 1.0]])
    assert np.linalg.norm(corners - near, axis=1).max() <= 30


# -- other sizes ---------------------------------------------------------------------------------------------


@quick
@given(projections())
def test_a_resized_video_shows_the_same_ground(P):
    camera = CameraModel.from_projection(P, SIZE)
    small = camera.scaled_to((160, 90))
    pixels = pixels_on_ground(camera)
    np.testing.assert_allclose(small.to_map(pixels / 4), camera.to_map(pixels), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        small.person_boxes(camera.to_map(pixels)), camera.person_boxes(camera.to_map(pixels)) / 4, rtol=1e-5
    )
    assert small.image_size == (160, 90)
    assert camera.scaled_to(SIZE) is camera


# -- from JSON -----------------------------------------------------------------------------------------------

_EYE = np.eye(3).tolist()
_SIZE = {"width": 640, "height": 360}
_NAN = [[1, 0, 0], [0, float("nan"), 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"P": [[1, 0, 0, 0]] * 3}, "`width` and `height`"),
        ({"width": 640, "P": [[1, 0, 0, 0]] * 3}, "`width` and `height`"),
        (_SIZE, "`P`.*`K`, `R` and `t`.*`homography_image_to_map`"),
        ({**_SIZE, "K": _EYE, "R": _EYE}, "`K`, `R` and `t`"),
        ({**_SIZE, "P": [[1, 2], [3, 4]]}, "P must be 3x4, got 2x2"),
        ({**_SIZE, "P": [[0, 0, 0, 0]] * 3}, "ground plane of P.*singular"),
        ({**_SIZE, "P": "3x4"}, "malformed"),
        ({**_SIZE, "P": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1]]}, "malformed"),
        ({**_SIZE, "K": _EYE, "R": _EYE, "t": [0, 0]}, "malformed"),
        ({**_SIZE, "homography_image_to_map": [[1, 0], [0, 1]]}, "homography_image_to_map.*3x3"),
        ({**_SIZE, "homography_image_to_map": np.ones((3, 3)).tolist()}, "singular"),
        ({**_SIZE, "homography_image_to_map": _NAN}, "homography_image_to_map.*not finite"),
        ({"width": 0, "height": 360, "homography_image_to_map": _EYE}, "positive, got 0x360"),
        ({"width": "wide", "height": 360, "homography_image_to_map": _EYE}, "image size"),
        ({"width": float("inf"), "height": 360, "homography_image_to_map": _EYE}, "image size"),
        ({"image_size": 640, "homography_image_to_map": _EYE}, "image size"),
        ({"image_size": [640], "homography_image_to_map": _EYE}, "image size"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(config, named):
    with pytest.raises(InvalidCalibrationError, match=f"(?s){named}"):
        CameraModel.from_mapping(config)


def test_k_r_t_are_the_same_camera_as_their_product():
    P = looking_at_ground()
    f = P[2, :3] @ P[2, :3]
    assert f == pytest.approx(1)
    K = np.array([[502.3, 0, 320], [0, 502.3, 180], [0, 0, 1]])
    R = np.array([[1, 0, 0], [0, -np.sin(0.4), -np.cos(0.4)], [0, np.cos(0.4), -np.sin(0.4)]])
    t = -R @ np.array([1.0, 2.0, 4.0])
    config = {"K": K.tolist(), "R": R.tolist(), "t": t.tolist(), "image_size": SIZE}
    np.testing.assert_allclose(CameraModel.from_mapping(config).projection, K @ np.column_stack([R, t]))
    np.testing.assert_allclose(CameraModel.from_mapping(config).centre_m(), [1, 2, 4])


# -- real cameras --------------------------------------------------------------------------------------------


def truth(name: str) -> dict:
    path = TRUTH / name
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    return json.loads(path.read_text())


def wildtrack_cameras() -> dict[str, CameraModel]:
    data = truth("wildtrack_cameras.json")
    return {n: CameraModel.from_mapping(c, tuple(data["image_size"])) for n, c in data["cameras"].items()}


def test_wildtrack_cameras_hang_on_their_masts():
    """Seven calibrated cameras, known to hang a little above head height around a square."""
    cameras = wildtrack_cameras()
    assert len(cameras) == 7
    for name, camera in cameras.items():
        x, y, z = camera.centre_m()
        assert 1.5 < z < 5, f"camera {name}"
        assert -40 < x < 40, f"camera {name}"
        assert -40 < y < 60, f"camera {name}"
        pixels = pixels_on_ground(camera)
        np.testing.assert_allclose(camera.to_image(camera.to_map(pixels)), pixels, atol=1e-4)


@pytest.mark.parametrize("name", [str(n) for n in range(1, 8)])
def test_heights_are_recovered_from_the_homography_of_a_real_camera(name):
    """From the ground plane alone, heads of people come out near where the full calibration puts them.

    The principal point of these cameras is not quite central, which recovery has to assume.
    """
    known = wildtrack_cameras()[name]
    recovered = CameraModel.from_homography(known.image_to_map, known.image_size)
    assert recovered.projection is not None
    foot = np.array([[1920 * u, 1080 * v] for u in (0.3, 0.5, 0.7) for v in (0.6, 0.75, 0.9)])
    positions = known.to_map(foot)
    expected, got = known.to_image(positions, 1.7), recovered.to_image(positions, 1.7)
    size = np.abs(expected[:, 1] - foot[:, 1])
    assert (np.linalg.norm(got - expected, axis=1) < 0.25 * size).all()


def test_the_pets_camera_places_people_as_its_truth_does():
    """Foot points of true boxes land where the truth says, within the noise of hand-drawn boxes."""
    camera = CameraModel.from_mapping(truth("pets09_s2l1_camera.json"))
    rows = np.loadtxt(TRUTH / "pets09_s2l1_frames_0000_0399.csv", delimiter=",", skiprows=1)
    foot = np.column_stack([(rows[:, 2] + rows[:, 4]) / 2, rows[:, 5]])
    error = np.linalg.norm(camera.to_map(foot) - rows[:, 6:8], axis=1)
    assert np.median(error) < 0.5
    boxes = camera.person_boxes(rows[:, 6:8])
    heights = (boxes[:, 3] - boxes[:, 1]) / (rows[:, 5] - rows[:, 3])
    assert np.median(heights) == pytest.approx(1, abs=0.2), "people of 1.7 m are as tall as the boxes"
