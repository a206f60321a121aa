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
    assert f"{FRAMES} frames, {len(rows)} boxes, 1 persons; motion" in said
    assert all(len(row) == 10 and row[7:] == [-1, -1, -1] for row in rows)
    assert len({row[0] for row in rows}) == len(rows) >= 0.7 * FRAMES
    for frame, _, x, y, width, height, confidence, *_ in rows:
        assert 0 <= frame < FRAMES
        assert 0 <= x <= x + width <= SIZE[0]
        assert 0 <= y <= y + height <= SIZE[1]
        assert 0 <= confidence <= 1
        assert abs(x + width / 2 - (20 + 5 * frame)) < 9


def test_who_comes_back_is_the_same_person(twice):
    rows, _ = tracked(twice)
    first, second = ({row[1] for row in rows if (row[0] < 1.5 * ROUND) is early} for early in (True, False))
    assert len(first) == 1
    assert first == second


def test_without_memory_who_comes_back_is_somebody_new(twice):
    """As MOTChallenge counts people."""
    rows, _ = tracked(twice, memory=0.0)
    first, second = ({row[1] for row in rows if (row[0] < 1.5 * ROUND) is early} for early in (True, False))
    assert len(first) == len(second) == 1
    assert first != second


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--memory", "-1"], "0 or more seconds"),
        (["--memory", "long"], "0 or more seconds"),
        (["--memory", "nan"], "0 or more seconds"),
        (["--video", "there-is-none.mp4"], "there-is-none.mp4"),
        (["--camera-config", "there-is-none.json"], "there-is-none.json: No such file"),
        (["--detector", "magic"], "magic"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, wrong, said):
    video, out = record(tmp_path / "walker.mp4"), tmp_path / "tracks.txt"
    with pytest.raises(CommandError, match=said):
        call_command("track_video", "--video", str(video), "--out", str(out), *wrong)
    assert not out.exists()
