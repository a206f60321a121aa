"""How the looks of one person vary is learned from those who are followed."""

from __future__ import annotations

import numpy as np
import pytest

from workers.tracking import state as wire
from workers.tracking.identities import PersonBook
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import LookScale
from workers.tracking.tracks import unit_rows
from workers.tracking.variation import (
    AT_ONCE,
    DIRECTIONS,
    FOUND_OUT_S,
    LEAST_WEIGHT,
    MEMORY,
    SPAN_S,
    UNUSUAL,
    Followed,
    Variation,
)

D, PEOPLE, FPS = 256, 12, 10
# nothing is unusual
ALL = np.inf


class World:
    """People whose looks vary far more in four directions than they differ from each other."""

    def __init__(self, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.people = self.rng.standard_normal((PEOPLE, D)) / np.sqrt(D)
        self.light = np.linalg.qr(self.rng.standard_normal((D, 4)))[0].T

    def looks(self) -> np.ndarray:
        """(PEOPLE, d) unit looks, everybody's in a light of its own."""
        light = self.rng.normal(0, 1.0, (PEOPLE, 4)) @ self.light
        noise = self.rng.normal(0, 0.3 / np.sqrt(D), (PEOPLE, D))
        return unit_rows(self.people + light + noise)

    def learned(self, times: int = 20) -> Variation:
        variation = Variation()
        self.teach(variation, times)
        return variation

    def teach(self, variation: Variation, times: int) -> None:
        """Everybody is seen once more, so many times."""
        before = self.looks()
        for _ in range(times):
            now = self.looks()
            variation.learn((now - before) / np.sqrt(2))
            before = now


def apart(looks: np.ndarray, others: np.ndarray) -> float:
    """By how many deviations people are more like themselves than like others."""
    alike = unit_rows(looks) @ unit_rows(others).T
    same, different = np.diag(alike), alike[~np.eye(len(alike), dtype=bool)]
    return (same.mean() - different.mean()) / np.sqrt((same.var() + different.var()) / 2)


def rows_of(numbers, looks, weight=1.0):
    """One camera's boxes: track numbers, embeddings, quality."""
    return np.array(numbers), np.array(looks, float), np.full(len(numbers), weight)


# -- variation -----------------------------------------------------------------------------------------------


def test_before_anything_is_learned_looks_stay_as_they_are():
    looks = World().looks()
    assert Variation().calmed(looks) is looks
    variation = Variation()
    variation.learn(np.zeros((3, D)))
    assert variation.calmed(looks) is looks


def test_people_lie_farther_apart_in_other_light_once_it_is_known_what_light_does():
    world = World()
    variation, looks, others = world.learned(), world.looks(), world.looks()
    assert apart(looks, others) < 1.5
    assert apart(variation.calmed(looks), variation.calmed(others)) > 2 * apart(looks, others)


def test_that_holds_for_people_who_taught_nothing():
    world = World()
    variation = world.learned()
    world.people = np.random.default_rng(7).standard_normal((PEOPLE, D)) / np.sqrt(D)
    looks, others = world.looks(), world.looks()
    assert apart(variation.calmed(looks), variation.calmed(others)) > 2 * apart(looks, others)


def test_few_looks_change_little():
    world = World()
    looks = world.looks()
    few, many = world.learned(times=2), world.learned(times=40)
    changed = [np.linalg.norm(variation.calmed(looks) - looks) for variation in (few, many)]
    assert changed[0] < changed[1]


def test_calming_is_linear_and_never_makes_a_look_longer():
    world = World()
    variation, looks = world.learned(), world.looks()
    calmed = variation.calmed(looks)
    np.testing.assert_allclose(variation.calmed(looks - looks[0]), calmed - calmed[0], atol=1e-6)
    assert (np.linalg.norm(calmed, axis=1) <= np.linalg.norm(looks, axis=1) + 1e-6).all()


def test_learned_bit_by_bit_it_is_the_covariance_of_all():
    """As long as no more directions vary than are kept."""
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.standard_normal((D, DIRECTIONS // 2)))[0]
    rows = rng.standard_normal((300, DIRECTIONS // 2)) @ basis.T
    variation = Variation()
    for some in np.split(rows, 30):
        variation.learn(some)
    known = (variation.directions.T * variation.strengths) @ variation.directions
    np.testing.assert_allclose(known, rows.T @ rows, atol=1e-3)
    assert variation.count == 300
    assert variation.rest == pytest.approx(0, abs=1e-3)


def test_what_is_in_no_direction_that_is_kept_is_not_lost():
    rows = np.random.default_rng(3).standard_normal((200, D))
    variation = Variation()
    for some in np.split(rows, 10):
        variation.learn(some)
    assert len(variation.strengths) == DIRECTIONS
    assert variation.strengths.sum() + variation.rest == pytest.approx((rows**2).sum(), rel=1e-5)
    np.testing.assert_allclose(variation.directions @ variation.directions.T, np.eye(DIRECTIONS), atol=1e-4)


def test_light_that_has_changed_is_learned_anew():
    before, after = World(seed=1), World(seed=2)
    after.people = before.people
    variation = before.learned(times=400)
    assert variation.count == MEMORY
    after.teach(variation, times=400)
    looks, others = after.looks(), after.looks()
    assert variation.count == MEMORY
    assert apart(variation.calmed(looks), variation.calmed(others)) > 2 * apart(looks, others)


def test_of_a_crowd_some_are_enough():
    variation = Variation()
    variation.learn(np.random.default_rng(1).standard_normal((1001, D)))
    assert AT_ONCE / 2 < variation.count <= AT_ONCE


def test_other_embeddings_begin_anew():
    variation = World().learned()
    variation.learn(np.eye(3, 8))
    assert variation.directions.shape == (3, 8)
    assert variation.count == 3
    looks = World().looks()
    assert variation.calmed(looks) is looks


# -- who is followed -----------------------------------------------------------------------------------------


def watch(followed: Followed, since_s: float, cameras: dict[str, tuple], tracks=(3, 8)) -> None:
    for _ in range(int(SPAN_S * FPS)):
        for camera, (numbers, looks, quality) in cameras.items():
            followed.see(camera, np.array(tracks), numbers, looks, quality)


def test_two_cameras_that_see_somebody_at_once_teach_by_how_much_they_differ():
    followed = Followed()
    assert followed.differences(0.0, {3}, ALL) is None
    watch(followed, 0.0, {"a": rows_of([3], [[1.0, 0.0]]), "b": rows_of([3], [[0.6, 0.8]])})
    assert followed.differences(SPAN_S / 2, {3}, ALL) is None
    rows = followed.differences(SPAN_S, {3}, ALL)
    # scaled such that its square is the variance of the two
    np.testing.assert_allclose(rows, [[-0.4 / np.sqrt(2), 0.8 / np.sqrt(2)]], atol=1e-6)


def test_what_is_unusual_teaches_once_it_is_clear_that_the_track_has_not_gone_over():
    usual = 0.1
    for goes_over in (False, True):
        followed, taught = Followed(), []
        followed.differences(0.0, {3, 8}, usual)
        for k, own in enumerate([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]], start=1):
            if goes_over and k == 3:
                followed.forget(3)
            watch(followed, k * SPAN_S, {"a": rows_of([3, 8], [own, [1.0, 0.1 * (k % 2)]])})
            rows = followed.differences(k * SPAN_S, {3, 8}, usual)
            taught += [] if rows is None else [(k, float(row @ row)) for row in rows]
        # the other one's small changes teach at once
        assert {k for k, square in taught if square < usual} == {2, 3, 4}
        assert [k for k, square in taught if square >= UNUSUAL * usual] == ([] if goes_over else [4])


def test_and_so_does_what_somebody_looks_like_later():
    followed = Followed()
    followed.differences(0.0, {3}, ALL)
    watch(followed, 0.0, {"a": rows_of([3], [[1.0, 0.0]])})
    assert followed.differences(SPAN_S, {3}, ALL) is None
    watch(followed, SPAN_S, {"a": rows_of([3], [[0.0, 1.0]])})
    np.testing.assert_allclose(
        followed.differences(2 * SPAN_S, {3}, ALL), [[-(0.5**0.5), 0.5**0.5]], atol=1e-6
    )


def test_squares_of_the_differences_are_the_variance():
    """Of looks that lie at some angle to the usual one."""
    rng, squares = np.random.default_rng(1), []
    for _ in range(400):
        followed, time_s = Followed(), 0.0
        followed.differences(time_s, {3}, ALL)
        for angle in rng.normal(0, 0.1, 6):
            look = [[np.cos(angle), np.sin(angle)]]
            followed.see("a", np.array([3]), *rows_of([3], look, LEAST_WEIGHT))
            time_s += SPAN_S
            rows = followed.differences(time_s, {3}, ALL)
            squares += [] if rows is None else [rows[0] ** 2]
    assert len(squares) == 400 * 5
    assert np.sqrt(np.mean(squares, axis=0)[1]) == pytest.approx(0.1, abs=0.005)


def test_only_those_who_are_followed_count_and_only_looks_of_enough_crops():
    followed = Followed()
    followed.differences(0.0, {3, 8}, ALL)
    doubtful = 0.9 * LEAST_WEIGHT / (SPAN_S * FPS)
    for k, look in enumerate([[1.0, 0.0], [0.0, 1.0]], start=1):
        watch(followed, k, {"a": rows_of([3], [look]), "b": rows_of([8], [look], doubtful)})
        assert followed.differences(k * SPAN_S, {8}, ALL) is None


def test_who_has_gone_over_to_somebody_else_is_compared_with_nothing_before():
    followed = Followed()
    followed.differences(0.0, {3, 8}, ALL)
    watch(followed, 0.0, {"a": rows_of([3, 8], np.eye(2))})
    followed.differences(SPAN_S, {3, 8}, ALL)
    followed.forget(3)
    followed.forget(5)
    watch(followed, SPAN_S, {"a": rows_of([3, 8], np.eye(2)[::-1])})
    assert len(followed.differences(2 * SPAN_S, {3, 8}, ALL)) == 1


def test_tracks_that_begin_in_between_lose_nothing():
    followed = Followed()
    followed.differences(0.0, {3, 5, 8}, ALL)
    watch(followed, 0.0, {"a": rows_of([8], [[1.0, 0.0]])})
    watch(followed, 0.0, {"a": rows_of([5], [[0.0, 1.0]])}, tracks=(3, 5, 8))
    watch(followed, 0.0, {"b": rows_of([5, 8], np.eye(2))}, tracks=(5, 8))
    rows = followed.differences(SPAN_S, {3, 5, 8}, ALL)
    np.testing.assert_allclose(rows, np.array([[1, -1], [-1, 1]]) / np.sqrt(2), atol=1e-6)


def test_boxes_without_looks_teach_nothing():
    followed = Followed()
    followed.differences(0.0, {3}, ALL)
    watch(followed, 0.0, {"a": rows_of([3], np.empty((1, 0))), "b": rows_of([], np.empty((0, 2)))})
    assert followed.differences(SPAN_S, {3}, ALL) is None


def test_it_goes_on_from_its_state_exactly():
    world, followed = World(), Followed()
    numbers, looks, quality = rows_of(range(PEOPLE), world.looks())
    everybody = set(range(PEOPLE))
    followed.differences(0.0, everybody, ALL)
    for k in (1, 2):
        watch(followed, k * SPAN_S, {"a": (numbers, world.looks(), quality)}, tracks=range(PEOPLE))
        # all of it is unusual: it waits
        assert followed.differences(k * SPAN_S, everybody, 0.0) is None
    followed.see("a", numbers, numbers, looks, 3 * quality)
    other = Followed()
    other.restore(wire.unpack(wire.pack(followed.to_state())))
    scale, again = LookScale(), LookScale()
    scale.variation = world.learned()
    again.restore(wire.unpack(wire.pack(scale.to_state())))
    for each, its in ((followed, scale), (other, again)):
        each.see("a", numbers, numbers, world.people, quality)
        rows = each.differences(2 * SPAN_S + FOUND_OUT_S, everybody, ALL)
        assert len(rows) == 2 * PEOPLE
        its.variation.learn(rows)
    np.testing.assert_array_equal(scale.similarities(looks, looks), again.similarities(looks, looks))
    np.testing.assert_array_equal(scale.variation.directions, again.variation.directions)


# -- what it is for ------------------------------------------------------------------------------------------


def test_who_comes_back_in_another_light_is_told_from_strangers():
    world = World()
    scale = LookScale()
    for look in world.looks():
        scale.learn_person(look)
    looks, others = world.looks(), world.looks()
    before = apart_by(scale, looks, others)
    scale.variation = world.learned()
    assert apart_by(scale, looks, others) > 2 * before


def come_back(seed: int, *, taught: bool) -> int:
    """Half of the people leave, and come in again all at once by the same door. Returns how many are recognised."""
    world, book = World(seed), PersonBook(TrackerSettings(), ["door", "hall"])
    everybody, leaving = range(PEOPLE), range(PEOPLE // 2)

    def watch_all(since_s: int, until_s: int, tracks: dict[int, int]) -> None:
        """Tracks of these people are seen by both cameras, in each in a light of its own."""
        seen = {camera: world.looks() for camera in ("door", "hall")}
        numbers, people = np.array(list(tracks)), list(tracks.values())
        for instant in range(since_s * FPS, until_s * FPS):
            time_s = instant / FPS
            for camera, looks in seen.items():
                if taught:
                    book.crops(camera, numbers, numbers, looks[people], np.full(len(people), 0.5))
                for track, person in tracks.items():
                    told = {"time_s": time_s, "position_m": np.zeros(2), "camera": camera}
                    told |= {"look": 0.5 * looks[person], "weight": 0.5}
                    if track in book.visits:
                        book.seen(track, instant=instant, **told)
                    else:
                        book.begin(track=track, plane="map", born_s=time_s, born_instant=instant, **told)
            book.decide(time_s)

    watch_all(0, 16, {person: person for person in everybody})
    were = {person: book.visits[person].person for person in everybody}
    for person in leaving:
        book.ended(person)
    staying = {person: person for person in everybody if person not in leaving}
    watch_all(16, 40, staying)
    back = {PEOPLE + person: person for person in leaving}
    watch_all(40, 56, staying | back)
    return sum(book.visits[track].person == were[person] for track, person in back.items())


def test_those_who_come_back_in_another_light_are_recognised_once_it_is_learned():
    counts = {taught: [come_back(seed, taught=taught) for seed in range(5)] for taught in (True, False)}
    comers = 5 * PEOPLE / 2
    assert sum(counts[True]) > 2 / 3 * comers
    assert sum(counts[False]) < 1 / 3 * comers


def apart_by(scale: LookScale, looks: np.ndarray, others: np.ndarray) -> float:
    alike = scale.similarities(looks, others)
    same, different = np.diag(alike), alike[~np.eye(len(alike), dtype=bool)]
    return (same.mean() - different.mean()) / np.sqrt((same.var() + different.var()) / 2)
