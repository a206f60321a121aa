"""Observations travel from perception to association as bytes and arrive as they were."""

from __future__ import annotations

from dataclasses import fields, replace

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.observations import Observations, from_half, to_half

quick = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def observed(draw: st.DrawFn) -> Observations:
    """Some frames, some of them empty, with or without embeddings."""
    counts = draw(st.lists(st.integers(0, 4), max_size=6))
    instants = sorted(draw(st.sets(st.integers(0, 5000), min_size=len(counts), max_size=len(counts))))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    n, dimension = sum(counts), draw(st.sampled_from([0, 1, 32]))
    return Observations(
        camera=draw(st.sampled_from(["c01", "Hof Süd", "門"])),
        number=draw(st.integers(0, 2**31)),
        instants=np.array(instants, np.int32),
        frames=np.array(instants, np.int32) // 2,
        captured_at=1_770_000_000.0 + np.array(instants) / 30,
        counts=np.array(counts, np.int32),
        boxes_px=rng.uniform(-10, 2000, (n, 4)).astype(np.float32),
        scores=rng.uniform(0, 1, n).astype(np.float32),
        embeddings=rng.normal(size=(n, dimension)).astype(np.float16),
        timings_ms={"decode": 1.25, "detect": 0.0},
        problems=tuple(
            draw(st.lists(st.just({"frame": None, "time_s": 1.5, "message": "kaputt…"}), max_size=2))
        ),
    )


@quick
@given(observed())
def test_bytes_and_back(sent):
    got = Observations.from_bytes(sent.to_bytes())
    for field in fields(Observations):
        before, after = getattr(sent, field.name), getattr(got, field.name)
        assert type(before) is type(after), field.name
        if isinstance(before, np.ndarray):
            assert (before.dtype, before.shape) == (after.dtype, after.shape), field.name
            np.testing.assert_array_equal(before, after)
        else:
            assert before == after, field.name


@quick
@given(observed())
def test_the_same_observations_are_the_same_bytes(sent):
    assert sent.to_bytes() == Observations.from_bytes(sent.to_bytes()).to_bytes()


@quick
@given(observed())
def test_every_detection_belongs_to_one_frame(seen):
    rows = [np.arange(len(seen.scores))[seen.rows_of(frame)] for frame in range(len(seen.instants))]
    assert [len(row) for row in rows] == seen.counts.tolist()
    assert np.concatenate([np.empty(0), *rows]).tolist() == list(range(len(seen.scores)))


@quick
@given(observed(), st.integers(-1, 5001))
def test_an_instant_has_its_frame_or_none(seen, instant):
    instants = seen.instants.tolist()
    assert [seen.frame_of(i) for i in instants] == list(range(len(instants)))
    assert seen.frame_of(instant) == (instants.index(instant) if instant in instants else None)


def test_arrays_need_not_lie_in_one_piece():
    """Slices and transposed arrays, as perception may hand them on."""
    nothing = Observations.nothing("c01", 0)
    boxes = np.arange(24, dtype=np.float32).reshape(4, 6)[:, 1:5]
    looks = np.arange(8, dtype=np.float16).reshape(2, 4).T
    sent = replace(nothing, boxes_px=boxes, embeddings=looks)
    got = Observations.from_bytes(sent.to_bytes())
    np.testing.assert_array_equal(got.boxes_px, boxes)
    np.testing.assert_array_equal(got.embeddings, looks)


def test_half_precision_is_numpys():
    every = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(256, 256)
    np.testing.assert_array_equal(from_half(every), every.astype(np.float32))
    rng = np.random.default_rng(1)
    looks = (rng.normal(size=(300, 512)) * 10.0 ** rng.integers(-9, 4, (300, 512))).astype(np.float32)
    np.testing.assert_array_equal(to_half(looks), looks.astype(np.float16))
    np.testing.assert_array_equal(to_half(looks.T), looks.T.astype(np.float16))
    for empty in (np.empty((0, 512)), np.empty((3, 0))):
        assert to_half(empty).shape == from_half(empty.astype(np.float16)).shape == empty.shape
        assert (to_half(empty).dtype, from_half(to_half(empty)).dtype) == (np.float16, np.float32)


def test_nothing_says_why():
    problem = {"frame": None, "time_s": 3.0, "message": "not delivered in time"}
    nothing = Observations.from_bytes(Observations.nothing("c01", 4, (problem,)).to_bytes())
    assert (nothing.camera, nothing.number, nothing.problems) == ("c01", 4, (problem,))
    assert nothing.boxes_px.shape == (0, 4)
    assert len(nothing.instants) == len(nothing.scores) == len(nothing.embeddings) == 0
    assert nothing.frame_of(0) is None


GOOD = Observations.nothing("c01", 4).to_bytes()
NOT_OBSERVATIONS = {
    "empty": b"",
    "text": b"seen",
    "cut off": GOOD[:-5],
    "more than that": GOOD + b"x",
    "a list": msgpack.packb([1, 2]),
    "a number": msgpack.packb(5),
    "no fields": msgpack.packb({}),
    "a field too few": msgpack.packb({k: v for k, v in msgpack.unpackb(GOOD).items() if k != "counts"}),
    "a field too many": msgpack.packb({**msgpack.unpackb(GOOD), "extra": 1}),
    "too little data": msgpack.packb(
        {**msgpack.unpackb(GOOD), "scores": {"dtype": "<f4", "shape": [9], "data": b""}}
    ),
    "objects": msgpack.packb(
        {**msgpack.unpackb(GOOD), "scores": {"dtype": "|O", "shape": [1], "data": b"8 bytes!"}}
    ),
    "no such type": msgpack.packb(
        {**msgpack.unpackb(GOOD), "scores": {"dtype": "soup", "shape": [0], "data": b""}}
    ),
}


@pytest.mark.parametrize("data", NOT_OBSERVATIONS.values(), ids=NOT_OBSERVATIONS)
def test_other_bytes_are_refused(data):
    with pytest.raises(ValueError, match="not observations"):
        Observations.from_bytes(data)
