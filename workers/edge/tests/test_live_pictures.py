"""Pictures of live cameras, from `ingest` over the frame store to perception."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tracking import frames
from workers.batches import Segment
from workers.edge.live import BackgroundStore, live_frames
from workers.edge.media import stored_live_frame
from workers.jpeg import DamagedJpegError, Jpeg
from workers.tests.walkers import batch
from workers.types import SourceFrame

IMAGE = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (360, 640, 3), np.uint8), (9, 9), 0)
WHOLE = cv2.imencode(".jpg", IMAGE)[1].tobytes()
CUT_OFF = WHOLE[: len(WHOLE) // 2]


def test_they_are_stored_as_the_camera_sent_them_unless_too_wide():
    frame = SourceFrame(7, 1e9, Jpeg(WHOLE))
    kept = stored_live_frame(frame, 70, width=640, quality=80)
    assert (kept.jpeg, kept.width, kept.height, kept.instant, kept.index) == (WHOLE, 640, 360, 70, 7)
    smaller = stored_live_frame(frame, 70, width=320, quality=80)
    assert (smaller.width, smaller.height) == (320, 180)
    assert Jpeg(smaller.jpeg).image.shape == (180, 320, 3)


def test_other_cameras_pictures_are_encoded():
    kept = stored_live_frame(SourceFrame(7, 1e9, IMAGE), 70, width=640, quality=80)
    assert np.abs(Jpeg(kept.jpeg).image.astype(int) - IMAGE).mean() < 5


def test_what_cannot_be_decoded_cannot_be_made_smaller():
    with pytest.raises(DamagedJpegError):
        stored_live_frame(SourceFrame(8, 1e9, Jpeg(CUT_OFF)), 71, width=320, quality=80)


def test_perception_leaves_out_what_cannot_be_decoded():
    BackgroundStore("live", "yard").put(b"whatever")
    for instant, jpeg in ((1, WHOLE), (2, CUT_OFF), (3, WHOLE)):
        frame = frames.StoredFrame(instant, instant, 1e9, 640, 360, jpeg)
        frames.put(task_id="live", camera="yard", frame=frame)
    asked = batch(Segment("", 1e9, None, (1, 2, 3), (0.1, 0.2, 0.3)), live=True, task_id="live")
    found, known = live_frames(asked)
    assert [frame.instant for frame in found] == [1, 3]
    assert known.read() == b"whatever"
