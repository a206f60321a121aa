"""Clearing what is kept only to be quick."""

from __future__ import annotations

import uuid

import pytest

from environments.redis import redis_client
from tracking import frames, single_flight
from tracking.caches import caches_clear
from tracking.single_flight import made_once

pytestmark = pytest.mark.django_db


def frame(instant: int) -> frames.StoredFrame:
    return frames.StoredFrame(instant, instant, 0.0, 64, 36, b"jpeg" * 100)


def put(task_id, *instants):
    for instant in instants:
        frames.put(task_id=task_id, camera="c01", frame=frame(instant))


def test_everything_that_can_be_made_again_goes(task):
    put(task.pk, 1, 2)
    made_once("a", lambda: b"picture")
    for key in ("spoton:background:x", "spoton:replay:x:1", "spoton:replay:x:2", "spoton:prefetch:x:c01:0"):
        redis_client().set(key, b"1")
    redis_client().set("spoton:focus:x", b"stays")
    assert caches_clear() == {"frames": 2, "pictures": 1, "backgrounds": 1, "moments": 2}
    assert frames.get(task_id=task.pk, camera="c01", instant=1) is None
    assert frames.size_bytes() == 0
    for pattern in ("spoton:background:*", "spoton:replay:*", "spoton:prefetch:*"):
        assert redis_client().keys(pattern) == []
    assert redis_client().get("spoton:focus:x") == b"stays"
    assert caches_clear() == {"frames": 0, "pictures": 0, "backgrounds": 0, "moments": 0}


def test_frames_that_wait_to_be_processed_stay(task):
    """Those of a live task are nowhere else; once it has ended nobody waits for them."""
    recorded = uuid.uuid4()
    put(recorded, 1)
    put(task.pk, 7)
    task.mode, task.end, task.status = "live", None, "PROCESSING"
    task.save()
    assert caches_clear()["frames"] == 1
    assert frames.get(task_id=task.pk, camera="c01", instant=7) == frame(7)
    assert frames.size_bytes() == len(frame(7).to_bytes())
    task.status = "STOPPED"
    task.save()
    assert caches_clear()["frames"] == 1


def test_the_store_goes_on_afterwards(task):
    """Its order, rings and sizes know nothing of what was forgotten."""
    put(task.pk, *range(5))
    caches_clear()
    put(task.pk, *range(5, 5 + frames.FRAMES_PER_CAMERA))
    kept = [
        i
        for i in range(5, 5 + frames.FRAMES_PER_CAMERA)
        if frames.get(task_id=task.pk, camera="c01", instant=i)
    ]
    assert len(kept) == frames.FRAMES_PER_CAMERA
    assert frames.size_bytes() == sum(len(frame(i).to_bytes()) for i in kept)


def test_what_was_made_is_made_anew():
    assert made_once("a", lambda: b"old") == b"old"
    assert single_flight.clear() == 1
    assert made_once("a", lambda: b"new") == b"new"
