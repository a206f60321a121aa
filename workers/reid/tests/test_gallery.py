"""The gallery finds the most alike, whatever was added, changed and removed before."""

from __future__ import annotations

import numpy as np

from workers.reid.crops import unit_rows
from workers.reid.gallery import EXACT_UP_TO, FEW_CHANGES, Gallery


def rows(count: int, seed: int = 0) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, 16)))


def test_the_most_alike_come_first():
    gallery, vectors = Gallery(16), rows(300)
    gallery.add(range(300), vectors)
    keys, similarities = gallery.search(vectors[[7, 250]], 5)
    assert keys[:, 0].tolist() == [7, 250]
    assert (np.diff(similarities, axis=1) <= 0).all()


def test_after_any_changes_it_is_as_if_searched_one_by_one():
    rng, gallery, known = np.random.default_rng(1), Gallery(16), {}
    for step in range(40):
        keys, vectors = rng.integers(0, 400, 25).tolist(), rows(25, seed=step)
        gallery.add(keys, vectors)
        known |= dict(zip(keys, vectors, strict=True))
        gone = rng.integers(0, 400, 8).tolist()
        gallery.remove(gone)
        known = {key: vector for key, vector in known.items() if key not in gone}
        query = rows(1, seed=1000 + step)
        found, similarities = gallery.search(query, 6)
        alike = {key: float(vector @ query[0]) for key, vector in known.items()}
        assert len(gallery) == len(known)
        assert found[0].tolist() == sorted(alike, key=alike.get, reverse=True)[:6]
        assert np.allclose(similarities[0], [alike[key] for key in found[0].tolist()], atol=1e-5)


def test_few_changes_leave_the_index_alone():
    """However many keys there are, a change costs nothing."""
    gallery = Gallery(16)
    gallery.add(range(1000), rows(1000))
    gallery.search(rows(1), 1)
    index = gallery._index
    gallery.add(range(FEW_CHANGES), rows(FEW_CHANGES, seed=5))
    gallery.search(rows(1), 1)
    assert gallery._index is index


def test_an_empty_gallery_finds_nobody():
    gallery = Gallery(16)
    gallery.add([3], rows(1))
    gallery.remove([3, 4])
    keys, similarities = gallery.search(rows(2), 5)
    assert keys.shape == similarities.shape == (2, 0)
    assert 3 not in gallery


def many(count: int, dimension: int = 64) -> np.ndarray:
    return unit_rows(np.random.default_rng(5).normal(size=(count, dimension)))


def test_among_very_many_whoever_is_alike_is_found():
    vectors = many(2 * EXACT_UP_TO)
    crops = unit_rows(vectors + np.random.default_rng(6).normal(0, 0.6 / 8, vectors.shape))[:200]
    gallery = Gallery(64)
    gallery.add(range(len(vectors)), vectors)
    keys, similarities = gallery.search(crops, 10)
    assert keys[:, 0].tolist() == list(range(200))
    np.testing.assert_allclose(similarities[:, 0], (vectors[:200] * crops).sum(1), atol=1e-5)
    assert (np.diff(similarities, axis=1) <= 0).all()


def test_among_very_many_the_order_in_which_they_came_changes_nothing():
    """A tracker that goes on from a stored state fills its gallery anew, in another order."""
    rng, vectors = np.random.default_rng(7), many(EXACT_UP_TO + 600)
    grown, filled = Gallery(64), Gallery(64)
    for keys in np.array_split(rng.permutation(len(vectors)), 5):
        grown.add(keys, vectors[keys][::-1])
        grown.search(vectors[:1], 1)
    grown.remove(range(300, 500))
    grown.search(vectors[:1], 1)
    grown.add(range(len(vectors)), vectors)
    gone = rng.choice(len(vectors), 400, replace=False).tolist()
    grown.remove(gone)
    left = sorted(set(range(len(vectors))) - set(gone))
    filled.add(left, vectors[left])
    queries = many(30)[::-1]
    for mine, yours in zip(grown.search(queries, 20), filled.search(queries, 20), strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_codes_that_are_all_the_same_hide_nobody():
    gallery, vector = Gallery(64), many(1)[0]
    gallery.add(range(EXACT_UP_TO + 10), [vector] * (EXACT_UP_TO + 10))
    keys, similarities = gallery.search(vector[None], 3)
    assert len(set(keys[0].tolist())) == 3
    np.testing.assert_allclose(similarities, 1.0, atol=1e-5)


def test_a_gallery_that_shrinks_is_searched_exactly_again():
    vectors = many(EXACT_UP_TO + 10)
    gallery = Gallery(64)
    gallery.add(range(len(vectors)), vectors)
    gallery.search(vectors[:1], 1)
    gallery.add([7], vectors[9:10])
    gallery.remove(range(100, len(vectors)))
    keys, _ = gallery.search(vectors[[9, 50]], 2)
    assert sorted(keys[0].tolist()) == [7, 9]
    assert keys[1, 0] == 50
