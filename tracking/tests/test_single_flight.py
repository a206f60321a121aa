"""Made once, seen by many: real threads and a real Redis."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from environments.redis import redis_client
from tracking import single_flight
from tracking.single_flight import made_once


class Maker:
    """Counts how often it is called; takes a while."""

    def __init__(self, seconds: float = 0.1, fails: int = 0) -> None:
        self.calls, self.seconds, self.fails, self.lock = 0, seconds, fails, threading.Lock()

    def __call__(self) -> bytes:
        with self.lock:
            self.calls += 1
            number = self.calls
        time.sleep(self.seconds)
        if number <= self.fails:
            raise ValueError(f"call {number}")
        return b"made %d" % number


def at_once(count, maker, names=("one",)):
    def call(i):
        try:
            return made_once(names[i % len(names)], maker)
        except ValueError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def test_of_many_who_want_the_same_one_makes_it():
    maker = Maker()
    begun = time.monotonic()
    assert at_once(20, maker) == [b"made 1"] * 20
    assert time.monotonic() - begun < 1.0, "all were woken when it was there"
    assert made_once("one", maker) == b"made 1"
    assert maker.calls == 1


def test_other_things_are_made_beside_it():
    maker = Maker()
    assert len(set(at_once(12, maker, names=("a", "b", "c")))) == 3
    assert maker.calls == 3


def test_a_failure_is_its_makers_and_the_next_one_tries():
    maker = Maker(seconds=0.02, fails=1)
    results = at_once(8, maker)
    assert [str(r) for r in results if isinstance(r, ValueError)] == ["call 1"]
    assert [r for r in results if not isinstance(r, ValueError)] == [b"made 2"] * 7
    assert maker.calls == 2


def test_who_died_making_it_is_not_waited_for_longer_than_the_lock(monkeypatch):
    redis_client().set("spoton:made:one:lock", "of the dead", ex=1)
    maker = Maker(seconds=0)
    begun = time.monotonic()
    assert at_once(3, maker) == [b"made 1"] * 3
    assert 0.5 < time.monotonic() - begun < 4
    assert maker.calls == 1


def test_nobody_waits_for_ever(monkeypatch):
    monkeypatch.setattr(single_flight, "PATIENCE_S", 0.1)
    redis_client().set("spoton:made:one:lock", "of the very slow", ex=60)
    assert made_once("one", Maker(seconds=0)) == b"made 1"


def test_who_was_overtaken_does_not_take_the_lock_of_another(monkeypatch):
    def slow() -> bytes:
        redis_client().set("spoton:made:one:lock", "of somebody else", ex=60)
        return b"late"

    assert made_once("one", slow) == b"late"
    assert redis_client().get("spoton:made:one:lock") == b"of somebody else"


def test_what_was_made_is_bounded_in_time_and_size(monkeypatch):
    monkeypatch.setattr(single_flight, "MOST_BYTES", 2500)
    for name in ("a", "b", "c"):
        made_once(name, lambda: b"x" * 1000)
    assert redis_client().get("spoton:made:a") is None
    assert 0 < redis_client().ttl("spoton:made:c") <= single_flight.LIFE_S
    assert redis_client().hget("spoton:made-sizes", "total") == b"2000"


@pytest.mark.parametrize("key", ["spoton:made:one:lock", "spoton:made:one:bell"])
def test_nothing_stays_behind(key):
    made_once("one", Maker(seconds=0))
    assert redis_client().ttl(key) <= 2
