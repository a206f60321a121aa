"""Detections in files to identities in a file, and what is said of files that are not what they should be."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Iterable
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from workers.detections import Tracked, read_cameras, read_detections, track_detections
from workers.tracking.tests.people import (
    FPS,
    MODELS,
    SIZE,
    SOUTH,
    World,
    looks,
    standing,
    walking,
)
from workers.types import EngineError

ALONG = walking((-3, 10), (0.8, 0.1))
WALK = World({"ann": ALONG})
HEADER = "frame,camera,x1,y1,x2,y2"
BOTH = {"cameras": {name: model.to_mapping() for name, model in MODELS.items()}}
ONE = SOUTH.to_mapping()
SOUTHERN = {"cameras": {"south": ONE}}


def lines(world: World, frames: Iterable[int], cameras: Iterable[str] = ("north", "south")) -> list[str]:
    """What a detector wrote, frame after frame."""
    return [
        f"{frame},{camera}," + ",".join(f"{edge:.2f}" for edge in box)
        for frame in frames
        for camera in cameras
        for _, box, _ in world.at(camera, frame)
    ]


def with_looks(world: World, frames: Iterable[int], written: Callable[[np.ndarray], str]) -> list[str]:
    """The same with embeddings."""
    return [
        f"{frame},{camera}," + ",".join(f"{edge:.2f}" for edge in box) + f",{written(look)}"
        for frame in frames
        for camera in ("north", "south")
        for _, box, look in world.at(camera, frame)
    ]


def numbers(look: np.ndarray) -> str:
    return " ".join(f"{value:.4f}" for value in look)


@pytest.fixture
def written(tmp_path: Path):
    """Writes the two files."""

    def write(rows: Iterable[str], cameras: object = BOTH, header: str = HEADER) -> dict[str, Path]:
        files = {"cameras": tmp_path / "cameras.json", "detections": tmp_path / "detections.csv"}
        text = cameras if isinstance(cameras, str) else json.dumps(cameras)
        files["cameras"].write_text(text, "utf-8")
        files["detections"].write_text("\n".join([header, *rows]) + "\n", "utf-8")
        return files

    return write


@pytest.fixture
def track(written, tmp_path):
    """Tracks detections; gives what was said of it, and the rows as (frame, id, x, y)."""

    def run(rows: Iterable[str], *, cameras: object = BOTH, header: str = HEADER, **options):
        out = tmp_path / "tracks.csv"
        done = track_detections(**written(rows, cameras, header), fps=FPS, out=out, **options)
        with out.open(newline="", encoding="utf-8") as file:
            head, *result = csv.reader(file)
        assert head == ["frame", "id", "x", "y"]
        return done, [(int(f), int(i), float(x), float(y)) for f, i, x, y in result]

    return run


def frames_of(rows: list[tuple[int, int, float, float]]) -> list[int]:
    return [frame for frame, *_ in rows]


# -- tracks --------------------------------------------------------------------------------------------------


def test_somebody_who_walks_past_two_cameras_is_one_line_in_every_frame(track):
    done, rows = track(lines(WALK, range(60)))
    assert frames_of(rows) == list(range(60))
    assert {person for _, person, *_ in rows} == {0}
    for frame, _, x, y in rows:
        assert np.hypot(*np.subtract((x, y), ALONG(frame / FPS))) < 0.3
    assert done == Tracked(frames=60, rows=60, persons=1)


def test_live_rows_begin_when_it_is_sure_and_corrected_ones_with_the_first_detection(track):
    """One camera alone is not sure at once."""
    seen = lines(WALK, range(60), ["south"])
    (_, live), (_, corrected) = (track(seen, cameras=SOUTHERN, lag_s=lag_s) for lag_s in (0.0, 1.0))
    first = live[0][0]
    assert 0 < first < 6
    assert frames_of(live) == list(range(first, 60))
    assert frames_of(corrected) == list(range(60))
    off_m = [
        np.mean([np.hypot(*np.subtract(row[2:], ALONG(row[0] / FPS))) for row in rows[-50:]])
        for rows in (live, corrected)
    ]
    assert off_m[1] < off_m[0]


@pytest.mark.parametrize("lag_s", [0.3, 30.0])
def test_a_lag_of_any_length_leaves_no_frame_out(track, lag_s):
    """Also one that is longer than the recording."""
    _, rows = track(lines(WALK, range(60)), lag_s=lag_s)
    assert frames_of(rows) == list(range(60))


@pytest.mark.parametrize("first", [1, 100_000, -20])
def test_frames_keep_their_numbers(track, first):
    rows = [f"{first + i},{line.split(',', 1)[1]}" for i in range(30) for line in lines(WALK, [i])]
    done, tracked = track(rows)
    assert frames_of(tracked) == list(range(first, first + 30))
    assert done.frames == 30


def test_frames_that_are_missing_are_frames_in_which_nobody_was_found(track):
    """Half a second: nobody becomes somebody else."""
    there = [*range(25), *range(30, 60)]
    done, rows = track(lines(WALK, there))
    assert done.frames == 60
    assert done.persons == 1
    assert set(there) <= set(frames_of(rows))


def test_only_what_is_in_the_area_is_written(track):
    """Ann leaves it, Bob is never in it."""
    world = World({"ann": walking((-3, 10), (1, 0)), "bob": standing((1, 14))})
    done, rows = track(lines(world, range(60)), area=(-4.0, 9.0, 0.0, 12.0))
    assert done.persons == 1
    assert 25 <= len(rows) == done.rows <= 35
    assert all(x <= 0 and 9 <= y <= 12 for _, _, x, y in rows)


def test_two_people_are_two(track):
    world = World({"ann": walking((-3, 12), (1, 0)), "bob": walking((3, 12), (-1, 0))})
    done, rows = track(lines(world, range(60)))
    assert done.persons == 2
    for name, begin in (("ann", -3), ("bob", 3)):
        (number,) = {person for frame, person, x, _ in rows if frame in (0, 1) and abs(x - begin) < 0.5}
        assert [x for frame, person, x, _ in rows if (frame, person) == (59, number)] == [
            pytest.approx(world.paths[name](5.9)[0], abs=0.3)
        ]


def test_nobody_is_an_empty_table(track):
    done, rows = track([])
    assert rows == []
    assert done == Tracked(frames=0, rows=0, persons=0)


def test_the_same_files_give_the_same_bytes(written, tmp_path):
    """Also when the lines come camera by camera, and the cameras in another order."""
    world = World({"ann": walking((-3, 12), (1, 0)), "bob": walking((3, 12), (-1, 0)), "cat": ALONG})
    by_frame = lines(world, range(60))
    by_camera = lines(world, range(60), ["south"]) + lines(world, range(60), ["north"])
    turned = {"cameras": dict(reversed(BOTH["cameras"].items()))}
    found = set()
    for rows, cameras in ((by_frame, BOTH), (by_frame, BOTH), (by_camera, turned)):
        track_detections(**written(rows, cameras), fps=FPS, out=tmp_path / "out.csv")
        found.add((tmp_path / "out.csv").read_bytes())
    assert len(found) == 1


def test_the_order_within_a_frame_does_not_matter(track):
    world = World({"ann": walking((-3, 13), (1, 0)), "bob": standing((1, 15)), "cat": ALONG})
    shuffled = lines(world, range(60))
    random.Random(3).shuffle(shuffled)
    both = [track(order)[1] for order in (lines(world, range(60)), shuffled)]
    one, other = (np.array(sorted((frame, x, y) for frame, _, x, y in rows)) for rows in both)
    np.testing.assert_allclose(one, other, atol=0.001)


# -- one camera ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cameras",
    [ONE, {**ONE, "camera": "south"}, {"cameras": {"gate": ONE}}],
    ids=["alone", "alone with a name", "in a list of one"],
)
def test_one_camera_needs_no_column(track, cameras):
    rows = [line.replace(",south,", ",") for line in lines(WALK, range(40), ["south"])]
    done, tracked = track(rows, cameras=cameras, header="frame,x1,y1,x2,y2")
    assert done.persons == 1
    assert frames_of(tracked) == list(range(40))


def test_two_cameras_need_it(written):
    files = written(["1,10,10,20,60"], header="frame,x1,y1,x2,y2")
    with pytest.raises(EngineError, match=r"no column camera; needed are frame,camera,x1"):
        read_detections(files["detections"], ["north", "south"])


# -- what a line may hold ------------------------------------------------------------------------------------


def test_a_line_is_a_box_with_score_and_look(written):
    header = "camera, score,x2,y2,x1,y1,embedding,frame,remark".replace(" ", "")
    files = written(
        ["south,0.7,30,90,10,20,3 4,5,seen", 'south,,30.5,9e1,1e1,20,"[0, -2]",5.0,'], header=header
    )
    assert read_detections(files["detections"], ["south"]) == {
        5: {"south": [[10, 20, 30, 90, 0.7, 0.6, 0.8], [10, 20, 30.5, 90, 1, 0, -1]]}
    }


def test_spaces_around_a_cameras_name_and_lines_of_windows_do_not_matter(tmp_path):
    path = tmp_path / "detections.csv"
    path.write_bytes(b"frame,camera,x1,y1,x2,y2\r\n1, south ,10,10,20,60\r\n\r\n")
    assert read_detections(path, ["north", "south"]) == {1: {"south": [[10, 10, 20, 60, 1.0]]}}


def test_doubtful_boxes_start_nobody(track):
    header = f"{HEADER},score"
    doubtful = [f"{line},0.2" for line in lines(WALK, range(30))]
    sure = [f"{line},0.9" for line in lines(WALK, range(30))]
    assert track(doubtful, header=header)[0].persons == 0
    assert track(sure, header=header)[0].persons == 1


@pytest.mark.parametrize(("form", "scale"), [("{}", 1.0), ("[{}]", 250.0)], ids=["unit", "any length"])
def test_who_comes_back_is_known_by_the_look(track, form, scale):
    """Ann is away for eight seconds and comes in somewhere else; without embeddings she is somebody new."""

    def path(t: float) -> tuple[float, float] | None:
        if 4 <= t < 12:
            return None
        return (-2 + 0.5 * t, 10.0) if t < 4 else (2.5 - 0.5 * (t - 12), 15.0)

    world = World(
        {"ann": path, "bob": standing((3, 13.5)), "cat": standing((-3, 14.5))},
        dict(zip(("ann", "bob", "cat"), looks(3)[:, :8], strict=True)),
    )
    rows = with_looks(world, range(160), lambda look: form.format(numbers(scale * look)))
    known, _ = track(rows, header=f"{HEADER},embedding")
    unknown, _ = track([row.rsplit(",", 1)[0] for row in rows])
    assert known.persons == 3
    assert unknown.persons == 4


def test_who_somebody_is_counts_from_when_they_came(track):
    """Bob takes Ann's place at once, which only shows later; without a lag it is told when it shows."""
    change = 135
    spots = [(3, 9), (3, 15), (-3, 9), (-3, 15)]
    ann, bob, *others = looks(2 + len(spots))
    before, after = (
        World(
            {"": standing((0, 12)), **{str(i): standing(spot) for i, spot in enumerate(spots)}},
            {"": look, **{str(i): other for i, other in enumerate(others)}},
        )
        for look in (ann, bob)
    )
    rows = with_looks(before, range(change), numbers) + with_looks(after, range(change, 230), numbers)

    def first_of_bob(**options) -> int:
        _, tracked = track(rows, header=f"{HEADER},embedding", **options)
        people = [(frame, person) for frame, person, x, y in tracked if np.hypot(x, y - 12) < 1]
        (_, who), (_, last) = people[0], people[-1]
        assert who != last
        return next(frame for frame, person in people if person == last)

    assert first_of_bob() <= change + 5
    assert first_of_bob(lag_s=0.0) > change + 10


# -- cameras -------------------------------------------------------------------------------------------------


def sizes(path: Path) -> dict[str, tuple[int, int]]:
    return {view.camera: view.image_size for view in read_cameras(path)}


def test_cameras_are_read_with_their_sizes(written):
    P = ONE["P"]
    files = written([], {"image_size": [640, 360], "cameras": {"1": {"P": P}, "2": {"P": P}}})
    assert sizes(files["cameras"]) == {"1": (640, 360), "2": (640, 360)}
    own = {"P": P, "image_size": [1280, 720]}
    files = written([], {"width": 640, "height": 360, "cameras": {"1": {"P": P}, "2": own}})
    assert sizes(files["cameras"]) == {"1": (640, 360), "2": (1280, 720)}


def test_matrices_apart_or_only_the_ground_will_do(written):
    K, R, t = np.diag([500.0, 500, 1]), np.eye(3), np.array([0, 2.0, 9])
    K[:2, 2] = 320, 180
    apart = {"K": K.tolist(), "R": R.tolist(), "t": t.tolist()}
    ground = {"homography_image_to_map": SOUTH.image_to_map.tolist()}
    files = written([], {"cameras": {"a": apart, "b": ground}, "image_size": SIZE})
    a, b = (view.model for view in read_cameras(files["cameras"]))
    np.testing.assert_allclose(a.projection, K @ np.column_stack([R, t]))
    np.testing.assert_allclose(b.image_to_map, SOUTH.image_to_map)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("", "not JSON"),
        ([ONE], "must be an object with `cameras`"),
        ({"cameras": {}}, "`cameras` must name at least one camera"),
        ({"cameras": [ONE]}, "`cameras` must name at least one camera"),
        ({"cameras": {"gate": [1]}}, "camera gate must be an object"),
        ({"cameras": {"gate": {"P": ONE["P"]}}}, "camera gate: .*needs `width` and `height`"),
        ({"cameras": {"gate": {"width": 640, "height": 360}}}, "camera gate: .*needs `P`"),
        ({"cameras": {"gate": {**ONE, "P": [[1, 2], [3, 4]]}}}, "camera gate: P must be 3x4, got 2x2"),
        ({"cameras": {"gate": {**ONE, "P": "P"}}}, "camera gate: camera config is malformed"),
        ({"cameras": {"gate": {**ONE, "P": [[0] * 4] * 3}}}, "camera gate: ground plane of P"),
        ({"cameras": {"gate": {**ONE, "width": -1}}}, "camera gate: image size must be positive"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_a_camera_is_said_by_name(written, content, message):
    path = written([], content)["cameras"]
    with pytest.raises(EngineError, match=f"cameras.json: {message}"):
        read_cameras(path)


# -- what is wrong with a line -------------------------------------------------------------------------------

GOOD = "1,south,10,10,20,60"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2,west,10,10,20,60", "camera 'west' is not among the cameras: north, south"),
        ("2,,10,10,20,60", "camera '' is not among the cameras: north, south"),
        ("2,south,10,10,20", "the line is too short"),
        ("2.5,south,10,10,20,60", "frame 2.5 is not a whole number"),
        ("two,south,10,10,20,60", "could not convert string to float: 'two'"),
        ("nan,south,10,10,20,60", "NaN"),
        ("2,south,10,ten,20,60", "could not convert string to float: 'ten'"),
        ("2,south,10,nan,20,60", "not a finite number"),
        ("2,south,10,10,inf,60", "not a finite number"),
        ("2,south,10,10,20,60,high", "could not convert string to float: 'high'"),
        ("2,south,10,10,20,60,nan", "not a finite number"),
        ("2,south,10,10,20,60,1,0.1 x", "could not convert string to float: 'x'"),
        ("2,south,10,10,20,60,1,0.1 nan 0.3", "not a finite number"),
        ("2,south,10,10,20,60,1,0.1 0.2", "the embedding has 2 numbers, those before had 0"),
    ],
    ids=lambda value: value if "," in value else "",
)
def test_what_is_wrong_with_a_line_is_said_with_its_number(written, line, message):
    path = written([GOOD, line, GOOD], header=f"{HEADER},score,embedding")["detections"]
    with pytest.raises(EngineError) as error:
        read_detections(path, ["north", "south"])
    assert f"{path}, line 3: " in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ("frame,camera,x1,y1,x2", "y2"),
        ("camera,left,top,right,bottom", "frame, x1, y1, x2, y2"),
        ("1,south,10,10,20,60", "frame, camera, x1, y1, x2, y2"),
        ("", "frame, camera, x1, y1, x2, y2"),
    ],
)
def test_missing_columns_are_said_with_those_that_are_needed(written, header, missing):
    path = written([GOOD], header=header)["detections"]
    with pytest.raises(EngineError) as error:
        read_detections(path, ["north", "south"])
    assert str(error.value) == f"{path}: no column {missing}; needed are frame,camera,x1,y1,x2,y2[,score]"


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf")])
def test_frames_take_time(written, tmp_path, fps):
    with pytest.raises(EngineError, match="fps must be above 0"):
        track_detections(**written([GOOD]), fps=fps, out=tmp_path / "tracks.csv")


def test_what_was_written_before_survives_files_that_cannot_be_read(written, tmp_path):
    out = tmp_path / "tracks.csv"
    out.write_text("yesterday", "utf-8")
    with pytest.raises(EngineError):
        track_detections(**written([GOOD, "2"]), fps=FPS, out=out)
    assert out.read_text("utf-8") == "yesterday"


# -- the command ---------------------------------------------------------------------------------------------


@pytest.fixture
def command(written, tmp_path):
    """Runs `manage.py track_detections`; gives what it printed and wrote."""

    def run(rows: Iterable[str], *options: str, cameras: object = BOTH, fps: float = FPS) -> tuple[str, str]:
        files, out, printed = written(rows, cameras), tmp_path / "tracks.csv", StringIO()
        named = [f"--{name}={path}" for name, path in files.items()]
        call_command("track_detections", *named, f"--fps={fps}", f"--out={out}", *options, stdout=printed)
        return printed.getvalue(), out.read_text("utf-8")

    return run


def test_the_command_says_what_it_wrote(command, tmp_path):
    printed, text = command(lines(WALK, range(30)))
    assert printed.startswith(f"{tmp_path / 'tracks.csv'}: 30 frames, 30 positions, 1 persons, ")
    assert text.startswith("frame,id,x,y\n0,0,-3.")
    assert text.count("\n") == 31


def test_the_commands_options_are_passed_on(command):
    rows = lines(WALK, range(30), ["south"])
    (_, usual), (_, live), (_, area) = (
        command(rows, *options, cameras=SOUTHERN) for options in ([], ["--lag=0"], ["--area=-2,0,9,20"])
    )
    assert usual.count("\n") == 31
    assert live.splitlines()[1] not in usual
    assert 10 < area.count("\n") < 25


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lag=-1"], "lag_s must not be negative, got -1.0"),
        (["--lag=nan"], "lag_s must be finite, got nan"),
        (["--lag=soon"], "invalid float value: 'soon'"),
        (["--area=1,2,3"], "'1,2,3' is not x0,y0,x1,y1"),
        (["--area=5,0,1,9"], "x0,y0 must be below x1,y1"),
        (["--out=/nowhere/tracks.csv"], "/nowhere/tracks.csv: No such file or directory"),
        (["--cameras=/nowhere.json"], "/nowhere.json: No such file or directory"),
        (["--detections=/nowhere.csv"], "/nowhere.csv: No such file or directory"),
        (["--fps=0"], "fps must be above 0, got 0.0"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_command_says_what_is_wrong(command, options, message):
    with pytest.raises(CommandError) as error:
        command([GOOD], *options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("rows", "cameras", "message"),
    [
        (["1,west,10,10,20,60"], BOTH, "detections.csv, line 2: camera 'west' is not among the cameras"),
        ([GOOD], "{", "cameras.json: not JSON"),
        ([GOOD], {"cameras": {"south": {"P": 1}}}, "cameras.json: camera south: "),
    ],
    ids=["detections", "cameras", "one camera"],
)
def test_the_command_names_the_file(command, rows, cameras, message):
    with pytest.raises(CommandError) as error:
        command(rows, cameras=cameras)
    assert message in str(error.value)
