"""What counts as clearly the same person: learned from people who are certainly different."""

from __future__ import annotations

import numpy as np
import pytest

from tracking.matching import LEAST_PAIRS, LEAST_SCORE, match, score, special

SIZE = 32


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.fixture
def people():
    """Ten strangers, their looks on another day (noise of a few percent), and how alike strangers look."""
    rng = np.random.default_rng(5)
    looks = unit(rng.normal(size=(10, SIZE)) + 1.0)
    again = unit(looks + 0.02 * rng.normal(size=looks.shape))
    similar = looks @ looks.T
    return looks, again, similar[np.triu_indices(10, 1)]


def pairs(found) -> list[tuple[int, int]]:
    return sorted((m.mine, m.theirs) for m in found)


def test_those_who_come_back_are_found_whatever_the_order(people):
    looks, again, different = people
    order = np.random.default_rng(1).permutation(10)
    found = match(looks, again[order], possible=np.ones((10, 10), bool), different=different)
    assert pairs(found) == sorted((int(person), place) for place, person in enumerate(order))
    assert all(m.score >= LEAST_SCORE and m.similarity > 0.98 for m in found)


def test_strangers_are_not_matched(people):
    looks, again, different = people
    possible = np.ones((5, 5), bool)
    assert match(looks[:5], again[5:], possible=possible, different=different) == []


def test_impossible_pairs_are_left_out(people):
    looks, again, different = people
    possible = ~np.eye(10, dtype=bool)
    assert match(looks, again, possible=possible, different=different) == []


def test_of_two_who_look_the_same_neither_is_taken(people):
    """Twins, or one person whom the other task counted twice: looks cannot tell."""
    looks, again, different = people
    twins = np.vstack([again, again[3]])
    found = match(looks, twins, possible=np.ones((10, 11), bool), different=different)
    assert 3 not in {m.mine for m in found}
    assert len(found) == 9


def test_in_another_light_people_are_found_by_what_is_special_about_them():
    """Strong light in three directions, stronger than what tells people apart."""
    rng = np.random.default_rng(5)
    people = rng.normal(size=(10, SIZE)) + 1.0
    directions = np.linalg.qr(rng.normal(size=(SIZE, 3)))[0].T
    days = [
        unit(people + rng.normal(0, 12, (10, 3)) @ directions + 0.1 * rng.normal(size=(10, SIZE)))
        for _ in range(2)
    ]
    own = unit(special(np.vstack(days), directions, np.full(3, 0.99)))

    def found(looks: np.ndarray, again: np.ndarray) -> list[tuple[int, int]]:
        different = (looks @ looks.T)[np.triu_indices(10, 1)]
        return pairs(match(looks, again, possible=np.ones((10, 10), bool), different=different))

    assert found(*days) == []
    assert found(own[:10], own[10:]) == [(person, person) for person in range(10)]


def test_nothing_special_is_left_of_what_all_have_in_common():
    looks = np.random.default_rng(5).normal(size=(10, SIZE)) + 1.0
    own = special(looks, np.eye(2, SIZE), np.array([1.0, 0.5]))
    np.testing.assert_allclose(own.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(own[:, 0], 0, atol=1e-12)
    np.testing.assert_allclose(own[:, 1], 0.5 * (looks - looks.mean(0))[:, 1])
    np.testing.assert_allclose(own[:, 2:], (looks - looks.mean(0))[:, 2:])


def test_uniforms_match_nobody():
    rng = np.random.default_rng(2)
    uniform = rng.normal(size=SIZE)
    looks = unit(uniform + 0.1 * rng.normal(size=(10, SIZE)))
    again = unit(looks + 0.02 * rng.normal(size=looks.shape))
    different = (looks @ looks.T)[np.triu_indices(10, 1)]
    assert match(looks, again, possible=np.ones((10, 10), bool), different=different) == []


def test_without_experience_nothing_is_clear(people):
    looks, again, different = people
    few = different[: LEAST_PAIRS - 1]
    assert match(looks, again, possible=np.ones((10, 10), bool), different=few) == []


def test_one_against_one(people):
    """No cohort but what is known of others."""
    looks, again, different = people
    found = match(looks[:1], again[:1], possible=np.ones((1, 1), bool), different=different)
    assert pairs(found) == [(0, 0)]


def test_a_score_is_the_lesser_of_both_sides(people):
    looks, again, different = people
    scores = score(looks @ again.T, different)
    assert scores.shape == (10, 10)
    np.testing.assert_allclose(score(again @ looks.T, different), scores.T)
    assert np.isfinite(score(np.ones((2, 3)), np.ones(20))).all(), "identical looks are no error"
