"""Who is who: decisions that are revised while more is seen, tracks that go over to somebody else, bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from workers.tracking import identities
from workers.tracking.identities import PersonBook, Renamed
from workers.tracking.settings import TrackerSettings
from workers.tracking.tests.people import looks

LOOKS = looks(40, seed=4)


class Yard:
    """A book of persons, and tracks on one plane by what they look like."""

    def __init__(self) -> None:
        self.book = PersonBook(TrackerSettings(), ["yard"])
        self.rng = np.random.default_rng(2)
        self.now_s = 0.0
        self.renamed: list[Renamed] = []

    def run(self, seconds: float, tracks: dict[int, tuple[np.ndarray, tuple[float, float]]]) -> None:
        """All of these tracks are seen, ten times a second; those that were there before and are not now end."""
        for track in [t for t in self.book.visits if t not in tracks]:
            self.book.ended(track)
        for _ in range(round(seconds * 10)):
            for track, (look, place) in tracks.items():
                crop = look + self.rng.normal(0, 0.05, look.shape)
                crop = crop / np.linalg.norm(crop) * 0.8
                where: dict[str, Any] = {
                    "time_s": self.now_s,
                    "position_m": np.array(place),
                    "camera": "yard",
                    "weight": 0.8,
                }
                instant = round(self.now_s * 10)
                if track in self.book.visits:
                    self.book.seen(track, instant=instant, look=crop, **where)
                else:
                    self.book.begin(
                        track=track, plane="map", born_s=self.now_s, born_instant=instant, look=crop, **where
                    )
            self.renamed += self.book.decide(self.now_s)
            self.now_s = round(self.now_s + 0.1, 1)

    def person(self, track: int) -> int:
        return self.book.visits[track].person


def crowd(count: int) -> dict[int, tuple[np.ndarray, tuple[float, float]]]:
    """Who is there all the time."""
    return {k: (LOOKS[k], (5.0 * k, 0.0)) for k in range(count)}


def test_who_comes_back_is_recognised_and_somebody_new_is_not():
    yard = Yard()
    yard.run(15, {**crowd(6), 10: (LOOKS[10], (0, 9))})
    yard.run(20, crowd(6))
    yard.run(3, {**crowd(6), 11: (LOOKS[10], (20, 9)), 12: (LOOKS[12], (0, 9))})
    assert yard.person(11) == 6
    assert yard.person(12) not in range(7)
    assert yard.renamed == [Renamed(11, "map", 350, 7, 6)] or yard.renamed == [Renamed(11, "map", 350, 8, 6)]


def test_a_first_impression_is_revised():
    """Somebody comes in where Ann left two seconds ago, and looks like her at first, being half in the shadow."""
    yard = Yard()
    yard.run(15, {**crowd(6), 10: (LOOKS[10], (0, 9))})
    yard.run(2, crowd(6))
    mixed = LOOKS[10] + LOOKS[11]
    yard.run(1, {**crowd(6), 11: (mixed / np.linalg.norm(mixed), (1.5, 9))})
    assert yard.person(11) == 6
    yard.run(5, {**crowd(6), 11: (LOOKS[11], (1.5, 9))})
    assert yard.person(11) not in range(7)
    last = yard.renamed[-1]
    assert (last.since, last.old, last.new) == (170, 6, yard.person(11))


def test_two_who_come_in_together_are_told_apart_together():
    """Both look more like Ann than like anybody else, one of them even more: the other one is Bob."""
    yard = Yard()
    yard.run(15, {**crowd(6), 10: (LOOKS[10], (0, 9)), 11: (LOOKS[11], (3, 9))})
    yard.run(10, crowd(6))
    alike = 0.55 * LOOKS[10] + 0.45 * LOOKS[11]
    yard.run(4, {**crowd(6), 12: (LOOKS[10], (0, 9)), 13: (alike / np.linalg.norm(alike), (3, 9))})
    assert (yard.person(12), yard.person(13)) == (6, 7)


def test_a_track_that_goes_over_to_somebody_else_gets_another_identity():
    """Ann leaves and the track goes on with Bob, who comes in by the same gate; later Ann comes back."""
    yard = Yard()
    yard.run(15, {**crowd(6), 10: (LOOKS[10], (0, 9))})
    yard.run(6, {**crowd(6), 10: (LOOKS[11], (0.5, 9))})
    bob = yard.person(10)
    assert bob not in range(7)
    change = yard.renamed[0]
    assert (change.track, change.old, change.new) == (10, 6, bob)
    assert 145 <= change.since <= 165
    yard.run(8, {**crowd(6), 10: (LOOKS[11], (4, 9)), 11: (LOOKS[10], (9, 9))})
    assert (yard.person(10), yard.person(11)) == (bob, 6)


def test_who_swapped_tracks_keep_their_identities():
    yard = Yard()
    here, there = (0.0, 9.0), (0.8, 9.0)
    yard.run(15, {**crowd(6), 10: (LOOKS[10], here), 11: (LOOKS[11], there)})
    yard.run(8, {**crowd(6), 10: (LOOKS[11], here), 11: (LOOKS[10], there)})
    assert (yard.person(10), yard.person(11)) == (7, 6)


def test_who_only_turns_round_stays():
    yard = Yard()
    yard.run(15, {**crowd(6), 10: (LOOKS[10], (0, 9))})
    turned = 0.8 * LOOKS[10] + 0.2 * LOOKS[20]
    yard.run(6, {**crowd(6), 10: (turned / np.linalg.norm(turned), (0, 9))})
    assert yard.renamed == []


def test_changing_places_is_told_in_an_order_that_loses_nobody():
    """Applied one after the other, rows of 3 are 4's and rows of 4 are 3's afterwards."""
    book = PersonBook(TrackerSettings(), ["yard"])
    book.count = 10
    changes = [Renamed(1, "map", 50, 3, 4), Renamed(2, "map", 50, 4, 3), Renamed(3, "map", 60, 5, 6)]
    rows = [3, 4, 5, 6]
    for change in book._in_order(changes):
        rows = [change.new if row == change.old else row for row in rows]
    assert rows == [4, 3, 6, 6]
    vacated = [Renamed(1, "map", 50, 3, 4), Renamed(2, "map", 50, 4, 7)]
    assert [change.old for change in book._in_order(vacated)] == [4, 3]


def test_it_goes_on_from_its_state_exactly():
    one, other = Yard(), Yard()
    one.run(8.3, {**crowd(4), 10: (LOOKS[10], (0, 9))})
    one.run(1.0, crowd(4))
    other.book.restore(one.book.to_state())
    other.rng, other.now_s = np.random.default_rng(5), one.now_s
    one.rng, one.renamed = np.random.default_rng(5), []
    for yard in (one, other):
        yard.run(9, {**crowd(4), 11: (LOOKS[10], (1, 9)), 12: (LOOKS[12], (2, 12))})
    assert one.renamed == other.renamed != []
    assert [vars(v)["person"] for v in one.book.visits.values()] == [
        v.person for v in other.book.visits.values()
    ]
    assert one.book.known([4])[0].appearance.tobytes() == other.book.known([4])[0].appearance.tobytes()


def test_among_many_who_left_only_some_are_compared_and_the_right_one_is_found(monkeypatch):
    monkeypatch.setattr(identities, "MANY", 10)
    monkeypatch.setattr(identities, "LATELY_S", 1.0)
    monkeypatch.setattr(identities, "ALIKE", 3)
    yard = Yard()
    for k in range(25):
        yard.run(13, {k: (LOOKS[k], (0, 0))})
        yard.run(6, {})
    yard.run(2, {30: (LOOKS[4], (0, 0))})
    visit = yard.book.visits[30]
    assert visit.person == 4
    assert len(yard.book._worth_comparing([visit], {}, yard.now_s)) <= 4


def test_no_more_people_are_remembered_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(identities, "MOST_PEOPLE", 3)
    yard = Yard()
    for k in range(6):
        yard.run(2, {k: (LOOKS[k], (20.0 * k, 0))})
        yard.run(6, {})
    yard.book.forget(yard.now_s)
    assert sorted(yard.book.persons) == [3, 4, 5]
    yard.book.forget(yard.now_s + TrackerSettings().reid_memory_s + 10)
    assert yard.book.persons == {}
    assert yard.book.known([5]) == []


@pytest.mark.parametrize("away_s", [1.0, 600.0])
def test_a_place_alone_is_enough_for_a_moment_and_not_for_long(away_s):
    """No embeddings: who is lost and found at one place within a second is one person."""
    yard = Yard()
    nothing = np.empty(0)
    for track in (0, 1):
        where = {
            "time_s": yard.now_s,
            "position_m": np.zeros(2),
            "camera": "yard",
            "look": nothing,
            "weight": 0.0,
        }
        yard.book.begin(track=track, plane="map", born_s=yard.now_s, born_instant=track, **where)
        yard.book.decide(yard.now_s)
        person = yard.person(track)
        yard.book.ended(track)
        yard.now_s += away_s
        yard.book.decide(yard.now_s)
    assert person == (0 if away_s == 1.0 else 1)


def test_whose_track_is_withdrawn_is_not_forgotten_while_it_may_come_back():
    yard = Yard()
    yard.run(1, crowd(3))
    yard.run(0.3, {**crowd(3), 7: (LOOKS[7], (2.5, 3.0))})
    number = yard.person(7)
    yard.book.withdrawn(7)
    yard.book.forget(yard.now_s)
    assert [p.number for p in yard.book.known([number])] == [number]
    assert yard.book.resume(7)
    assert yard.person(7) == number


def test_whose_track_does_not_come_back_is_forgotten():
    yard = Yard()
    yard.run(0.3, {**crowd(3), 7: (LOOKS[7], (2.5, 3.0))})
    number = yard.person(7)
    yard.book.withdrawn(7)
    yard.run(identities.WAIT_S + 1, crowd(3))
    yard.book.forget(yard.now_s)
    assert yard.book.known([number]) == []


@pytest.mark.parametrize(
    ("overlap_s", "them"), [(2.0, True), (identities.OVERLAP_S + 0.5, False)], ids=["for a while", "too long"]
)
def test_a_track_that_begins_beside_what_is_left_of_the_last_one_goes_on_with_it(overlap_s, them):
    """A track that has lost its person lingers on; somebody who is there beside another for longer is another."""
    yard = Yard()
    yard.run(5, {**crowd(3), 7: (LOOKS[7], (2.5, 3.0))})
    number = yard.person(7)
    yard.run(overlap_s, {**crowd(3), 7: (LOOKS[7], (2.5, 3.0)), 8: (LOOKS[7], (4.0, 3.5))})
    yard.run(4, {**crowd(3), 8: (LOOKS[7], (4.0, 3.5))})
    assert (yard.person(8) == number) is them


def test_what_a_withdrawn_track_went_on_with_stays_who_it_was_taken_for():
    """Its rows were renamed with the rest; the number they had before is nobody's any more."""
    yard = Yard()
    seven, beside = (LOOKS[7], (2.5, 3.0)), (LOOKS[7], (4.0, 3.5))
    yard.run(15, {**crowd(3), 7: seven})
    known = yard.person(7)
    # a twin beside them is somebody new, also when their track breaks off and another goes on with it
    yard.run(0.5, {**crowd(3), 7: seven, 8: beside})
    yard.run(1, {**crowd(3), 7: seven, 9: beside})
    twin = yard.person(9)
    assert twin != known
    # what was left was the first track: both were the person who is known
    yard.run(3, {**crowd(3), 9: beside})
    assert yard.person(9) == known
    yard.book.withdrawn(9)
    yard.run(identities.WAIT_S + 1, crowd(3))
    assert {p.number for p in yard.book.known([known, twin])} == {known}
