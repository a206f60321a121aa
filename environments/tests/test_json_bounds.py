"""What clients have kept for them stays small, shallow, and something that the database can hold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.json_bounds import json_problem, merged, scalars_problem


def nested(levels: int) -> dict:
    value: dict = {}
    for _ in range(levels - 1):
        value = {"in": [value]} if levels % 2 else {"in": value}
    return value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"text": "x" * 100}, "Too large: 111 bytes"),
        ({"text": "ü" * 50}, "Too large: 111 bytes"),
        ({"a": {"b": {"c": {"d": 1}}}}, "Nested too deeply; at most 3"),
        ({"a": [[[]]]}, "Nested too deeply; at most 3"),
        ({"a": "\x00"}, "valid Unicode"),
        ({"\x00": 1}, "valid Unicode"),
        ({"a": ["\ud800"]}, "valid Unicode"),
        ({"a": float("inf")}, "finite"),
        ({"a": float("nan")}, "finite"),
    ],
)
def test_what_cannot_be_kept_is_told(value, says):
    assert says in json_problem(value, most_bytes=100, most_depth=3)


def test_limits_themselves_are_fine():
    assert json_problem({"text": "x" * 89}, most_bytes=100) is None
    assert json_problem({"a": {"b": {"c": 1}}}, most_bytes=100, most_depth=3) is None


def test_depth_is_measured_without_recursion():
    assert "deeply" in json_problem(nested(100_000), most_bytes=10**7)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=5), st.integers(2, 400))
def test_the_size_is_that_of_the_compact_text(value, most):
    problem = json_problem(value, most_bytes=most, most_depth=100)
    if problem is None or "Too large" in problem:
        size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
        assert (problem is None) == (size <= most)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"a": None}, "`a` must be true or false"),
        ({"a": []}, "`a` must be true or false"),
        ({"a": "12345"}, "`a` is too long"),
        ({"abcde": 1}, "`abcd` is too long"),
        ({"a": 1, "b": 2, "c": 3}, "Has 3 fields; at most 2"),
    ],
)
def test_an_overlay_is_flat_and_short(value, says):
    assert says in scalars_problem(value, most_keys=2, most_characters=4)


def test_scalars_are_fine():
    assert scalars_problem({"a": True, "b": 1.5}, most_keys=2, most_characters=4) is None


def test_merging_replaces_keys_and_null_removes_them():
    before = {"a": 1, "b": {"x": 1, "y": 2}, "c": 3}
    assert merged(before, {"b": {"x": 9}, "c": None, "d": None, "e": 5}) == {"a": 1, "b": {"x": 9}, "e": 5}
