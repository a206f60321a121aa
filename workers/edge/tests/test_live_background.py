"""What an empty live view looks like, learned while it runs."""

from __future__ import annotations

import numpy as np
import pytest

from environments.redis import redis_client
from workers.detection.background import BackgroundModel
from workers.edge import live_background
from workers.edge.live import BackgroundStore
from workers.edge.live_background import LiveBackground
from workers.types import SourceFrame

GREY = np.full((36, 64, 3), 90, np.uint8)


@pytest.fixture(autouse=True)
def _empty() -> None:
    redis_client().flushall()


def frame(at_s: float, image: np.ndarray = GREY) -> SourceFrame:
    return SourceFrame(round(at_s * 10), 1e9 + at_s, image)


def learn(background: LiveBackground, *, until_s: float, since_s: float = 0.0) -> list[bool]:
    """Ten frames a second; the learning thread is given time to end."""
    known = []
    for i in range(round((until_s - since_s) * 10)):
        known.append(background.learn(frame(since_s + i / 10)))
        if background._thread is not None:
            background._thread.join()
    return known


def test_it_is_known_after_a_first_look():
    known = learn(LiveBackground("task", "c01"), until_s=6)
    assert known.index(True) == pytest.approx(10 * live_background.FIRST_LOOK_S, abs=2)
    model = BackgroundModel.from_bytes(BackgroundStore("task", "c01").data())
    assert (model.image == 90).all()


def test_whoever_takes_over_knows_it_at_once():
    """After a pause, or when another process feeds the task."""
    learn(LiveBackground("task", "c01"), until_s=6)
    assert LiveBackground("task", "c01").learn(frame(10)) is True
    assert LiveBackground("task", "c02").learn(frame(10)) is False


def test_what_redis_has_lost_is_told_again():
    background = LiveBackground("task", "c01")
    learn(background, until_s=6)
    before = BackgroundStore("task", "c01").data()
    redis_client().flushall()
    learn(background, since_s=6, until_s=9)
    assert BackgroundStore("task", "c01").data() == before


def test_cameras_of_one_task_do_not_learn_again_at_the_same_time():
    first, second = LiveBackground("task", "c01"), LiveBackground("task", "c02", turn=1)
    times = []
    for background in (first, second):
        learn(background, until_s=5)
        before = background._times_learned
        at_s = 5.0
        while background._times_learned == before:
            learn(background, since_s=at_s, until_s=at_s + 0.1)
            at_s += 0.1
        times.append(at_s)
    assert times[1] - times[0] == pytest.approx(3.0, abs=0.3)


def test_large_pictures_do_not_fill_the_memory():
    background = LiveBackground("task", "c01")
    background.learn(frame(0, np.zeros((1080, 1920, 3), np.uint8)))
    assert background._samples[0].nbytes < 800_000


def test_its_version_tells_whether_it_has_changed():
    """Workers look at the version with every frame, at the background itself only when that is new."""
    store = BackgroundStore("task", "c01")
    assert store.known() is None
    store.put(b"morning")
    first = store.known()
    assert (store.known().version, first.read()) == (first.version, b"morning")
    store.put(b"noon")
    assert store.known().version != first.version
    assert store.known().read() == b"noon"
