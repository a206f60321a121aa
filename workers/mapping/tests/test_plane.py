"""Where a box says its person stands, and how sure that is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration import CameraModel
from calibration.tests.cameras import SIZE, looking_at_ground, projections, quick
from workers.mapping.plane import PERSON_HEIGHT_M, GroundPlane, ImagePlane
from workers.tracking.views import View

# in front of a camera that hangs 5 m high and looks along +Y
PLACES_M = np.array([[0.0, 8.0], [-2.0, 10.0], [3.0, 14.0], [1.0, 20.0]])


@pytest.fixture
def camera() -> CameraModel:
    return CameraModel.from_projection(looking_at_ground(), SIZE)


@pytest.fixture
def plane(camera: CameraModel) -> GroundPlane:
    return GroundPlane(camera)


@pytest.fixture
def figures(camera: CameraModel) -> np.ndarray:
    """(4, 4) boxes of persons of usual height at PLACES_M."""
    return camera.person_boxes(PLACES_M, PERSON_HEIGHT_M)


def spread_m(covariances_m2: np.ndarray) -> np.ndarray:
    """(n,) greatest standard deviation, metres."""
    return np.sqrt(np.linalg.eigvalsh(covariances_m2)[:, -1])


def errors_m(plane: GroundPlane, boxes_px: np.ndarray) -> np.ndarray:
    return np.linalg.norm(plane.locate(boxes_px)[0] - PLACES_M, axis=1)


def test_whole_figures_are_located_within_centimetres(plane, figures):
    assert (errors_m(plane, figures) < 0.08).all()


def test_near_persons_are_located_more_surely(plane, figures):
    _, covariances = plane.locate(figures)
    assert (np.diff(spread_m(covariances)[[0, 2, 3]]) > 0).all()
    assert (spread_m(covariances) < 1.5).all()


def test_the_head_helps_the_feet(camera, plane, figures):
    """Head and feet together are surer than the feet alone, as a camera known by its ground only has them."""
    homography = CameraModel.from_homography(camera.image_to_map, SIZE)
    feet_only = GroundPlane(CameraModel(homography.map_to_image, homography.image_to_map, None, SIZE))
    by_both, by_feet = (spread_m(p.locate(figures)[1]) for p in (plane, feet_only))
    assert (by_both < 0.9 * by_feet).all()
    assert (errors_m(feet_only, figures) < 0.1).all()


def test_hidden_feet_are_replaced_by_the_head(plane, figures):
    """Behind a wall, half of the figure shows: by its feet the person would stand metres too far away."""
    cut = figures.copy()
    cut[:, 3] -= 0.5 * (cut[:, 3] - cut[:, 1])
    feet = plane.camera.to_map(np.column_stack([cut[:, [0, 2]].mean(1), cut[:, 3]]))
    assert (np.linalg.norm(feet - PLACES_M, axis=1) > 1.5).all()
    assert (errors_m(plane, cut) < 0.1).all()


def test_too_tall_a_box_is_located_somewhere_within_a_wide_uncertainty(plane, figures):
    """Two persons behind each other in one box: it stands for neither, and says so."""
    tall = figures.copy()
    tall[:, 1] -= 1.2 * (tall[:, 3] - tall[:, 1])
    positions, covariances = plane.locate(tall)
    _, usual = plane.locate(figures)
    assert np.isfinite(positions).all()
    assert (spread_m(covariances) > 2 * spread_m(usual)).all()
    assert (np.linalg.norm(positions - PLACES_M, axis=1) < 2.5 * spread_m(covariances)).all()


def test_boxes_above_the_horizon_have_no_place_and_are_ignored(plane, camera, figures):
    horizon = camera.to_image(np.array([[0.0, 1e6]]))[0, 1]
    bird = np.array([[300.0, horizon - 60, 320.0, horizon - 20]])
    positions, _ = plane.locate(np.vstack([bird, figures]))
    assert np.isnan(positions[0]).all()
    assert np.isfinite(positions[1:]).all()
    view = View.of("c01", plane, SIZE, np.vstack([bird, figures]), np.ones(5), np.empty((5, 0)))
    assert view.placed.tolist() == [False, True, True, True, True]
    assert np.isfinite(view.positions_m).all()


@quick
@given(
    projections(),
    st.lists(
        st.tuples(st.floats(-50, 650), st.floats(-50, 400), st.floats(0, 300), st.floats(0, 400)),
        min_size=1,
        max_size=8,
    ),
)
def test_whatever_the_box_the_place_is_sound_or_none(P, corners):
    """No box, however odd, gives a covariance that is not one: a single NaN would end a task's tracking."""
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h in corners])
    positions, covariances = GroundPlane(CameraModel.from_projection(P, SIZE)).locate(boxes)
    placed = np.isfinite(positions).all(1)
    assert np.isfinite(covariances[placed]).all()
    np.testing.assert_allclose(
        covariances[placed], covariances[placed].transpose(0, 2, 1), rtol=1e-6, atol=1e-9
    )
    assert (np.linalg.eigvalsh(covariances[placed]) > 0).all()
    a, b, c, d = (covariances[placed][:, i, j] for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
    assert (a * d - b * c > 0).all()


def test_boxes_just_below_the_horizon_are_no_persons(plane, camera):
    """A foot a millionth of a pixel below the horizon would stand behind the moon."""
    horizon = camera.to_image(np.array([[0.0, 1e9]]))[0, 1]
    below = horizon + np.array([1e-6, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 5.0])
    boxes = np.column_stack([np.full(7, 300.0), below - 10, np.full(7, 305.0), below])
    positions, covariances = plane.locate(boxes)
    placed = np.isfinite(positions).all(1)
    assert placed.tolist() == [False] * 5 + [True] * 2
    assert (np.linalg.det(covariances[placed]) > 0).all()


def test_boxes_come_back_from_their_places(plane, camera):
    assert np.array_equal(plane.boxes_at(PLACES_M), camera.person_boxes(PLACES_M))
    assert np.isnan(plane.boxes_at(np.array([[0.0, -10.0]]))).all()


def test_without_calibration_the_image_is_the_plane():
    """A person a quarter as high as the image is 1.7 m, so that speeds and gates keep their meaning."""
    plane = ImagePlane((640, 360))
    boxes = np.array([[100.0, 90.0, 140.0, 180.0], [300.0, 90.0, 340.0, 180.0]])
    positions, covariances = plane.locate(boxes)
    metres_per_px = 1.7 / 90
    np.testing.assert_allclose(positions, np.array([[120, 180], [320, 180]]) * metres_per_px)
    assert (np.linalg.eigvalsh(covariances) > 0).all()
    # nobody can be missed where nobody can be foreseen
    assert np.isnan(plane.boxes_at(positions)).all()


@pytest.mark.parametrize("make", [lambda camera: GroundPlane(camera), lambda camera: ImagePlane(SIZE)])
def test_no_boxes_no_places(make, camera):
    positions, covariances = make(camera).locate(np.empty((0, 4)))
    assert positions.shape == (0, 2)
    assert covariances.shape == (0, 2, 2)
