"""Camera topology: ways between cameras that do not overlap, and what they are worth where looks are ambiguous."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from workers.tracking.identities import PersonBook
from workers.tracking.settings import TrackerSettings
from workers.tracking.tests.people import looks
from workers.tracking.topology import LIMIT, Topology

CAMERAS = ["east", "hall", "west"]
# from the hall it takes so long to be seen by the others (s)
WAY_S = {"east": 12.0, "west": 45.0}


def taught(people: int = 20) -> Topology:
    """People who leave the hall appear in the east after 12 s or in the west after 45 s."""
    topology, rng = Topology(CAMERAS), np.random.default_rng(1)
    for k in range(people):
        camera = ("east", "west")[k % 2]
        topology.entered(camera)
        topology.learn("hall", camera, WAY_S[camera] * float(np.exp(rng.normal(0, 0.15))))
    return topology


def expected(topology: Topology, left: list[str], entered: str, away_s: np.ndarray) -> np.ndarray:
    """How much likelier people who left by these cameras are to enter by one of them than anybody is."""
    (result,) = topology.log_ratio(left, [entered], away_s[None])
    return result


def test_before_anything_is_learned_every_way_is_as_good_as_any():
    ratios = expected(Topology(CAMERAS), ["hall", "east"], "west", np.array([10.0, 300.0]))
    assert ratios == pytest.approx([0.0, 0.0], abs=1e-9)


def test_who_comes_when_people_usually_come_is_expected():
    topology = taught()
    usual, late, soon = expected(topology, ["hall"] * 3, "east", np.array([12.0, 45.0, 4.0]))
    assert usual > 1 > 0 > late
    assert soon < usual - 1


def test_a_way_that_nobody_takes_is_not_expected():
    from_hall, from_west = expected(taught(), ["hall", "west"], "east", np.array([12.0, 12.0]))
    assert from_hall > from_west + 1


def test_a_camera_that_overlooked_somebody_for_a_moment_teaches_nothing():
    topology = Topology(CAMERAS)
    topology.learn("hall", "hall", 0.5)
    assert topology.counts.sum() == 0
    assert expected(taught(), ["hall"], "east", np.array([0.5])) == [0.0]


def test_what_is_learned_is_bounded_and_fades():
    topology = taught(20_000)
    assert topology.counts.sum() <= 201
    assert np.abs(expected(topology, ["hall"] * 3, "east", np.array([3.0, 12.0, 1e6]))).max() <= LIMIT
    for _ in range(400):
        topology.learn("hall", "east", 30.0)
    rebuilt, before = expected(topology, ["hall"] * 2, "east", np.array([30.0, 12.0]))
    assert rebuilt > before


def test_it_goes_on_from_its_state():
    topology, other = taught(), Topology(CAMERAS)
    other.restore(topology.to_state())
    away = np.array([5.0, 12.0, 100.0])
    assert np.array_equal(
        expected(other, ["hall"] * 3, "east", away), expected(topology, ["hall"] * 3, "east", away)
    )
    other.learn("hall", "east", 12.0)
    assert other.counts.sum() == topology.counts.sum() + 1


# -- what it is worth ----------------------------------------------------------------------------------------


class Corridors:
    """People walk through the hall and are seen by the east or the west camera afterwards: three separate images."""

    def __init__(self) -> None:
        self.book = PersonBook(TrackerSettings(), CAMERAS)
        self.rng = np.random.default_rng(3)
        self.tracks, self.now_s = 0, 1000.0

    def walk(self, camera: str, *people: tuple[np.ndarray, float, float]) -> list[int]:
        """People (look, since, until) in one camera's view; returns who they are thought to be in the end."""
        first, found = self.tracks, [-1] * len(people)
        self.tracks += len(people)
        for t in np.arange(min(since for _, since, _ in people), max(until for *_, until in people) + 1, 0.5):
            for k, (look, since, until) in enumerate(people):
                crop = look + self.rng.normal(0, 0.03, look.shape)
                crop /= np.linalg.norm(crop)
                place = np.array([3.0 * k, 0.0])
                where: dict[str, Any] = {"time_s": t, "position_m": place, "camera": camera, "weight": 1.0}
                if t == since:
                    self.book.begin(
                        plane=f"image of {camera}",
                        track=first + k,
                        born_s=t,
                        born_instant=int(2 * t),
                        look=crop,
                        **where,
                    )
                elif since < t <= until:
                    self.book.seen(first + k, instant=int(2 * t), look=crop, **where)
                elif found[k] < 0 and t > until:
                    found[k] = self.book.visits[first + k].person
                    self.book.ended(first + k)
            self.book.decide(t)
        return found

    def teach(self, people: np.ndarray) -> None:
        for k, look in enumerate(people):
            self.now_s += 100.0
            camera = ("east", "west")[k % 2]
            self.walk("hall", (look, self.now_s, self.now_s + 14))
            begin = self.now_s + 14 + WAY_S[camera]
            self.walk(camera, (look, begin, begin + 14))

    def twins(self, look: np.ndarray) -> bool:
        """Two who look the same leave the hall, 45 s and 12 s before one of them comes in the west. Is it the first?"""
        self.now_s += 300.0
        leave = self.now_s + 14
        first, second = self.walk("hall", (look, self.now_s, leave), (look, self.now_s, leave + 33))
        (third,) = self.walk("west", (look, leave + 45, leave + 59))
        assert first != second
        return third == first


def right(monkeypatch: pytest.MonkeyPatch, ways: bool) -> int:
    """Of 12 pairs of twins, how many are told apart."""
    if not ways:
        monkeypatch.setattr(Topology, "log_ratio", lambda self, left, entered, away_s: np.zeros(away_s.shape))
    world, everybody = Corridors(), looks(62)
    world.teach(everybody[:40])
    return sum(world.twins(look) for look in everybody[40:52])


def test_the_ways_tell_apart_whom_looks_do_not(monkeypatch):
    with_ways, without = right(monkeypatch, True), right(monkeypatch, False)
    assert with_ways >= 11
    assert without <= 6
