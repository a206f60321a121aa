"""Who is described in which frame: everybody now and then, a crowd always."""

from __future__ import annotations

import numpy as np

from workers.reid import build_embedder
from workers.reid.glances import LOOK_EVERY_S, embed_chosen, worth_a_look

# two who stand side by side, one apart, one behind the first two but far above in the picture
BOXES = np.array([(100, 100, 140, 220), (150, 100, 190, 220), (400, 100, 440, 220), (120, 0, 140, 60.0)])


def test_a_crowd_is_described_in_every_frame_and_who_stands_apart_now_and_then():
    seen = np.array([worth_a_look(BOXES, instant, 10.0) for instant in range(30)])
    assert seen[:, :2].all()
    for apart in (2, 3):
        assert np.flatnonzero(seen[:, apart]).tolist() == list(range(0, 30, 3))


def test_nobody_waits_longer_at_any_frame_rate():
    for fps in (1.0, 2.0, 5.0, 6.67, 10.0, 25.0, 29.97, 60.0):
        seen = [worth_a_look(BOXES[2:3], instant, fps)[0] for instant in range(240)]
        gaps = np.diff(np.flatnonzero(seen)) / fps
        assert gaps.max() <= max(LOOK_EVERY_S + 0.5 / fps, 1 / fps) + 1e-9


def test_without_a_frame_rate_everybody_is_described():
    assert all(worth_a_look(BOXES, instant, 0.0).all() for instant in range(5))


def test_close_is_who_overlaps_once_boxes_are_half_as_wide_again_on_either_side():
    one = np.array([100.0, 100, 140, 220])
    near, far = one + (79, 0, 79, 0), one + (81, 0, 81, 0)
    assert worth_a_look(np.array([one, near]), 1, 10.0).tolist() == [True, True]
    assert worth_a_look(np.array([one, far]), 1, 10.0).tolist() == [False, False]
    assert worth_a_look(np.empty((0, 4)), 1, 10.0).shape == (0,)


def test_who_is_left_out_has_a_row_of_zeros_and_the_others_the_same_as_ever():
    embedder = build_embedder("descriptor", models_dir=None)
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 255, (240, 480, 3)).astype(np.uint8) for _ in range(3)]
    chosen = [np.array([True, False, True, False]), np.zeros(4, bool), np.ones(4, bool)]
    looks = embed_chosen(embedder, images, [BOXES] * 3, chosen)
    for image, rows, mine in zip(images, looks, chosen, strict=True):
        assert (rows.shape, rows.dtype) == ((4, embedder.dimension), np.float32)
        np.testing.assert_array_equal(rows[mine], embedder.embed(image, BOXES)[mine])
        assert not rows[~mine].any()
