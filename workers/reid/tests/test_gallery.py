"""The gallery finds the most alike, whatever was added, changed and removed before."""

from __future__ import annotations

import numpy as np

from workers.reid.crops import unit_rows
from workers.reid.gallery import FEW_CHANGES, Gallery


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
