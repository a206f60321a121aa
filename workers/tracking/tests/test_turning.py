"""How soon people turn is learned from those who are followed."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from workers.tracking.settings import TrackerSettings
from workers.tracking.tracks import Tracks
from workers.tracking.turning import LEAST_TURN_S, MOST_TURN_S, Turning

SETTINGS = TrackerSettings()
FPS, PEOPLE = 4, 10
# to two seconds nothing is known, from then on everybody teaches once a second
STEPS = 60 * FPS


def wanderers(turn_s: float, speed: float = 0.7, seed: int = 1, steps: int = STEPS) -> np.ndarray:
    """(steps, PEOPLE, 2) places of people whose velocity is an Ornstein-Uhlenbeck process, in small steps."""
    rng, fine = np.random.default_rng(seed), 20
    dt = 1 / FPS / fine
    velocity, place = rng.normal(0, speed, (PEOPLE, 2)), rng.uniform(0, 50, (PEOPLE, 2))
    places = np.empty((steps, PEOPLE, 2))
    for k in range(steps):
        places[k] = place
        for _ in range(fine):
            place = place + velocity * dt
            chance = rng.normal(0, speed * np.sqrt(2 * dt / turn_s), (PEOPLE, 2))
            velocity = velocity * (1 - dt / turn_s) + chance
    return places


def tracks(n: int = PEOPLE, sigma_m: float = 0.05) -> Tracks:
    """So many confirmed people whose places are known this well."""
    given = {
        "mean": np.zeros((n, 5)),
        "covariance": np.tile(sigma_m**2 * np.eye(5), (n, 1, 1)),
        "person": np.arange(n),
        "before": np.full((n, 2, 3), np.nan),
    }
    return Tracks(**{field.name: given.get(field.name, np.ones(n)) for field in fields(Tracks)})


def watch(
    places: np.ndarray,
    people: Tracks | None = None,
    *,
    n: int | None = None,
    fps: float = FPS,
    settings: TrackerSettings = SETTINGS,
) -> Turning:
    """What is learned from (steps, people, 2) places, everybody being seen at every instant."""
    turning, people = Turning(settings), people or tracks(places.shape[1])
    for k, place in enumerate(places):
        now = 1e6 + k / fps
        people.mean[:, :2], people.seen_s = place, np.full(len(people), now)
        turning.learn(people, len(people) if n is None else n, now)
    return turning


def rate_of(turn_s: float, speed: float = 0.7) -> float:
    """What two spans of a second show: less than 2 speed^2 / turn_s, for some of it is over within them."""
    r = 1 / turn_s
    return (speed * turn_s) ** 2 * (4 * (r - 1 + np.exp(-r)) - 2 * (1 - np.exp(-r)) ** 2) / (2 / 3)


def test_nothing_is_known_at_first():
    assert Turning(SETTINGS).turn_s == pytest.approx(SETTINGS.turn_s)


def test_who_is_sure_of_it_learns_nothing():
    sure = replace(SETTINGS, turn_prior=1e9)
    assert watch(wanderers(2.0), settings=sure).turn_s == pytest.approx(SETTINGS.turn_s, rel=1e-5)


@pytest.mark.parametrize("turn_s", [3.0, 6.0, 15.0])
def test_the_rate_of_an_ornstein_uhlenbeck_walk_is_found(turn_s):
    """Ten people watched for ten minutes, whatever was believed at first."""
    learned = watch(wanderers(turn_s, steps=600 * FPS))
    assert learned.weight > 500
    assert learned.rate == pytest.approx(rate_of(turn_s), rel=0.15)


def test_who_keeps_a_way_is_expected_to_and_who_turns_is_not():
    straight, restless = watch(wanderers(40.0)), watch(wanderers(2.0))
    assert straight.turn_s > 1.7 * SETTINGS.turn_s
    assert restless.turn_s < 0.8 * SETTINGS.turn_s


def test_few_sharp_turns_are_not_what_most_people_do():
    places = wanderers(20.0)
    # at one instant in twenty one of the people turns on the spot, by 1 m/s
    rng = np.random.default_rng(3)
    sharp = places.copy()
    for k in range(10, STEPS, 20):
        someone, way = rng.integers(PEOPLE), rng.normal(0, 1, 2)
        sharp[k:, someone] += np.arange(STEPS - k)[:, None] / FPS * way / np.hypot(*way)
    assert watch(sharp).rate < 1.3 * watch(places).rate


@pytest.mark.parametrize("fps", [1, 2, 4, 10, 25])
def test_the_frame_rate_does_not_matter(fps):
    places, every = wanderers(6.0, steps=1200), np.arange(1200) / FPS
    seen_s = np.arange(0, 300, 1 / fps)
    seen = np.array([[np.interp(seen_s, every, places[:, p, k]) for k in range(2)] for p in range(PEOPLE)])
    learned = watch(seen.transpose(2, 0, 1), fps=fps)
    assert learned.rate == pytest.approx(watch(places).rate, rel=0.15)


def nobody_teaches(places: np.ndarray, people: Tracks | None = None, **how) -> bool:
    return watch(places, people, **how).weight == SETTINGS.turn_prior


def test_who_is_not_confirmed_teaches_nothing():
    people = tracks()
    people.person[:] = -1
    assert nobody_teaches(wanderers(3.0), people)


def test_other_hypotheses_teach_nothing():
    assert nobody_teaches(wanderers(3.0), n=0)
    half = watch(wanderers(3.0), n=PEOPLE // 2)
    assert half.rate == watch(wanderers(3.0)[:, : PEOPLE // 2]).rate


def test_who_is_not_seen_teaches_nothing():
    turning, people = Turning(SETTINGS), tracks()
    people.seen_s[:] = 1e6
    for k, place in enumerate(wanderers(3.0)):
        people.mean[:, :2] = place
        turning.learn(people, PEOPLE, 1e6 + (k + 1) / FPS)
    assert turning.weight == SETTINGS.turn_prior


def test_a_track_that_goes_on_with_somebody_else_teaches_nothing():
    jumps = np.zeros((STEPS, PEOPLE, 2))
    jumps[FPS::FPS] = 4.0 * (np.arange(STEPS // FPS - 1) % 2)[:, None, None]
    assert nobody_teaches(jumps)


def test_frames_that_are_far_apart_teach_nothing():
    assert nobody_teaches(wanderers(3.0), fps=0.5)


def test_little_is_learned_where_places_are_uncertain():
    known, guessed = watch(wanderers(3.0), tracks(sigma_m=0.05)), watch(wanderers(3.0), tracks(sigma_m=0.6))
    assert guessed.weight - SETTINGS.turn_prior < 0.1 * (known.weight - SETTINGS.turn_prior)


@pytest.mark.parametrize("places", [np.zeros((STEPS, PEOPLE, 2)), np.cumsum(wanderers(1.0), axis=0) % 1.0])
def test_whatever_they_do_it_stays_within_reason(places):
    assert LEAST_TURN_S - 1e-9 <= watch(places).turn_s <= MOST_TURN_S + 1e-9


def test_after_a_night_in_which_nobody_moves_turns_are_soon_seen_again():
    still = np.zeros((3600 * FPS, PEOPLE, 2))
    restless = wanderers(3.0, steps=300 * FPS)
    learned = watch(np.concatenate([still, restless]))
    assert learned.turn_s < 0.6 * MOST_TURN_S


@pytest.mark.parametrize("turn_s", [1.0, 60.0])
def test_who_knows_better_is_not_corrected(turn_s):
    assert Turning(replace(SETTINGS, turn_s=turn_s)).turn_s == pytest.approx(turn_s)
    sure = replace(SETTINGS, turn_s=turn_s, turn_prior=1e9)
    assert watch(wanderers(6.0), settings=sure).turn_s == pytest.approx(turn_s, rel=1e-3)


def test_it_goes_on_from_its_state():
    places = wanderers(3.0)
    whole, people, first = watch(places), tracks(), Turning(SETTINGS)
    second = Turning(SETTINGS)
    for k, place in enumerate(places):
        now = 1e6 + k / FPS
        people.mean[:, :2], people.seen_s = place, np.full(PEOPLE, now)
        if k == STEPS // 2:
            second.restore(first.to_state())
        (first if k < STEPS // 2 else second).learn(people, PEOPLE, now)
    assert (second.rate, second.weight) == (whole.rate, whole.weight)
