"""What a camera should show of people: who hides whom, and the habits that it teaches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workers.mapping.projection import PersonProjection
from workers.tracking.cameras import CameraBank, hidden_shares, rate_of
from workers.tracking.habits import (
    LEAST_SPREAD,
    RATE_MEMORY,
    USUAL_RATES,
    VISIBLE,
    Lessons,
    learn,
    learn_errors,
    learn_rate,
)
from workers.tracking.saying import Told
from workers.tracking.settings import TrackerSettings
from workers.tracking.tests.people import NORTH, SOUTH

quick = settings(max_examples=60, deadline=None, derandomize=True)
CAMERA_NORTH, CAMERA_SOUTH = 0, 1
BOTH, SOUTHERN = np.array([CAMERA_NORTH, CAMERA_SOUTH]), np.array([CAMERA_SOUTH])


@pytest.fixture
def bank() -> CameraBank:
    chosen = TrackerSettings()
    projection = PersonProjection.of_map([NORTH, SOUTH], chosen.height_m, chosen.height_sigma_m)
    return CameraBank(projection, chosen)


def at(*places: tuple[float, float]) -> np.ndarray:
    """(n, 3) people of usual height."""
    return np.array([(x, y, 1.70) for x, y in places]).reshape(-1, 3)


# -- who hides whom ------------------------------------------------------------------------------------------


def hidden(boxes_px, depth, inside=None, groups=None) -> list[float]:
    """Which shares of some boxes are hidden, in one view; all of one group unless `groups` say where each begins."""
    boxes_px, depth = np.array(boxes_px, float).reshape(-1, 4), np.array(depth, float)
    share = np.ones(len(depth)) if inside is None else np.array(inside, float)
    starts = np.array([0, len(depth)] if groups is None else groups)
    (result,) = hidden_shares(boxes_px[None], depth[None], share[None], starts)
    return result.tolist()


ONE, BESIDE = [0, 0, 10, 40], [5, 10, 15, 50]


def test_who_is_nearer_hides_who_is_farther():
    assert hidden([ONE, BESIDE], [9.0, 5.0]) == [0.375, 0.0]
    assert hidden([ONE, BESIDE], [5.0, 9.0]) == [0.0, 0.375]


def test_equally_far_people_do_not_hide_one_another():
    assert hidden([ONE, ONE], [5.0, 5.0]) == [0.0, 0.0]


def test_several_in_front_hide_independently():
    """Two who hide one half each leave a quarter: whether they hide the same half is not known."""
    half = [0, 0, 5, 40]
    assert hidden([ONE, half, half], [9.0, 3.0, 3.0]) == pytest.approx([0.75, 0, 0])


def test_who_is_not_in_view_hides_nobody():
    assert hidden([ONE, BESIDE], [9.0, 5.0], inside=[1, 0]) == [0.0, 0.0]


def test_who_is_of_another_group_hides_nobody():
    assert hidden([ONE, BESIDE, BESIDE], [9.0, 5.0, 5.0], groups=[0, 2, 3]) == [0.375, 0.0, 0.0]
    assert hidden([ONE, BESIDE, BESIDE], [9.0, 5.0, 5.0], groups=[0, 1, 3]) == [0.0, 0.0, 0.0]


def test_nobody_hides_nobody():
    assert hidden([ONE], [1.0]) == [0.0]
    assert hidden([], []) == []


@quick
@given(
    arrays(float, (5, 4), elements=st.floats(-500, 1500)),
    arrays(float, 5, elements=st.floats(0.1, 100)),
)
def test_hidden_is_a_share_and_the_nearest_is_never_hidden(boxes, depth):
    boxes = np.column_stack([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])])
    shares = np.array(hidden(boxes, depth))
    assert ((shares >= 0) & (shares <= 1)).all()
    assert shares[np.argmin(depth)] == 0


def test_a_person_in_front_lowers_what_shows_and_how_probably_it_is_found(bank):
    """From the south y = 10 m is in front of y = 11.5 m, from the north it is the other way round."""
    sights = bank.sights(BOTH, at((0, 10), (0, 11.5)))
    north, south = sights.visible
    assert [south[0], north[1]] == pytest.approx([1, 1])
    assert south[1] < 0.5 > north[0]
    assert sights.rate[CAMERA_SOUTH, 1] < sights.rate[CAMERA_SOUTH, 0]
    # where the feet are hidden, a box probably ends above them
    assert sights.feet_cut[CAMERA_SOUTH, 1] > 5 * sights.feet_cut[CAMERA_SOUTH, 0]


def test_groups_know_nothing_of_one_another(bank):
    """Proposals of newcomers may be one and the same person, hypotheses are of the same people."""
    people = at((0, 10), (0, 11.5))
    apart = bank.sights(BOTH, people, starts=np.array([0, 1, 2]))
    assert apart.visible == pytest.approx(np.ones((2, 2)))
    twice = bank.sights(BOTH, np.concatenate([people, people]), starts=np.array([0, 2, 4]))
    once = bank.sights(BOTH, people)
    for values, again in zip(once, twice, strict=True):
        np.testing.assert_array_equal(again, np.concatenate([values, values], 1))
    for values, again in zip(once, twice.take(np.array([2, 1])), strict=True):
        np.testing.assert_array_equal(again, values)


def test_who_is_behind_a_camera_is_not_in_its_view(bank):
    north, south = bank.sights(BOTH, at((0, 12), (0, -5))).inside
    assert south.tolist() == [True, False]
    assert north[0]


# -- habits: where boxes are ---------------------------------------------------------------------------------


def teach(
    bank: CameraBank,
    bias: np.ndarray,
    frames: int = 500,
    wild: float = 0.0,
    deviations=None,
    others_m=0.01,
    many=4,
) -> None:
    """The southern camera sees people whom others place, with boxes that are off by `bias`.

    Args:
        bias: (3,) of middle, feet, head as shares of the figure's height.
        wild: share of boxes that are somebody else's.
        deviations: (3,) how much its boxes vary, as shares of the figure's height; as usual if None.
        others_m: how precisely the others know where people are (m).
        many: so many people are there.
    """
    rng = np.random.default_rng(4)
    usual = np.array([bank.noise.middle, bank.noise.feet, bank.noise.head])
    deviations = usual if deviations is None else np.array(deviations)
    for _ in range(frames):
        people = at(*zip(rng.uniform(-3, 3, many), rng.uniform(9, 15, many), strict=True))
        # as others place them
        placed = people + rng.normal(0, others_m, people.shape)
        sights = bank.sights(SOUTHERN, placed)
        inside = np.flatnonzero(sights.inside[0])
        scale = sights.scale_px[0, inside, None]
        truth = bank.projection.figures(np.full(len(inside), CAMERA_SOUTH), people[inside]).edges_px / scale
        pixels = bank.settings.noise_px / scale
        error = bias + rng.normal(size=truth.shape) * np.sqrt(deviations**2 + pixels**2)
        error[rng.random(len(inside)) < wild] = 0.6
        learn_errors(
            bank.habits,
            CAMERA_SOUTH,
            sights.jacobian[0],
            sights.variances[0],
            inside,
            truth + error - sights.edges[0, inside],
            np.zeros((len(inside), 3)),
            np.tile(np.eye(3) * others_m**2, (len(inside), 1, 1)),
        )


@pytest.mark.parametrize("bias", [(0.05, -0.04, 0.02), (-0.03, 0.06, -0.05), (0.0, 0.0, 0.0)], ids=str)
def test_a_camera_whose_boxes_are_always_off_is_found_out(bank, bias):
    teach(bank, np.array(bias))
    np.testing.assert_allclose(bank.habits.bias[CAMERA_SOUTH], bias, atol=0.006)
    assert (bank.habits.bias[CAMERA_NORTH] == 0).all()
    # from then on its figures are expected where its boxes are
    sights = bank.sights(SOUTHERN, at((0, 12)))
    truth = bank.projection.figures(SOUTHERN, at((0, 12)))
    np.testing.assert_allclose(sights.edges[0] - truth.edges_px / truth.scale_px, [bias], atol=0.006)


def test_and_its_people_stand_where_they_stand(bank):
    """Located by a biased box alone, before and after."""
    bias = np.array([0.05, -0.05, -0.05])
    figure = bank.projection.figures(SOUTHERN, at((0, 12)), bias[None])
    before, _, _ = bank.persons(SOUTHERN, figure.boxes_px)
    teach(bank, bias)
    after, _, placed = bank.persons(SOUTHERN, figure.boxes_px)
    assert placed.all()
    assert np.linalg.norm(before[0, :2] - (0, 12)) > 0.2
    assert np.linalg.norm(after[0, :2] - (0, 12)) < 0.05


def test_a_few_boxes_teach_little(bank):
    teach(bank, np.array([0.05, 0.05, 0.05]), frames=1)
    assert (bank.habits.bias[CAMERA_SOUTH] > 0).any()
    assert (np.abs(bank.habits.bias[CAMERA_SOUTH]) < 0.03).all()


def test_boxes_of_somebody_else_are_not_a_habit(bank):
    teach(bank, np.array([0.04, 0.0, 0.0]), wild=0.2)
    np.testing.assert_allclose(bank.habits.bias[CAMERA_SOUTH], [0.04, 0, 0], atol=0.008)


# -- habits: how much boxes vary -----------------------------------------------------------------------------

USUAL_DEVIATIONS = np.array(
    [TrackerSettings().noise_middle, TrackerSettings().noise_feet, TrackerSettings().noise_head]
)
NOISY, PRECISE = np.array([0.12, 0.09, 0.08]), np.array([0.025, 0.02, 0.015])


@pytest.mark.parametrize("deviations", [USUAL_DEVIATIONS, NOISY, PRECISE], ids=["usual", "noisy", "precise"])
def test_how_much_a_cameras_boxes_vary_is_found_out(bank, deviations):
    teach(bank, np.zeros(3), deviations=deviations, many=30)
    np.testing.assert_allclose(np.sqrt(bank.habits.spread[CAMERA_SOUTH]), deviations, rtol=0.25)
    # nothing of the other camera
    np.testing.assert_array_equal(bank.habits.spread[CAMERA_NORTH], USUAL_DEVIATIONS**2)
    # and from then on it is expected of it, pixels apart
    sights = bank.sights(BOTH, at((0, 12)))
    pixels = (bank.settings.noise_px / sights.scale_px[..., None]) ** 2
    np.testing.assert_allclose(sights.variances - pixels, bank.habits.spread[:, None])


def test_what_the_others_do_not_know_is_not_the_cameras_error(bank):
    """They know where people are to within 10 cm, which is more than what its boxes vary by."""
    teach(bank, np.zeros(3), 1000, others_m=0.1)
    np.testing.assert_allclose(np.sqrt(bank.habits.spread[CAMERA_SOUTH]), USUAL_DEVIATIONS, rtol=0.1)


@pytest.mark.parametrize(("deviations", "sign"), [(NOISY, 1), (PRECISE, -1)], ids=["noisy", "precise"])
def test_from_others_who_are_unsure_it_learns_slowly(bank, deviations, sign):
    teach(bank, np.zeros(3), 1000, deviations=deviations, others_m=0.1)
    learned = np.sqrt(bank.habits.spread[CAMERA_SOUTH])
    assert (sign * learned > sign * USUAL_DEVIATIONS).all()
    assert (sign * learned < sign * deviations).all()


def test_a_precise_camera_is_told_from_a_noisy_one_soon(bank):
    teach(bank, np.zeros(3), 100, deviations=PRECISE)
    assert (bank.habits.spread[CAMERA_SOUTH] < 0.75 * USUAL_DEVIATIONS**2).all()
    # a few boxes teach little
    assert (bank.habits.spread[CAMERA_SOUTH] > PRECISE**2).all()


def test_no_detector_is_ever_perfect(bank):
    """Boxes without any error, and people whom others know to a hair."""
    still, certain = np.zeros((50, 3)), np.zeros((50, 3, 3))
    for _ in range(500):
        sights = bank.sights(SOUTHERN, np.tile(at((0, 12)), (50, 1)))
        learn_errors(
            bank.habits,
            CAMERA_SOUTH,
            sights.jacobian[0],
            sights.variances[0],
            np.arange(50),
            still,
            still,
            certain,
        )
    assert (bank.habits.spread[CAMERA_SOUTH] >= LEAST_SPREAD**2).all()
    assert (bank.habits.spread[CAMERA_SOUTH] < 1.5 * LEAST_SPREAD**2).all()


def test_boxes_of_somebody_else_do_not_make_it_noisy(bank):
    teach(bank, np.zeros(3), wild=0.2)
    np.testing.assert_allclose(np.sqrt(bank.habits.spread[CAMERA_SOUTH]), USUAL_DEVIATIONS, rtol=0.15)


# -- habits: whom it finds -----------------------------------------------------------------------------------


def rate(bank: CameraBank, camera: int, visible) -> np.ndarray:
    """How probably it finds people of whom these shares show."""
    return np.array([rate_of(share, bank.rates()[camera]) for share in visible])


def test_before_anything_is_learned_the_usual_rates_hold(bank):
    np.testing.assert_allclose(rate(bank, CAMERA_SOUTH, VISIBLE), USUAL_RATES)
    rates = rate(bank, CAMERA_SOUTH, np.linspace(0, 1, 20))
    assert (np.diff(rates) >= 0).all()
    assert ((rates > 0) & (rates < 1)).all()


def test_a_camera_that_overlooks_half_of_them_is_believed_less(bank):
    rng = np.random.default_rng(2)
    for _ in range(300):
        learn_rate(bank.habits, CAMERA_SOUTH, np.ones(10), rng.random(10) < 0.5)
    assert rate(bank, CAMERA_SOUTH, np.ones(1))[0] == pytest.approx(0.5, abs=0.05)
    # of hidden people it said nothing, and nothing of other cameras
    assert rate(bank, CAMERA_SOUTH, VISIBLE[:1])[0] == pytest.approx(USUAL_RATES[0])
    np.testing.assert_allclose(rate(bank, CAMERA_NORTH, VISIBLE), USUAL_RATES)


@pytest.mark.parametrize("found", [True, False])
def test_no_camera_is_ever_perfect_or_blind(bank, found):
    for _ in range(100):
        learn_rate(bank.habits, CAMERA_SOUTH, np.full(100, 0.9), np.full(100, found))
    assert 0 < rate(bank, CAMERA_SOUTH, np.ones(1))[0] < 1
    assert bank.habits.tried[CAMERA_SOUTH].max() <= RATE_MEMORY


def test_what_was_long_ago_is_forgotten(bank):
    """A lens is cleaned: the rate follows."""
    for found in (False, True):
        for _ in range(120):
            learn_rate(bank.habits, CAMERA_SOUTH, np.ones(100), np.full(100, found))
    assert rate(bank, CAMERA_SOUTH, np.ones(1))[0] > 0.9


def test_nobody_teaches_nothing(bank):
    before = {name: value.copy() for name, value in bank.to_state().items()}
    learn_rate(bank.habits, CAMERA_SOUTH, np.empty(0), np.empty(0, bool))
    sights, nothing = bank.sights(SOUTHERN, at()), np.empty((0, 3))
    learn_errors(
        bank.habits, CAMERA_SOUTH, sights.jacobian[0], sights.variances[0], np.empty(0, int), nothing, nothing,
        np.empty((0, 3, 3)),
    )  # fmt: skip
    for name, value in bank.to_state().items():
        np.testing.assert_array_equal(value, before[name])


# -- state ---------------------------------------------------------------------------------------------------


def test_habits_survive_a_checkpoint_and_are_then_apart(bank):
    teach(bank, np.array([0.05, -0.03, 0.02]), frames=20)
    learn_rate(bank.habits, CAMERA_NORTH, np.array([0.1, 0.9]), np.array([False, True]))
    other = CameraBank(bank.projection, bank.settings)
    other.restore(bank.to_state())
    kept = {name: value.copy() for name, value in bank.to_state().items()}
    for name, value in other.to_state().items():
        np.testing.assert_array_equal(value, kept[name])
    teach(other, np.array([0.05, -0.03, 0.02]), frames=20)
    learn_rate(other.habits, CAMERA_NORTH, np.ones(3), np.ones(3, bool))
    for name, value in bank.to_state().items():
        np.testing.assert_array_equal(value, kept[name])


# -- habits: whom an instant teaches about ---------------------------------------------------------------------


def instant(bank: CameraBank, boxes: np.ndarray, error=0.0, others=0.0, certain=True, confirmed=True) -> None:
    """One person in view of both cameras at an instant.

    Args:
        boxes: (2, 1) their box in the northern and the southern view, or -1.
        error: by how much the southern box is off to the side, as a share of the figure's height.
        others: by how much the northern box says that they stand elsewhere (m), as surely as the prediction.
    """
    sights = bank.sights(BOTH, at((0, 12)))
    edges_px = np.concatenate([sights.edges[v] * sights.scale_px[v][:, None] for v in (0, 1)])
    edges_px[1, 0] += error * sights.scale_px[CAMERA_SOUTH, 0]
    precision = np.diag([100.0, 100.0, 400.0])[None]
    information, pull = np.zeros((2, 1, 3, 3)), np.zeros((2, 1, 3))
    information[CAMERA_NORTH, 0] = precision[0]
    pull[CAMERA_NORTH, 0, 0] = others * precision[0, 0, 0]
    told = Told(np.array(boxes), information, pull, np.zeros((2, 1)))
    lessons = Lessons(np.array([certain]), np.array([confirmed]), precision)
    learn(bank.habits, lessons, BOTH, edges_px, sights, told)


BOTH_SEE, ONLY_NORTH, NOBODY = [[0], [1]], [[0], [-1]], [[-1], [-1]]


def test_who_is_certain_and_seen_by_another_camera_teaches_whom_a_camera_finds(bank):
    instant(bank, BOTH_SEE)
    assert (bank.habits.tried.sum(1) == [1, 1]).all()
    assert (bank.habits.found.sum(1) == [1, 1]).all()
    # only the southern camera can be judged by the northern one
    instant(bank, ONLY_NORTH)
    assert (bank.habits.tried.sum(1) == [1, 2]).all()
    assert (bank.habits.found.sum(1) == [1, 1]).all()
    instant(bank, NOBODY)
    instant(bank, BOTH_SEE, certain=False)
    assert (bank.habits.tried.sum(1) == [1, 2]).all()


def test_a_box_is_compared_with_where_the_others_see_its_person(bank):
    instant(bank, BOTH_SEE, error=0.05)
    assert bank.habits.bias[CAMERA_SOUTH, 0] > 0
    assert bank.habits.bias_weight[CAMERA_SOUTH, 0] > 0
    # by as much as the northern camera moves the person: half of what it says, for it is as sure as the prediction
    other = CameraBank(bank.projection, bank.settings)
    side = bank.sights(SOUTHERN, at((0, 12))).jacobian[0, 0, 0, 0]
    instant(other, BOTH_SEE, error=0.5 * 0.2 * side, others=0.2)
    assert other.habits.bias[CAMERA_SOUTH, 0] == pytest.approx(0, abs=1e-9)
    assert other.habits.bias_weight[CAMERA_SOUTH, 0] > 0


def test_who_is_nobody_yet_teaches_no_errors(bank):
    instant(bank, BOTH_SEE, error=0.05, confirmed=False)
    assert (bank.habits.bias == 0).all()
