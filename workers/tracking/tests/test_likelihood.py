"""How much better a box is explained by somebody than by chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workers.mapping.projection import PersonProjection
from workers.tracking.cameras import CameraBank, Sights
from workers.tracking.likelihood import BoxModel, doubt, expectation, place, ratio, sureness, tell
from workers.tracking.settings import TrackerSettings
from workers.tracking.tests.people import NORTH, SOUTH

quick = settings(max_examples=60, deadline=None, derandomize=True)
USUAL = TrackerSettings()
MODEL = BoxModel.of(USUAL)
PROJECTION = PersonProjection.of_map([NORTH, SOUTH], USUAL.height_m, USUAL.height_sigma_m)
BANK = CameraBank(PROJECTION, USUAL)
# ann stands in the middle of the yard, bob in front of cat as the southern camera sees them
ANN, BOB, CAT = (0.0, 12.0, 1.70), (2.0, 10.0, 1.70), (2.3, 11.5, 1.70)
SOUTHERN = np.array([1])
# the tracker predicts people to within 20 cm
SIGMA_M = np.array([0.2, 0.2, 0.1])


class Ratios(NamedTuple):
    """n persons against m boxes of the southern camera, (n, m) each; see `Ratio`."""

    values: np.ndarray
    trust: np.ndarray
    feet_cut: np.ndarray


def sight_of(*persons: tuple[float, float, float]) -> Sights:
    return BANK.sights(SOUTHERN, np.array(persons, float).reshape(-1, 3))


def edges_of(*persons: tuple[float, float, float]) -> np.ndarray:
    """(n, 3) of perfect boxes."""
    return PROJECTION.figures(np.ones(len(persons), int), np.array(persons, float)).edges_px


def compare(
    sight: Sights,
    edges_px: np.ndarray,
    scores: np.ndarray | float = 0.9,
    shift=(0.0, 0.0, 0.0),
    sigma_m=SIGMA_M,
    gated: bool = False,
) -> Ratios:
    """Each person, who is `shift` from where the sight was made for as far as others know, with each box."""
    n, m = sight.rate.shape[1], len(edges_px)
    doubts = doubt(np.broadcast_to(np.asarray(scores, float), m), USUAL)
    result = Ratios(np.empty((n, m)), np.empty((n, m)), np.empty((n, m), bool))
    for i in range(n):
        rate, scale = sight.rate[0, i], sight.scale_px[0, i]
        expected = expectation(
            sight.jacobian[0, i],
            sight.variances[0, i],
            np.array(shift, float),
            np.diag(np.array(sigma_m) ** 2),
        )
        for j in range(m):
            error = edges_px[j] / scale - sight.edges[0, i]
            found = np.log(rate / (1 - rate)) + doubts[j]
            one = ratio(expected, *error, sight.feet_cut[0, i], found, gated, MODEL)
            for values, value in zip(result, one, strict=True):
                values[i, j] = value
    return result


def told(sight: Sights, edges_px: np.ndarray, trust=1.0, feet_cut=False, dependence=1.0):
    """What a box says of the only person of a sight: (3, 3) information, (3,) pull."""
    information, pull = np.empty((3, 3)), np.empty(3)
    error = edges_px[0] / sight.scale_px[0, 0] - sight.edges[0, 0]
    tell(sight.jacobian[0, 0], sight.variances[0, 0], error, trust, feet_cut, dependence, information, pull)
    return information, pull


def cut(edges_px: np.ndarray, share: float) -> np.ndarray:
    """The same boxes, ending above the feet by this share of their height."""
    result = edges_px.copy()
    result[:, 1] -= share * (edges_px[:, 1] - edges_px[:, 2])
    return result


# -- who it is -----------------------------------------------------------------------------------------------


def test_ones_own_box_is_no_clutter_and_one_far_away_is():
    own, near, far = ANN, (0.2, 12.1, 1.70), (2.5, 14.0, 1.70)
    values = compare(sight_of(ANN), edges_of(own, near, far)).values[0]
    assert values[0] > 3
    assert 0 < values[1] < values[0]
    assert values[2] < -5


def test_everybody_likes_their_own_box_best():
    values = compare(sight_of(ANN, BOB), edges_of(ANN, BOB)).values
    assert values.argmax(0).tolist() == values.argmax(1).tolist() == [0, 1]


def test_where_the_others_see_somebody_counts_not_the_prediction():
    """The prediction is half a metre off, the other cameras know."""
    sight, edges = sight_of(ANN), edges_of((0.5, 12.0, 1.70))
    tight = [0.05, 0.05, 0.1]
    told_right = compare(sight, edges, shift=[0.5, 0, 0], sigma_m=tight)
    told_nothing = compare(sight, edges, sigma_m=tight)
    assert told_right.values[0, 0] > told_nothing.values[0, 0] + 2


def test_a_slipped_box_is_trusted_less_but_a_little():
    """Its middle is off by eight deviations."""
    edges = edges_of(ANN)
    slipped = edges + [8 * USUAL.noise_middle * (edges[0, 1] - edges[0, 2]), 0, 0]
    both = np.concatenate([edges, slipped])
    trust = compare(sight_of(ANN), both, sigma_m=[0.02, 0.02, 0.02]).trust[0]
    assert trust[0] > 0.9
    assert 1 / USUAL.slipped_scale**2 <= trust[1] < 0.2


# -- hidden feet ---------------------------------------------------------------------------------------------


def test_a_box_cut_above_the_feet_is_recognised_when_somebody_hides_them():
    """Bob hides Cat's legs: a box of her upper half is hers, and its lower edge is not her feet."""
    sight = sight_of(BOB, CAT)
    assert sight.visible[0, 1] < 0.7
    ratios = compare(sight, np.concatenate([edges_of(BOB, CAT), cut(edges_of(CAT), 0.5)]))
    assert not ratios.feet_cut[0, 0]
    assert ratios.feet_cut[1, 2]
    assert ratios.values[1, 2] > 1
    assert ratios.trust[1, 2] == 1


def test_with_feet_in_full_view_a_cut_box_is_rarer():
    half = cut(edges_of(ANN), 0.5)
    hidden = sight_of(ANN)._replace(feet_cut=np.array([[USUAL.feet_cut_hidden]]))
    open_, behind = compare(sight_of(ANN), half), compare(hidden, half)
    assert open_.feet_cut.all()
    assert open_.values[0, 0] < behind.values[0, 0] - 2


def test_a_box_that_ends_far_below_the_feet_is_not_cut():
    assert not compare(sight_of(ANN), cut(edges_of(ANN), -0.3)).feet_cut.any()


def test_a_cut_box_says_nothing_of_how_far_away_somebody_is():
    """It tells the column and the head, but its lower edge moves nobody."""
    sight = sight_of(ANN)
    whole, half = edges_of(ANN), cut(edges_of(ANN), 0.5)
    information, pull = told(sight, half, feet_cut=True)
    np.testing.assert_allclose(pull, 0, atol=1e-9)
    fully, _ = told(sight, whole)
    assert (np.linalg.eigvalsh(fully - information) > -1e-9).all()
    assert np.linalg.matrix_rank(information, tol=1e-6) == 2


# -- what matched boxes tell ---------------------------------------------------------------------------------


def test_a_box_pulls_towards_whom_it_shows():
    information, pull = told(sight_of(ANN), edges_of((0.1, 12.1, 1.70)))
    move = np.linalg.solve(information, pull)
    assert move == pytest.approx([0.1, 0.1, 0.0], abs=0.02)


def test_frames_in_quick_succession_tell_less():
    args = sight_of(ANN), edges_of((0.1, 12.1, 1.70))
    once, often = told(*args), told(*args, dependence=4.0)
    for a, b in zip(once, often, strict=True):
        np.testing.assert_allclose(a, 4 * b)


def test_slipped_boxes_tell_less():
    args = sight_of(ANN), edges_of((0.1, 12.1, 1.70))
    for a, b in zip(told(*args), told(*args, trust=0.1), strict=True):
        np.testing.assert_allclose(0.1 * a, b)


@quick
@given(
    arrays(float, (3, 3), elements=st.floats(-3, 3)),
    arrays(float, 3, elements=st.floats(1e-3, 1e3)),
    arrays(float, 3, elements=st.floats(-100, 100)),
)
def test_information_and_pull_give_a_place(directions, known, pull):
    information = directions @ directions.T + np.diag(known)
    covariance, shift = np.empty((3, 3)), np.empty(3)
    place(information, pull, covariance, shift)
    np.testing.assert_allclose(covariance @ information, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(information @ shift, pull, atol=1e-6 * max(1, np.abs(pull).max()))


# -- scores --------------------------------------------------------------------------------------------------


def test_doubtful_boxes_are_worth_less():
    scores = np.array([0.05, 0.2, 0.5, 0.8, 0.9, 0.99])
    values = compare(sight_of(ANN), np.repeat(edges_of(ANN), len(scores), axis=0), scores).values[0]
    assert (np.diff(values) >= 0).all()
    assert values[0] < values[2] < values[4]
    # detectors are overconfident: from here on there is no difference
    assert values[4] == values[5]


@quick
@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.booleans())
def test_doubt_and_sureness_are_bounded_and_follow_the_score(scores, known):
    ordered = np.sort(scores)
    assert (doubt(ordered, USUAL) <= 0).all()
    assert (np.diff(doubt(ordered, USUAL)) >= 0).all()
    sure = np.array([sureness(score, known) for score in ordered])
    assert (np.abs(sure) <= 1).all()
    assert (np.diff(sure) >= 0).all()


def test_who_is_known_may_look_more_doubtful():
    assert sureness(0.5, True) == 0
    assert sureness(0.5, False) < 0


# -- numbers -------------------------------------------------------------------------------------------------


@quick
@given(
    arrays(float, st.tuples(st.integers(0, 5), st.just(3)), elements=st.floats(-1e6, 1e6)),
    st.sampled_from([1e-4, 0.2, 30.0]),
    st.floats(0, 1),
)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_whatever_the_box_is_the_ratio_is_a_number(edges, sigma, score):
    """Finite, or minus infinity for what is impossible; never NaN, and never above what a perfect box reaches."""
    sight = sight_of(ANN, BOB, CAT)
    ratios = compare(sight, edges, score, sigma_m=np.full(3, sigma))
    assert ratios.values.shape == (3, len(edges))
    assert not np.isnan(ratios.values).any()
    assert (ratios.values < 25).all()
    assert ((ratios.trust > 0) & (ratios.trust <= 1)).all()


@quick
@given(
    arrays(float, st.tuples(st.integers(0, 5), st.just(3)), elements=st.floats(-0.3, 0.3)),
    st.sampled_from([0.02, 0.2]),
    st.floats(0, 1),
)
def test_what_is_not_worth_computing_is_never_worth_anything(errors, sigma, score):
    """Ratios that need not be known exactly are below 0, all others are the same."""
    sight = sight_of(ANN, BOB, CAT)
    edges = edges_of(ANN) + errors * sight.scale_px[0, 0]
    exact, gated = (
        compare(sight, edges, score, sigma_m=np.full(3, sigma), gated=gated) for gated in (False, True)
    )
    given_up = gated.values == -np.inf
    assert (exact.values[given_up] <= 0).all()
    for values, others in zip(exact, gated, strict=True):
        np.testing.assert_array_equal(values[~given_up], others[~given_up])


def test_boxes_at_the_images_borders_belong_to_somebody_too():
    """One half outside on the left, one whose feet are below the image."""
    left, near = (-7.1, 10.0, 1.70), (0.0, 4.3, 1.70)
    sight = sight_of(left, near)
    assert (sight.visible < 0.7).all()
    values = compare(sight, edges_of(left, near)).values
    assert (np.diagonal(values) > 0).all()
    assert values[0, 1] < 0 > values[1, 0]


def test_nobody_and_nothing():
    assert compare(sight_of(), edges_of(ANN)).values.shape == (0, 1)
    assert compare(sight_of(ANN), np.empty((0, 3))).values.shape == (1, 0)
