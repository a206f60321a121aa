"""The frame store: short-lived, bounded, and filled on demand by a worker."""

from __future__ import annotations

import threading
import time
import uuid

import pytest

from environments.redis import redis_client
from tracking import frames
from tracking.errors import MediaTimeoutError
from tracking.tests.factories import queued

TASK = uuid.uuid4()


def frame(instant: int = 0) -> frames.StoredFrame:
    return frames.StoredFrame(instant, instant + 7, 1.5e9 + instant / 10, 640, 360, b"\xff\xd8 a picture")


def put(*instants: int, camera: str = "c01") -> None:
    for instant in instants:
        frames.put(task_id=TASK, camera=camera, frame=frame(instant))


def there(*instants: int, camera: str = "c01") -> list[int]:
    return [f.instant for f in frames.get_many(task_id=TASK, camera=camera, instants=list(instants))]


def test_a_frame_comes_back_as_it_was():
    put(3)
    assert frames.get(task_id=TASK, camera="c01", instant=3) == frame(3)
    assert frames.get(task_id=TASK, camera="c02", instant=3) is None
    assert frames.get(task_id=uuid.uuid4(), camera="c01", instant=3) is None


def test_several_come_in_the_order_asked_for():
    put(1, 2, 5)
    assert there(5, 3, 1) == [5, 1]
    assert there() == []


def test_frames_end_by_themselves(settings):
    settings.ENV = settings.ENV.model_copy(update={"frame_ttl_seconds": 5})
    put(1)
    assert 0 < redis_client().ttl(frames.frame_key(TASK, "c01", 1)) <= 5


def test_the_ring_keeps_the_newest():
    """However fast frames come within their lifetime, a camera's share of memory has an end."""
    count = frames.FRAMES_PER_CAMERA + 30
    put(*range(count))
    put(0, camera="c02")
    assert there(*range(count)) == list(range(30, count))
    assert there(0, camera="c02") == [0], "the other camera's are not touched"


@pytest.mark.parametrize("step", [2, 3, 7, 30, 99, 101, 250])
def test_the_ring_is_bounded_whatever_instants_are_left_out(step):
    """Thinned tasks and live cameras with gaps store every so-many-th instant."""
    instants = range(0, 3 * frames.FRAMES_PER_CAMERA * step, step)
    put(*instants)
    assert there(*instants) == list(instants)[-frames.FRAMES_PER_CAMERA :]


def test_a_frame_put_again_counts_once():
    for _ in range(3):
        put(*range(frames.FRAMES_PER_CAMERA))
    assert len(there(*range(frames.FRAMES_PER_CAMERA))) == frames.FRAMES_PER_CAMERA


# -- on demand -----------------------------------------------------------------------------------------------


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.setattr(frames, "FETCH_TIMEOUT_SECONDS", 1)


def fetch():
    return frames.fetch(task_id=TASK, camera="c01", instant=4)


def worker_answers(answer: frames.StoredFrame | None) -> threading.Thread:
    """A media worker takes the request from the real queue and replies."""

    def work() -> None:
        while not (waiting := queued("media")):
            time.sleep(0.01)
        ((name, (task_id, camera, instant, reply_to)),) = waiting
        assert (name, task_id, camera, instant) == ("workers.fetch_frame", str(TASK), "c01", 4)
        frames.reply(reply_to=reply_to, frame=answer)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_what_is_there_is_not_fetched():
    put(4)
    assert fetch() == frame(4)
    assert queued("media") == []


def test_a_missing_frame_is_decoded_by_a_worker():
    worker = worker_answers(frame(4))
    assert fetch() == frame(4)
    worker.join()


def test_a_worker_may_say_that_there_is_none():
    worker = worker_answers(None)
    assert fetch() is None
    worker.join()


def test_nobody_waits_forever_for_a_worker(patience):
    begun = time.monotonic()
    with pytest.raises(MediaTimeoutError, match="No worker delivered"):
        fetch()
    assert time.monotonic() - begun < 3


def test_late_answers_do_not_pile_up():
    frames.reply(reply_to="spoton:reply:nobody", frame=frame())
    assert 0 < redis_client().ttl("spoton:reply:nobody") <= frames.FETCH_TIMEOUT_SECONDS


def test_frames_are_kept_while_somebody_watches():
    assert not frames.is_watched(TASK)
    redis_client().set(frames.watched_key(TASK), 1, ex=frames.WATCH_SECONDS)
    assert frames.is_watched(TASK)
    assert 0 < redis_client().ttl(f"spoton:watched:{TASK}") <= frames.WATCH_SECONDS


def test_the_store_has_a_size_and_the_oldest_of_all_give_way(settings):
    """Other things live in the same memory: messages, observations, sessions."""
    settings.ENV = settings.ENV.model_copy(update={"frame_store_mb": 1})
    large = b"x" * 100_000
    for instant in range(30):
        for camera in ("c01", "c02"):
            picture = frames.StoredFrame(instant, instant, 0.0, 640, 360, large)
            frames.put(task_id=TASK, camera=camera, frame=picture)
    kept = [there(*range(30), camera=camera) for camera in ("c01", "c02")]
    assert sum(map(len, kept)) == 10
    assert kept[0][-1] == kept[1][-1] == 29
    assert frames.size_bytes() <= 2**20


def test_a_frame_that_is_kept_again_counts_once():
    for _ in range(5):
        put(1, 2)
    assert frames.size_bytes() == 2 * len(frame(1).to_bytes())


def test_frames_whose_life_is_over_are_counted_off(settings):
    settings.ENV = settings.ENV.model_copy(update={"frame_ttl_seconds": 1})
    put(1, 2, 3)
    time.sleep(1.2)
    put(4)
    assert frames.size_bytes() == len(frame(4).to_bytes())
