"""`manage.py track_video` on real files, without servers."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from workers.tests.walkers import FRAMES, SIZE, record

NO_WEIGHTS = {"detector": "motion", "embedder": "descriptor"}
# somebody walks through for six seconds, twice, six seconds apart
ROUND = 60


@pytest.fixture(scope="module")
def twice(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "twice.mp4"
    return record(path, frames=3 * ROUND, empty=lambda number: ROUND <= number < 2 * ROUND, again_after=ROUND)


def tracked(video: Path, **options) -> tuple[list[list[float]], str]:
    """The rows of the file, and what the command says."""
    out, said = video.parent / "tracks.txt", io.StringIO()
    call_command("track_video", video=video, out=out, stdout=said, **NO_WEIGHTS, **options)
    with out.open() as file:
        return [[float(value) for value in row] for row in csv.reader(file)], said.getvalue()


def test_it_writes_one_row_for_each_box_in_the_mot_format(tmp_path):
    rows, said = tracked(record(tmp_path / "walker.mp4"))
    assert f"{FRAMES} frames, {len(rows)} boxes, 1 person; motion" in said
    assert all(len(row) == 10 and row[7:] == [-1, -1, -1] for row in rows)
    assert len({row[0] for row in rows}) == len(rows) >= 0.7 * FRAMES
    for frame, _, x, y, width, height, confidence, *_ in rows:
        assert 0 <= frame < FRAMES
        assert 0 <= x <= x + width <= SIZE[0]
        assert 0 <= y <= y + height <= SIZE[1]
        assert 0 <= confidence <= 1
        assert abs(x + width / 2 - (20 + 5 * frame)) < 9


def of_both_walks(rows: list[list[float]]) -> tuple[set[float], set[float]]:
    """The ids of those who walk through first and last."""
    return {row[1] for row in rows if row[0] < 1.5 * ROUND}, {row[1] for row in rows if row[0] >= 1.5 * ROUND}


def test_who_comes_back_has_another_id_and_it_is_said_who_that_is(twice):
    """MOTChallenge, whose format it is, counts visits."""
    rows, said = tracked(twice)
    assert of_both_walks(rows) == ({1}, {2})
    assert "1 person in 2 visits (2 is 1 again)" in said


def test_an_id_may_stand_for_a_person(twice):
    rows, said = tracked(twice, ids="persons")
    assert of_both_walks(rows) == ({1}, {1})
    assert "1 person in 2 visits" in said


def test_how_long_somebody_is_away_between_visits_may_be_given(twice):
    rows, said = tracked(twice, away=8.0)
    assert of_both_walks(rows) == ({1}, {1})
    assert "1 person;" in said


def test_without_memory_nobody_is_recognised(twice):
    rows, said = tracked(twice, ids="persons", memory=0.0)
    assert of_both_walks(rows) == ({1}, {2})
    assert "2 persons;" in said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--memory", "-1"], "0 or more seconds"),
        (["--memory", "long"], "0 or more seconds"),
        (["--away", "-1"], "0 or more seconds"),
        (["--memory", "nan"], "0 or more seconds"),
        (["--video", "there-is-none.mp4"], "there-is-none.mp4"),
        (["--camera-config", "there-is-none.json"], "there-is-none.json: No such file"),
        (["--detector", "magic"], "magic"),
        (["--ids", "faces"], "invalid choice: 'faces'"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, wrong, said):
    video, out = record(tmp_path / "walker.mp4"), tmp_path / "tracks.txt"
    with pytest.raises(CommandError, match=said):
        call_command("track_video", "--video", str(video), "--out", str(out), *wrong)
    assert not out.exists()
