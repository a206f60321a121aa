"""What a camera should show of people: who hides whom, and the habits that it teaches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workers.mapping.projection import PersonProjection
from workers.tracking.cameras import (
    RATE_MEMORY,
    USUAL_RATES,
    VISIBLE,
    CameraBank,
    hidden_share,
    where_others_see,
)
from workers.tracking.settings import TrackerSettings
from workers.tracking.tests.people import NORTH, SOUTH

quick = settings(max_examples=60, deadline=None, derandomize=True)
CAMERA_NORTH, CAMERA_SOUTH = 0, 1


@pytest.fixture
def bank() -> CameraBank:
    chosen = TrackerSettings()
    projection = PersonProjection.of_map([NORTH, SOUTH], chosen.height_m, chosen.height_sigma_m)
    return CameraBank(projection, chosen)


def at(*places: tuple[float, float]) -> np.ndarray:
    """(n, 3) people of usual height."""
    return np.array([(x, y, 1.70) for x, y in places]).reshape(-1, 3)


# -- who hides whom ------------------------------------------------------------------------------------------


def test_who_is_nearer_hides_who_is_farther():
    boxes = np.array([[0, 0, 10, 40], [5, 10, 15, 50]], float)
    assert hidden_share(boxes, np.array([9.0, 5.0]), boxes, np.array([9.0, 5.0])).tolist() == [0.375, 0.0]
    assert hidden_share(boxes, np.array([5.0, 9.0]), boxes, np.array([5.0, 9.0])).tolist() == [0.0, 0.375]


def test_equally_far_people_do_not_hide_one_another():
    box = np.array([[0, 0, 10, 40]], float)
    assert hidden_share(box, np.array([5.0]), box, np.array([5.0])).tolist() == [0.0]


def test_several_in_front_hide_independently():
    """Two who hide one half each leave a quarter: whether they hide the same half is not known."""
    box, half = np.array([[0, 0, 10, 40]], float), [0, 0, 5, 40]
    hidden = hidden_share(box, np.array([9.0]), np.array([half, half], float), np.array([3.0, 4.0]))
    assert hidden == pytest.approx([0.75])


def test_nobody_hides_nobody():
    box, none = np.array([[0, 0, 10, 40]], float), np.empty((0, 4))
    assert hidden_share(box, np.ones(1), none, np.empty(0)).tolist() == [0.0]
    assert hidden_share(none, np.empty(0), box, np.ones(1)).tolist() == []


@quick
@given(
    arrays(float, (5, 4), elements=st.floats(-500, 1500)),
    arrays(float, 5, elements=st.floats(0.1, 100)),
)
def test_hidden_is_a_share_and_the_nearest_is_never_hidden(boxes, depth):
    boxes = np.column_stack([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])])
    hidden = hidden_share(boxes, depth, boxes, depth)
    assert ((hidden >= 0) & (hidden <= 1)).all()
    assert hidden[np.argmin(depth)] == 0


def test_a_person_in_front_lowers_what_shows_and_how_probably_it_is_found(bank):
    """From the south y = 10 m is in front of y = 11.5 m, from the north it is the other way round."""
    north, south = bank.sights(np.array([CAMERA_NORTH, CAMERA_SOUTH]), at((0, 10), (0, 11.5)))
    assert [south.visible[0], north.visible[1]] == pytest.approx([1, 1])
    assert south.visible[1] < 0.5 > north.visible[0]
    assert south.rate[1] < south.rate[0]
    # where the feet are hidden, a box probably ends above them
    assert south.feet_cut[1] > 5 * south.feet_cut[0]


def test_others_hide_instead_of_one_another(bank):
    """Proposals of newcomers may be one and the same person: only those who are known hide them."""
    (sight,) = bank.sights(np.array([CAMERA_SOUTH]), at((0, 10), (0, 11.5)), others=at())
    assert sight.visible == pytest.approx([1, 1])
    (sight,) = bank.sights(np.array([CAMERA_SOUTH]), at((0, 11.5)), others=at((0, 10)))
    assert sight.visible[0] < 0.5


def test_who_is_behind_a_camera_is_not_in_its_view(bank):
    north, south = bank.sights(np.array([CAMERA_NORTH, CAMERA_SOUTH]), at((0, 12), (0, -5)))
    assert south.rows.tolist() == [0]
    assert len(south) == 1
    assert 0 in north.rows


# -- habits: where boxes are ---------------------------------------------------------------------------------


def teach(bank: CameraBank, bias: np.ndarray, frames: int = 500, wild: float = 0.0) -> None:
    """The southern camera sees people whom others place to a centimetre, with boxes that are off by `bias`.

    Args:
        bias: (3,) of middle, feet, head as shares of the figure's height.
        wild: share of boxes that are somebody else's.
    """
    rng = np.random.default_rng(4)
    for _ in range(frames):
        people = at(*zip(rng.uniform(-3, 3, 4), rng.uniform(9, 15, 4), strict=True))
        (sight,) = bank.sights(np.array([CAMERA_SOUTH]), people)
        truth = bank.projection.figures(np.full(len(sight), CAMERA_SOUTH), people[sight.rows]).edges_px
        error = bias + rng.normal(size=truth.shape) * np.sqrt(sight.variances)
        error[rng.random(len(sight)) < wild] = 0.6
        edges = truth + error * sight.scale_px[:, None]
        still = np.zeros((len(sight), 3))
        bank.learn_bias(CAMERA_SOUTH, sight, edges, still, np.tile(np.eye(3) * 1e-4, (len(sight), 1, 1)))


@pytest.mark.parametrize("bias", [(0.05, -0.04, 0.02), (-0.03, 0.06, -0.05), (0.0, 0.0, 0.0)], ids=str)
def test_a_camera_whose_boxes_are_always_off_is_found_out(bank, bias):
    teach(bank, np.array(bias))
    np.testing.assert_allclose(bank.bias[CAMERA_SOUTH], bias, atol=0.006)
    assert (bank.bias[CAMERA_NORTH] == 0).all()
    # from then on its figures are expected where its boxes are
    (sight,) = bank.sights(np.array([CAMERA_SOUTH]), at((0, 12)))
    truth = bank.projection.figures(np.array([CAMERA_SOUTH]), at((0, 12)))
    np.testing.assert_allclose((sight.edges_px - truth.edges_px) / truth.scale_px, [bias], atol=0.006)


def test_and_its_people_stand_where_they_stand(bank):
    """Located by a biased box alone, before and after."""
    bias = np.array([0.05, -0.05, -0.05])
    figure = bank.projection.figures(np.array([CAMERA_SOUTH]), at((0, 12)), bias[None])
    before, _, _ = bank.persons(np.array([CAMERA_SOUTH]), figure.boxes_px)
    teach(bank, bias)
    after, _, placed = bank.persons(np.array([CAMERA_SOUTH]), figure.boxes_px)
    assert placed.all()
    assert np.linalg.norm(before[0, :2] - (0, 12)) > 0.2
    assert np.linalg.norm(after[0, :2] - (0, 12)) < 0.05


def test_a_few_boxes_teach_little(bank):
    teach(bank, np.array([0.05, 0.05, 0.05]), frames=1)
    assert (bank.bias[CAMERA_SOUTH] > 0).any()
    assert (np.abs(bank.bias[CAMERA_SOUTH]) < 0.03).all()


def test_boxes_of_somebody_else_are_not_a_habit(bank):
    teach(bank, np.array([0.04, 0.0, 0.0]), wild=0.2)
    np.testing.assert_allclose(bank.bias[CAMERA_SOUTH], [0.04, 0, 0], atol=0.008)


# -- habits: whom it finds -----------------------------------------------------------------------------------


def test_before_anything_is_learned_the_usual_rates_hold(bank):
    np.testing.assert_allclose(bank.rate(CAMERA_SOUTH, VISIBLE), USUAL_RATES)
    rates = bank.rate(CAMERA_SOUTH, np.linspace(0, 1, 20))
    assert (np.diff(rates) >= 0).all()
    assert ((rates > 0) & (rates < 1)).all()


def test_a_camera_that_overlooks_half_of_them_is_believed_less(bank):
    rng = np.random.default_rng(2)
    for _ in range(300):
        bank.learn_rate(CAMERA_SOUTH, np.ones(10), rng.random(10) < 0.5)
    assert bank.rate(CAMERA_SOUTH, np.ones(1))[0] == pytest.approx(0.5, abs=0.05)
    # of hidden people it said nothing, and nothing of other cameras
    assert bank.rate(CAMERA_SOUTH, VISIBLE[:1])[0] == pytest.approx(USUAL_RATES[0])
    np.testing.assert_allclose(bank.rate(CAMERA_NORTH, VISIBLE), USUAL_RATES)


@pytest.mark.parametrize("found", [True, False])
def test_no_camera_is_ever_perfect_or_blind(bank, found):
    for _ in range(100):
        bank.learn_rate(CAMERA_SOUTH, np.full(100, 0.9), np.full(100, found))
    assert 0 < bank.rate(CAMERA_SOUTH, np.ones(1))[0] < 1
    assert bank.tried[CAMERA_SOUTH].max() <= RATE_MEMORY


def test_what_was_long_ago_is_forgotten(bank):
    """A lens is cleaned: the rate follows."""
    for found in (False, True):
        for _ in range(120):
            bank.learn_rate(CAMERA_SOUTH, np.ones(100), np.full(100, found))
    assert bank.rate(CAMERA_SOUTH, np.ones(1))[0] > 0.9


def test_nobody_teaches_nothing(bank):
    before = {name: value.copy() for name, value in bank.to_state().items()}
    (sight,) = bank.sights(np.array([CAMERA_SOUTH]), at())
    bank.learn_rate(CAMERA_SOUTH, np.empty(0), np.empty(0, bool))
    bank.learn_bias(CAMERA_SOUTH, sight, np.empty((0, 3)), np.empty((0, 3)), np.empty((0, 3, 3)))
    for name, value in bank.to_state().items():
        np.testing.assert_array_equal(value, before[name])


# -- state ---------------------------------------------------------------------------------------------------


def test_habits_survive_a_checkpoint_and_are_then_apart(bank):
    teach(bank, np.array([0.05, -0.03, 0.02]), frames=20)
    bank.learn_rate(CAMERA_NORTH, np.array([0.1, 0.9]), np.array([False, True]))
    other = CameraBank(bank.projection, bank.settings)
    other.restore(bank.to_state())
    kept = {name: value.copy() for name, value in bank.to_state().items()}
    for name, value in other.to_state().items():
        np.testing.assert_array_equal(value, kept[name])
    teach(other, np.array([0.05, -0.03, 0.02]), frames=20)
    other.learn_rate(CAMERA_NORTH, np.ones(3), np.ones(3, bool))
    for name, value in bank.to_state().items():
        np.testing.assert_array_equal(value, kept[name])


# -- where the others see somebody ---------------------------------------------------------------------------


def test_without_other_cameras_the_prediction_stands():
    precision = np.diag([4.0, 4.0, 100.0])[None]
    shift, covariance = where_others_see(precision, np.zeros((1, 3, 3)), np.zeros((1, 3)))
    assert shift.tolist() == [[0, 0, 0]]
    np.testing.assert_allclose(covariance[0], np.diag([0.25, 0.25, 0.01]))


def test_another_camera_moves_it_in_proportion_to_what_it_knows():
    """It says 1 m to the east, as surely as the prediction says here: half way."""
    precision = np.diag([4.0, 4.0, 100.0])[None]
    information = np.diag([4.0, 0.0, 0.0])[None]
    shift, covariance = where_others_see(precision, information, np.array([[4.0, 0.0, 0.0]]))
    np.testing.assert_allclose(shift, [[0.5, 0, 0]])
    np.testing.assert_allclose(np.diagonal(covariance[0]), [0.125, 0.25, 0.01])
