"""Visits: who is away for long begins another."""

from __future__ import annotations

from workers.visits import Visit, visits_of

FPS = 10.0


def seen(person: int, *spans: tuple[int, int]) -> list[tuple[int, int]]:
    """(frame, person) of spans of frames, without their ends."""
    return [(frame, person) for span in spans for frame in range(*span)]


def test_who_is_hidden_for_a_moment_is_on_the_same_visit():
    visits, _ = visits_of(seen(7, (0, 10), (39, 50)), FPS, away_s=3.0)
    assert visits == [Visit(1, 1, 0, 49)]


def test_who_is_away_for_longer_begins_another_and_is_named_by_the_first():
    visits, _ = visits_of(seen(7, (0, 10), (40, 50), (90, 92)), FPS, away_s=3.0)
    assert visits == [Visit(1, 1, 0, 9), Visit(2, 1, 40, 49), Visit(3, 1, 90, 91)]


def test_visits_are_numbered_as_they_begin_whatever_persons_are_called():
    entries = seen(9, (0, 5), (100, 105)) + seen(3, (2, 4)) + seen(4, (50, 60))
    visits, belongs = visits_of(entries[::-1], FPS)
    assert [(visit.number, visit.person, visit.first_frame) for visit in visits] == [
        (1, 1, 0),
        (2, 2, 2),
        (3, 3, 50),
        (4, 1, 100),
    ]
    assert [visit.number for visit in belongs[::-1]] == [1] * 5 + [4] * 5 + [2] * 2 + [3] * 10


def test_nobody_has_no_visit():
    assert visits_of([], FPS) == ([], [])
