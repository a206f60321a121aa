"""Sums over rectangles, compared with slices of NumPy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.detection.motion_rectangles import add_up, explain, take_out, total

WIDTH, HEIGHT, NEUTRAL = 12, 9, 66
# the first call may compile
unhurried = settings(deadline=None)


@st.composite
def rectangles(draw: st.DrawFn) -> np.ndarray:
    """(r, 4) within the image; some are empty, some overlap."""
    count = draw(st.integers(1, 4))
    x = np.sort(draw(st.lists(st.tuples(*[st.integers(0, WIDTH)] * 2), min_size=count, max_size=count)))
    y = np.sort(draw(st.lists(st.tuples(*[st.integers(0, HEIGHT)] * 2), min_size=count, max_size=count)))
    return np.column_stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]]).astype(np.int32)


def image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)


def integral(values: np.ndarray) -> np.ndarray:
    sums = np.zeros((len(values) + 1, values.shape[1] + 1), np.int32)
    sums[1:, 1:] = values
    add_up(sums)
    return sums


@unhurried
@given(st.integers(0, 9), rectangles())
def test_what_rectangles_hold_of_an_image(seed: int, some: np.ndarray):
    held = sum(int(image(seed)[y1:y2, x1:x2].sum()) for x1, y1, x2, y2 in some)
    assert total(integral(image(seed)), some, 0, 0) == held


@unhurried
@given(st.integers(0, 9), rectangles(), st.integers(0, 5), st.integers(0, 4))
def test_what_they_hold_of_a_patch(seed: int, some: np.ndarray, left: int, top: int):
    inside = np.zeros_like(image(seed), int)
    inside[top : top + 4, left : left + 6] = image(seed)[top : top + 4, left : left + 6]
    held = sum(int(inside[y1:y2, x1:x2].sum()) for x1, y1, x2, y2 in some)
    assert total(integral(image(seed)[top : top + 4, left : left + 6]), some, left, top) == held


@unhurried
@given(st.integers(0, 9), rectangles())
def test_what_is_explained_speaks_for_nobody_else(seed: int, some: np.ndarray):
    left_over, expected = image(seed), image(seed)
    for x1, y1, x2, y2 in some:
        expected[y1:y2, x1:x2] = np.minimum(expected[y1:y2, x1:x2], NEUTRAL)
    explain(left_over, some, 0, 0, NEUTRAL)
    assert np.array_equal(left_over, expected)


@unhurried
@given(st.integers(0, 9), rectangles(), rectangles())
def test_what_others_lose_by_it_is_known_without_counting_anew(
    seed: int, taken: np.ndarray, others: np.ndarray
):
    left_over = image(seed)
    left, top, lost = take_out(left_over, taken, NEUTRAL)
    before, after = (total(integral(values), others, 0, 0) for values in (image(seed), left_over))
    assert before - total(lost, others, left, top) == after
