"""What a tracked video's file holds."""

from __future__ import annotations

from workers.video import once_per_frame

BOX = (0.0, 0.0, 9.0, 30.0)


def row(frame: int, person: int, score: float) -> tuple:
    return (frame, frame, frame / 10, "video", 1, person, BOX, score, None)


def test_where_two_tracks_of_one_person_overlap_the_surest_box_stays():
    rows = [row(1, 0, 0.9), row(2, 0, 0.0), row(2, 0, 0.7), row(2, 1, 0.4), row(3, 0, 0.8)]
    assert once_per_frame(rows) == [row(1, 0, 0.9), row(2, 0, 0.7), row(2, 1, 0.4), row(3, 0, 0.8)]
