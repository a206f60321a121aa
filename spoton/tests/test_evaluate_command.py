"""manage.py evaluate: two files in, a table out, and a failure when it got worse."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

BOX, POINT = "camera,frame,id,x1,y1,x2,y2", "frame,id,x,y"
FRAMES = range(10)


@pytest.fixture
def files(tmp_path):
    """Writes the two files; gives the options that name them."""

    def write(truth: list[str], tracks: list[str]) -> list[str]:
        for name, lines in (("truth", truth), ("tracks", tracks)):
            (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n", "utf-8")
        return [f"--truth={tmp_path / 'truth.csv'}", f"--tracks={tmp_path / 'tracks.csv'}"]

    return write


@pytest.fixture
def evaluate(capsys):
    """Runs the command; gives the table as {name: {column: number}}."""

    def run(*options: str) -> dict[str, dict[str, float]]:
        call_command("evaluate", *options)
        head, *lines = capsys.readouterr().out.split("\n\n")[0].strip("\n").split("\n")
        columns = head.split()
        return {
            line[:16].strip(): dict(zip(columns, map(float, line[16:].split()), strict=True))
            for line in lines
        }

    return run


def walk(name: str, frames=FRAMES, *, x: float = 0.0, y: float = 0.0) -> list[str]:
    """Map points of somebody who walks a metre each frame."""
    return [f"{f},{name},{x + f},{y}" for f in frames]


def boxes(camera: str, name: str, frames=FRAMES, *, x: int = 0) -> list[str]:
    return [f"{camera},{f},{name},{x + f},0,{x + f + 20},60" for f in frames]


# -- boxes ---------------------------------------------------------------------------------------------------


def test_boxes_are_scored_in_each_camera_and_across_them(files, evaluate):
    """Each camera for itself is perfect; that the other camera calls ann by another name shows across them."""
    table = evaluate(
        *files(
            [BOX, *boxes("gate", "ann"), *boxes("yard", "ann")],
            [BOX, *boxes("gate", "7"), *boxes("yard", "8")],
        )
    )
    assert list(table) == ["gate", "yard", "across cameras"]
    perfect = {"HOTA": 100, "DetA": 100, "AssA": 100, "IDF1": 100, "MOTA": 100}
    nothing_wrong = {"missed": 0, "false": 0, "switches": 0}
    assert table["gate"] == table["yard"] == {**perfect, **nothing_wrong, "truth": 10}
    across = table["across cameras"]
    assert (across["DetA"], across["AssA"], across["HOTA"]) == (100, 50, 70.7)
    assert (across["IDF1"], across["switches"], across["truth"]) == (50, 1, 20)


def test_a_camera_without_tracks_missed_everybody(files, evaluate):
    table = evaluate(*files([BOX, *boxes("gate", "ann"), *boxes("yard", "ann")], [BOX, *boxes("gate", "7")]))
    assert (table["yard"]["HOTA"], table["yard"]["missed"]) == (0, 10)
    assert table["across cameras"]["missed"] == 10


def test_the_threshold_is_the_least_overlap(files, evaluate):
    options = files([BOX, *boxes("gate", "ann")], [BOX, *boxes("gate", "7", x=5)])
    assert evaluate(*options)["gate"]["missed"] == 0
    assert evaluate(*options, "--threshold=0.7")["gate"]["missed"] == 10


def test_mot_text_needs_no_cameras(files, evaluate):
    mot = [f"{f},7,10,20,30,40,1,-1,-1,-1" for f in FRAMES]
    assert list(evaluate(*files(mot, mot))) == ["boxes"]


# -- the map -------------------------------------------------------------------------------------------------


def test_points_are_scored_on_the_map(files, evaluate):
    options = files([POINT, *walk("ann")], [POINT, *walk("7", y=0.8)])
    assert evaluate(*options)["map"]["MOTA"] == 100
    assert evaluate(*options, "--threshold=0.5")["map"]["MOTA"] == -100


def test_only_the_area_counts(files, evaluate):
    """ann walks out of it, zoe and the track that nobody is at are never in it."""
    options = files([POINT, *walk("ann"), *walk("zoe", y=50)], [POINT, *walk("7"), *walk("8", y=-50)])
    assert evaluate(*options)["map"]["IDF1"] == 50
    inside = evaluate(*options, "--area=-1,-1,4.5,1")["map"]
    assert (inside["HOTA"], inside["truth"], inside["false"]) == (100, 5, 0)


def test_only_the_frames_that_the_truth_covers_count(files, evaluate):
    table = evaluate(*files([POINT, *walk("ann", range(3, 6))], [POINT, *walk("7")]))
    assert (table["map"]["truth"], table["map"]["false"]) == (3, 0)


def test_a_tracker_that_found_nobody_is_scored(files, evaluate):
    assert evaluate(*files([POINT, *walk("ann")], [POINT]))["map"]["missed"] == 10
    assert evaluate(*files([BOX, *boxes("gate", "ann")], [BOX]))["gate"]["missed"] == 10


# -- the baseline --------------------------------------------------------------------------------------------


@pytest.fixture
def baseline(files, evaluate, tmp_path):
    """What a perfect tracker reached."""
    path = tmp_path / "baseline.json"
    evaluate(*files([POINT, *walk("ann")], [POINT, *walk("7")]), f"--json={path}")
    return path


def test_scores_are_stored_in_per_cent_with_the_errors(baseline):
    counts = {"misses": 0, "false_positives": 0, "switches": 0, "truths": 10}
    scores = {"hota": 100, "deta": 100, "assa": 100, "idf1": 100, "mota": 100}
    assert json.loads(baseline.read_text("utf-8")) == {"map": {**scores, **counts}}


def test_as_good_as_the_baseline_passes(files, baseline, capsys):
    call_command("evaluate", *files([POINT, *walk("ann")], [POINT, *walk("other")]), f"--baseline={baseline}")
    assert f"Not worse than {baseline}." in capsys.readouterr().out


def test_worse_than_the_baseline_fails_and_says_in_what(files, baseline, capsys):
    options = files([POINT, *walk("ann")], [POINT, *walk("7", range(5)), *walk("8", range(5, 10))])
    with pytest.raises(SystemExit) as exit_:
        call_command("evaluate", *options, f"--baseline={baseline}")
    assert exit_.value.code == 1
    verdict = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert verdict == [
        f"Worse than {baseline}:",
        "map: HOTA was 100.0, is 70.7",
        "map: ASSA was 100.0, is 50.0",
        "map: IDF1 was 100.0, is 50.0",
        "map: MOTA was 100.0, is 90.0",
    ]
    call_command("evaluate", *options, f"--baseline={baseline}", "--tolerance=50")


def test_a_camera_that_is_gone_is_worse(files, tmp_path, capsys):
    path = tmp_path / "baseline.json"
    gate, yard = boxes("gate", "ann"), boxes("yard", "ann")
    call_command("evaluate", *files([BOX, *gate, *yard], [BOX, *gate, *yard]), f"--json={path}")
    with pytest.raises(SystemExit):
        call_command("evaluate", *files([BOX, *gate], [BOX, *gate]), f"--baseline={path}")
    assert "yard: HOTA was 100.0, there is none now" in capsys.readouterr().out


def test_one_file_as_both_is_compared_before_it_is_replaced(files, baseline):
    options = files([POINT, *walk("ann")], [POINT])
    with pytest.raises(SystemExit):
        call_command("evaluate", *options, f"--baseline={baseline}", f"--json={baseline}")


def test_the_exit_status_is_for_scripts(files, baseline):
    """Without Django: 0 passed, 1 worse, 2 could not be compared."""
    good, bad = [POINT, *walk("7")], [POINT]

    def status(truth: list[str], tracks: list[str]) -> int:
        options = [*files(truth, tracks), f"--baseline={baseline}"]
        command = [sys.executable, "-m", "workers.evaluation", *options]
        done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, check=False, timeout=120)
        assert b"Traceback" not in done.stderr
        return done.returncode

    assert [status(good, good), status(good, bad), status(bad, good)] == [0, 1, 2]


# -- what cannot be compared ---------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["truth", "tracks", "baseline"])
def test_a_missing_file_is_named(files, tmp_path, option):
    options = files([POINT, *walk("ann")], [POINT, *walk("7")])
    with pytest.raises(CommandError, match=r"No such file.*nowhere\.file"):
        call_command("evaluate", *options, f"--{option}={tmp_path / 'nowhere.file'}")


@pytest.mark.parametrize(
    "content",
    ["", "not json", "[]", "{}", "7", '{"map": 3}', '{"map": {"hota": 50}}', '{"map": {"hota": "much"}}'],
)
def test_a_bad_baseline_is_named(files, tmp_path, content):
    path = tmp_path / "baseline.json"
    path.write_text(content, "utf-8")
    with pytest.raises(CommandError, match=r"baseline\.json: not a baseline written by --json"):
        call_command("evaluate", *files([POINT, *walk("ann")], [POINT, *walk("7")]), f"--baseline={path}")


@pytest.mark.parametrize(
    ("truth", "tracks", "options", "message"),
    [
        ([POINT, "0,a,1,2"], [POINT, "0,7,one,2"], [], r"tracks\.csv, line 2: could not convert"),
        ([BOX, *boxes("gate", "a")], [POINT, *walk("7")], [], "truth has boxes, the tracks have points"),
        ([BOX, *boxes("gate", "a")], ["0,7,1,2,3,4"], [], "one file names cameras, the other does not"),
        (
            [BOX, *boxes("gate", "a")],
            [BOX, *boxes("Gate", "7")],
            [],
            "the truth knows no camera Gate: it has gate",
        ),
        ([POINT], [POINT, *walk("7")], [], "the truth has no rows"),
        ([BOX, *boxes("gate", "a")], [BOX], ["--area=0,0,1,1"], "an area is in metres on the map"),
        ([BOX, *boxes("gate", "a")], [BOX], ["--threshold=1"], "least IoU must be below 1"),
        ([POINT, *walk("a")], [POINT], ["--threshold=0"], "--threshold: must be above 0"),
        ([POINT, *walk("a")], [POINT], ["--area=0,0,1"], "--area: '0,0,1' is not x0,y0,x1,y1"),
        ([POINT, *walk("a")], [POINT], ["--area=5,0,1,1"], "--area: x0,y0 must be below x1,y1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_makes_no_sense_is_refused_with_the_reason(files, truth, tracks, options, message):
    with pytest.raises(CommandError, match=message):
        call_command("evaluate", *files(truth, tracks), *options)


def test_scores_that_cannot_be_written_are_an_error(files, tmp_path):
    options = files([POINT, *walk("ann")], [POINT, *walk("7")])
    with pytest.raises(CommandError, match="no-folder"):
        call_command("evaluate", *options, f"--json={tmp_path / 'no-folder' / 'scores.json'}")
