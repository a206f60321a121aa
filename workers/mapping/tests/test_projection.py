"""Persons into images, and back from their boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration import CameraModel
from calibration.tests.cameras import SIZE, looking_at_ground, projections, quick
from workers.mapping.figures import FARTHEST_M
from workers.mapping.projection import Figures, Noise, PersonProjection

HEIGHT_M = 1.7
USUAL = Noise(middle=0.07, feet=0.04, head=0.05, least_px=1.5)
# boxes to be taken at their word
EXACT = Noise(middle=1e-3, feet=1e-3, head=1e-3, least_px=0.01)
# in front of a camera that hangs 5 m high and looks along +Y
PERSONS = np.array([[0.0, 8.0, 1.7], [-2.0, 10.0, 1.6], [3.0, 14.0, 1.8], [1.0, 20.0, 1.7]])
seeds = st.integers(0, 2**32 - 1)


def on_map(*matrices: np.ndarray) -> PersonProjection:
    return PersonProjection.of_map([CameraModel.from_projection(P, SIZE) for P in matrices], HEIGHT_M, 0.1)


def first(persons: np.ndarray) -> np.ndarray:
    """All persons in camera 0."""
    return np.zeros(len(persons), int)


def somebody(P: np.ndarray, seed: int, count: int = 12) -> np.ndarray:
    """(n, 3) persons whose feet are in the image, less than 40 m away."""
    camera, rng = CameraModel.from_projection(P, SIZE), np.random.default_rng(seed)
    places = camera.to_map(rng.uniform([0, 0], SIZE, (count, 2)))
    near = np.linalg.norm(places - camera.centre_m()[:2], axis=1) < 40
    return np.column_stack([places, rng.uniform(1.5, 1.9, count)])[near]


def whole(figures: Figures, margin_px: float = 0.5) -> np.ndarray:
    """(k,) bool: nothing is cut, by a margin."""
    low, high = figures.boxes_px[:, :2], figures.boxes_px[:, 2:]
    return (figures.share > 0) & (low > margin_px).all(1) & (high < np.array(SIZE) - margin_px).all(1)


def positive_definite(covariances: np.ndarray) -> bool:
    symmetric = np.allclose(covariances, covariances.transpose(0, 2, 1), rtol=1e-6, atol=1e-9)
    return bool(np.isfinite(covariances).all() and symmetric and (np.linalg.eigvalsh(covariances) > 0).all())


# -- there and back ------------------------------------------------------------------------------------------


@quick
@given(projections(), seeds)
def test_whole_figures_are_placed_where_they_stand(P, seed):
    """The box of somebody of usual height, whatever the detector's errors are thought to be."""
    projection, persons = on_map(P), somebody(P, seed)
    persons[:, 2] = HEIGHT_M
    figures = projection.figures(first(persons), persons)
    for noise in (USUAL, EXACT):
        found, covariances, placed = projection.persons(first(persons), figures.boxes_px, noise)
        fully = whole(figures, margin_px=3)
        assert placed[fully].all()
        np.testing.assert_allclose(found[fully], persons[fully], atol=0.02)
        assert positive_definite(covariances)


@quick
@given(projections(), seeds)
def test_the_tall_and_the_short_are_told_by_their_boxes(P, seed):
    """An exact box outweighs what is known of heights. One that ends near a border could as well be cut there."""
    projection, persons = on_map(P), somebody(P, seed)
    figures = projection.figures(first(persons), persons)
    found, _, placed = projection.persons(first(persons), figures.boxes_px, EXACT)
    # from straight above, heights hardly show
    upright = figures.edges_px[:, 1] - figures.edges_px[:, 2] > 0.5 * figures.scale_px
    clear = whole(figures, margin_px=80) & upright
    assert placed[clear].all()
    np.testing.assert_allclose(found[clear], persons[clear], atol=0.05)


@quick
@given(projections(), seeds)
def test_the_derivative_is_that_of_the_edges(P, seed):
    projection, persons = on_map(P), somebody(P, seed)
    figures = projection.figures(first(persons), persons)
    # pixels per metre change fast right in front of a camera
    step = 1e-5
    differences = np.stack(
        [
            projection.figures(first(persons), persons + step * axis).edges_px
            - projection.figures(first(persons), persons - step * axis).edges_px
            for axis in np.eye(3)
        ],
        2,
    ) / (2 * step)
    fully = whole(figures)
    np.testing.assert_allclose(figures.jacobian[fully], differences[fully], rtol=1e-4, atol=1e-2)


def test_who_is_near_and_whole_is_placed_more_surely():
    projection = on_map(looking_at_ground())
    figures = projection.figures(first(PERSONS), PERSONS)
    _, covariances, _ = projection.persons(first(PERSONS), figures.boxes_px, USUAL)
    spread = np.sqrt(np.linalg.eigvalsh(covariances[:, :2, :2])[:, -1])
    assert (np.diff(spread) > 0).all()
    assert (spread < 1.5).all()


def test_a_detectors_habits_are_allowed_for():
    """Boxes that end a tenth above the feet, and reach as far beyond the head."""
    projection, shift = on_map(looking_at_ground()), np.tile([0.02, -0.1, -0.1], (4, 1))
    persons = PERSONS * [1, 1, 0] + [0, 0, HEIGHT_M]
    boxes = projection.figures(first(persons), persons, shift).boxes_px
    np.testing.assert_allclose(projection.persons(first(persons), boxes, USUAL, shift)[0], persons, atol=0.02)
    unaware, _, _ = projection.persons(first(persons), boxes, USUAL)
    assert (np.linalg.norm(unaware - persons, axis=1) > 0.1).all()


# -- cut and out of view -------------------------------------------------------------------------------------


def test_who_is_cut_at_the_lower_border_is_placed_by_the_head():
    projection = on_map(looking_at_ground())
    person = np.array([[0.4, 4.0, HEIGHT_M]])
    figures = projection.figures(first(person), person)
    box = figures.boxes_px
    assert box[0, 3] == SIZE[1]
    assert 0.3 < figures.share[0] < 0.8
    found, covariances, placed = projection.persons(first(person), box, USUAL)
    assert placed.all()
    np.testing.assert_allclose(found, person, atol=0.1)
    # feet that do not show teach nothing
    assert (figures.jacobian[0, 1] == 0).all()
    assert positive_definite(covariances)


def test_a_figure_is_cut_where_the_image_ends():
    projection = on_map(looking_at_ground())
    ways = np.array([[x, 10.0, HEIGHT_M] for x in np.linspace(0, 9, 40)])
    figures = projection.figures(first(ways), ways)
    assert figures.share[0] == pytest.approx(1)
    assert figures.share[-1] == 0
    assert (np.diff(figures.share) <= 1e-12).all()
    assert (figures.boxes_px >= 0).all()
    assert (figures.boxes_px <= [*SIZE, *SIZE]).all()
    assert (figures.jacobian[figures.share == 0] == 0).all()


@quick
@given(projections(), seeds)
def test_nobody_behind_a_camera_is_in_view(P, seed):
    """Beyond the image plane all is mirrored: a figure might seem to stand there, head down."""
    projection, rng = on_map(P), np.random.default_rng(seed)
    persons = np.column_stack([rng.uniform(-200, 200, (60, 2)), rng.uniform(1.4, 2.0, 60)])
    figures = projection.figures(first(persons), persons)
    behind = np.column_stack([persons[:, :2], np.zeros(60), np.ones(60)]) @ P[2] <= 0
    assert (figures.share[behind] == 0).all()
    for values in vars(figures).values():
        assert np.isfinite(values).all()
    assert ((figures.share >= 0) & (figures.share <= 1)).all()


def test_depth_tells_who_stands_in_front():
    depth = on_map(looking_at_ground()).figures(first(PERSONS), PERSONS).depth
    assert (np.diff(depth) > 0).all()


# -- boxes of no person --------------------------------------------------------------------------------------

odd = st.one_of(
    st.floats(-100, 800),
    st.floats(),
    st.sampled_from([0.0, 359.999, 360.0, 640.0, 1e300, -1e300, np.nan, np.inf]),
)
any_boxes = st.one_of(
    st.tuples(odd, odd, odd, odd),
    st.tuples(st.floats(-50, 650), st.floats(-50, 400), st.floats(0, 300), st.floats(0, 400)).map(
        lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
    ),
)


@quick
@given(projections(), st.lists(any_boxes, min_size=1, max_size=8), st.sampled_from([USUAL, EXACT]))
def test_whatever_the_box_the_person_is_sound_or_none(P, boxes, noise):
    """No box, however odd, gives a covariance that is not one: a single NaN would end a task's tracking."""
    boxes = np.array(boxes)
    for projection in (on_map(P), PersonProjection.of_image(SIZE, HEIGHT_M)):
        found, covariances, placed = projection.persons(first(boxes), boxes, noise)
        assert positive_definite(covariances)
        assert np.isfinite(found).all()
        assert not placed[~np.isfinite(boxes).all(1)].any()
        assert not placed[~((boxes[:, 2:] > boxes[:, :2]).all(1))].any()
        assert (np.abs(found[placed]) < FARTHEST_M).all()
        # who was found there is seen there
        assert (projection.figures(first(boxes), found).share[placed] > 0).all()


def test_boxes_above_the_horizon_are_nobody():
    P = looking_at_ground(tilt_deg=15)
    horizon = CameraModel.from_projection(P, SIZE).to_image(np.array([[0.0, 1e9]]))[0, 1]
    low = horizon + np.array([-40.0, -5.0, -1e-6, 1e-6, 1e-3, 0.1])
    boxes = np.column_stack([np.full(6, 300.0), low - 20, np.full(6, 308.0), low])
    projection = on_map(P)
    assert not projection.persons(first(boxes), boxes, USUAL)[2].any()


def test_two_people_in_one_box_are_no_person():
    projection = on_map(looking_at_ground())
    boxes = projection.figures(first(PERSONS), PERSONS).boxes_px
    boxes[:, 1] -= 1.2 * (boxes[:, 3] - boxes[:, 1])
    assert not projection.persons(first(boxes), boxes, USUAL)[2].any()


# -- other cameras -------------------------------------------------------------------------------------------


@quick
@given(projections(), st.floats(0.1, 10), st.sampled_from([-1, 1]), seeds)
def test_the_scale_of_a_matrix_means_nothing(P, scale, sign, seed):
    persons = somebody(P, seed)
    one, other = (on_map(M).figures(first(persons), persons) for M in (P, sign * scale * P))
    for name, values in vars(one).items():
        np.testing.assert_allclose(values, getattr(other, name), rtol=1e-6, atol=1e-6)


@quick
@given(projections(), seeds)
def test_a_camera_known_by_its_ground_alone_shows_figures_of_the_local_scale(P, seed):
    full = CameraModel.from_projection(P, SIZE)
    camera = CameraModel(full.map_to_image, full.image_to_map, None, SIZE)
    projection = PersonProjection.of_map([camera], HEIGHT_M, 0.1)
    persons = somebody(P, seed)
    figures = projection.figures(first(persons), persons)
    boxes = camera.person_boxes(persons[:, :2], persons[:, 2])
    fully = whole(figures)
    edges = np.column_stack([boxes[:, [0, 2]].mean(1), boxes[:, 3], boxes[:, 1]])
    np.testing.assert_allclose(figures.edges_px[fully], edges[fully], rtol=1e-6, atol=1e-3)
    persons[:, 2] = HEIGHT_M
    figures = projection.figures(first(persons), persons)
    fully = whole(figures, margin_px=3)
    found, _, placed = projection.persons(first(persons), figures.boxes_px, USUAL)
    assert placed[fully].all()
    np.testing.assert_allclose(found[fully], persons[fully], atol=0.02)


def test_without_calibration_the_image_is_the_plane():
    """A person a quarter as high as the image is 1.7 m, so that speeds and gates keep their meaning."""
    projection = PersonProjection.of_image(SIZE, HEIGHT_M)
    boxes = np.array([[100.0, 90.0, 140.0, 180.0], [300.0, 90.0, 340.0, 180.0], [300.0, 100.0, 380.0, 280.0]])
    found, covariances, placed = projection.persons(first(boxes), boxes, USUAL)
    metres_per_px = HEIGHT_M / 90
    assert placed.all()
    assert positive_definite(covariances)
    expected = np.array([[120, 180, 90], [320, 180, 90], [340, 280, 180]]) * metres_per_px
    np.testing.assert_allclose(found, expected, atol=0.02)
    figures = projection.figures(first(boxes), found)
    np.testing.assert_allclose(figures.boxes_px[:, [1, 3]], boxes[:, [1, 3]], atol=1)
    # who stands lower is in front
    assert figures.depth[2] < figures.depth[0] == pytest.approx(figures.depth[1], abs=0.1)


def test_under_a_camera_that_looks_straight_down_heads_point_outwards():
    projection = on_map(looking_at_ground(tilt_deg=90, height_m=6))
    round_about = np.deg2rad([20, 70, 110, 160, 200, 250, 290, 340])
    persons = np.column_stack([1.2 * np.cos(round_about), 1.2 * np.sin(round_about), np.full(8, HEIGHT_M)])
    figures = projection.figures(first(persons), persons)
    np.testing.assert_allclose(figures.share, 1)
    # seen along +Y: for those nearer than the camera's foot, the head is the lower edge
    foot = CameraModel.from_projection(looking_at_ground(tilt_deg=90, height_m=6), SIZE).to_image(
        persons[:, :2]
    )
    feet_are = np.where(persons[:, 1] < 0, figures.edges_px[:, 2], figures.edges_px[:, 1])
    np.testing.assert_allclose(feet_are, foot[:, 1], atol=1e-6)
    found, covariances, placed = projection.persons(first(persons), figures.boxes_px, USUAL)
    assert placed.all()
    assert positive_definite(covariances)
    np.testing.assert_allclose(found, persons, atol=0.05)


# -- many at once --------------------------------------------------------------------------------------------


@quick
@given(st.lists(projections(), min_size=2, max_size=4), seeds)
def test_many_cameras_at_once_are_each_by_itself(matrices, seed):
    together, rng = on_map(*matrices), np.random.default_rng(seed)
    assert len(together) == len(matrices)
    persons = np.vstack([somebody(P, seed) for P in matrices])
    cameras = rng.integers(0, len(matrices), len(persons))
    shift = rng.normal(0, 0.02, (len(persons), 3))
    figures = together.figures(cameras, persons, shift)
    found = together.persons(cameras, figures.boxes_px, USUAL, shift)
    for c, P in enumerate(matrices):
        mine = cameras == c
        alone = on_map(P)
        by_itself = alone.figures(first(persons[mine]), persons[mine], shift[mine])
        for name, values in vars(figures).items():
            np.testing.assert_allclose(values[mine], getattr(by_itself, name), rtol=1e-9, atol=1e-9)
        again = alone.persons(first(persons[mine]), figures.boxes_px[mine], USUAL, shift[mine])
        for values, its in zip(found, again, strict=True):
            np.testing.assert_allclose(values[mine], its, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "projection",
    [on_map(looking_at_ground()), PersonProjection.of_image(SIZE, HEIGHT_M)],
    ids=["map", "image"],
)
def test_nobody_is_no_special_case(projection):
    none = np.empty(0, int)
    figures = projection.figures(none, np.empty((0, 3)))
    assert figures.boxes_px.shape == (0, 4)
    found, covariances, placed = projection.persons(none, np.empty((0, 4)), USUAL)
    assert (found.shape, covariances.shape, placed.shape) == ((0, 3), (0, 3, 3), (0,))


def test_a_map_without_cameras_shows_nobody():
    assert len(PersonProjection.of_map([], HEIGHT_M, 0.1)) == 0
