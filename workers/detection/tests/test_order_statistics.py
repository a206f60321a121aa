"""A sorting network instead of sorting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workers.detection.order_statistics import sort_samples


@given(st.integers(1, 45).flatmap(lambda n: arrays(np.uint8, (n, 7))))
def test_the_same_as_sorting(samples):
    assert np.array_equal(sort_samples(samples), np.sort(samples, axis=0))


@pytest.mark.parametrize("n", range(1, 12))
def test_every_order_of_zeros_and_ones_is_sorted(n):
    """A network that sorts these sorts everything (Knuth, the zero-one principle)."""
    every = ((np.arange(2**n)[None] >> np.arange(n)[:, None]) & 1).astype(np.uint8)
    assert np.array_equal(sort_samples(every), np.sort(every, axis=0))


def test_images_larger_than_what_is_worked_on_at_once():
    samples = np.random.default_rng(1).integers(0, 256, (41, 100, 230, 3), dtype=np.uint8)
    before = samples.copy()
    assert np.array_equal(sort_samples(samples), np.sort(samples, axis=0))
    assert np.array_equal(samples, before)
