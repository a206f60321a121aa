"""The files that evaluate reads, and what it says of those it cannot."""

from __future__ import annotations

import re

import numpy as np
import pytest

from workers.evaluation.formats import ONLY, read
from workers.types import EngineError


@pytest.fixture
def written(tmp_path):
    """Writes a file of these lines."""

    def write(*lines: str, encoding: str = "utf-8"):
        path = tmp_path / "tracks.csv"
        path.write_text("\n".join(lines) + "\n", encoding)
        return path

    return write


def rows(file):
    """(camera, frame, identity, place) of everything in a file."""
    return [
        (camera, frame, name, place.tolist())
        for camera, frames in file.cameras.items()
        for frame, (names, places) in frames.items()
        for name, place in zip(names, places, strict=True)
    ]


# -- what can be read ----------------------------------------------------------------------------------------


def test_points_on_the_map_are_in_metres(written):
    file = read(written("frame,id,x,y", "0,ann,1.5,2", "0,bob,3,4", "1,ann,-1.6,2"))
    assert file.kind == "points"
    assert rows(file) == [(ONLY, 0, "ann", [1.5, 2]), (ONLY, 0, "bob", [3, 4]), (ONLY, 1, "ann", [-1.6, 2])]


def test_boxes_have_two_corners_in_pixels(written):
    file = read(written("frame,id,x1,y1,x2,y2", "5,7,10,20,30,60"))
    assert file.kind == "boxes"
    assert rows(file) == [(ONLY, 5, "7", [10, 20, 30, 60])]


@pytest.mark.parametrize(
    ("header", "row", "place"),
    [
        ("frame,camera,id,x,y", "3,gate,7,1,2", [1, 2]),
        ("camera,id,frame,x1,y1,x2,y2", "gate,7,3,1,2,3,4", [1, 2, 3, 4]),
    ],
    ids=["points", "boxes"],
)
def test_a_camera_column_keeps_cameras_apart(written, header, row, place):
    """The same identity may be in several cameras at once."""
    file = read(written(header, row, row.replace("gate", "yard")))
    assert rows(file) == [("gate", 3, "7", place), ("yard", 3, "7", place)]
    assert sorted(file.frames()) == [("gate", 3), ("yard", 3)]


def test_mot_text_has_no_header_and_sizes_instead_of_corners(written):
    file = read(written("1,7,10,20,30,40,1,-1,-1,-1", "2,7,11,20,30,40"))
    assert file.kind == "boxes"
    assert rows(file) == [(ONLY, 1, "7", [10, 20, 40, 60]), (ONLY, 2, "7", [11, 20, 41, 60])]


def test_mot_text_as_numpy_saves_it(tmp_path):
    path = tmp_path / "tracks.txt"
    np.savetxt(path, [[1, 7, 10, 20, 30, 40]], delimiter=",")
    assert rows(read(path))[0][1::2] == (1, [10, 20, 40, 60])


def test_columns_may_stand_in_any_order_with_others_between(written):
    file = read(written("score, y ,id,x,frame", "0.9,2,7,1,3"))
    assert rows(file) == [(ONLY, 3, "7", [1, 2])]


def test_a_file_with_corners_and_map_points_is_of_boxes(written):
    assert read(written("frame,id,x,y,x1,y1,x2,y2", "0,7,1,2,10,20,30,60")).kind == "boxes"


def test_a_spreadsheet_s_byte_order_mark_is_not_part_of_the_header(written):
    assert rows(read(written("frame,id,x,y", "0,7,1,2", encoding="utf-8-sig"))) == [(ONLY, 0, "7", [1, 2])]


def test_a_header_alone_is_a_file_of_nobody(written):
    file = read(written("frame,id,x1,y1,x2,y2"))
    assert (file.kind, rows(file)) == ("boxes", [])


def test_only_some_frames_and_an_area_including_its_edge(written):
    file = read(written("frame,id,x,y", "0,a,1,1", "1,a,1,1", "1,b,5,1", "1,c,5.1,1", "2,a,1,1"))
    assert rows(file.within(1, 1, (0, 0, 5, 5))) == [(ONLY, 1, "a", [1, 1]), (ONLY, 1, "b", [5, 1])]


# -- what cannot ---------------------------------------------------------------------------------------------

POINTS, BOXES = "frame,id,x,y", "frame,id,x1,y1,x2,y2"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([POINTS, "0,7,1,2", "1,7,one,2"], "line 3: could not convert string to float: 'one'"),
        ([POINTS, "0,7,1,2", "", "1,7,one,2"], "line 4: could not convert"),
        ([POINTS, "0,7,1"], "line 2: fewer values than the header has columns"),
        ([POINTS, "0.5,7,1,2"], "line 2: frame 0.5 is not a whole number"),
        ([POINTS, "inf,7,1,2"], "line 2: frame inf is not a whole number"),
        ([POINTS, "0,7,nan,2"], "line 2: a coordinate is not a finite number"),
        ([POINTS, "0,,1,2"], "line 2: no id"),
        (["camera," + POINTS, ",0,7,1,2"], "line 2: no camera"),
        ([BOXES, "0,7,30,20,10,60"], "line 2: a box of negative size"),
        ([POINTS, "0,7,1,2", "0,7,3,4"], "line 3: identity 7 is twice in frame 0"),
        (
            ["camera," + POINTS, "gate,0,7,1,2", "gate,0,7,1,2"],
            "line 3: identity 7 is twice in frame 0 of camera gate",
        ),
        (["1,7,10,20,30,40", "2,7,10,20"], "line 2: not frame,id,x,y,w,h"),
        (["1,7,10,20,-30,40"], "line 1: not frame,id,x,y,w,h: a box of negative size"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_a_bad_row_is_named_by_file_and_line(written, lines, message):
    path = written(*lines)
    with pytest.raises(EngineError, match=re.escape(f"{path}, {message}")):
        read(path)


@pytest.mark.parametrize(
    ("header", "missing"),
    [("frame,x,y", "id"), ("name,x1,y1,x2,y2", "frame, id"), ("frame,id,x1,y1,x2", "x, y")],
)
def test_missing_columns_are_named_with_those_needed(written, header, missing):
    path = written(header, "0,1,2,3,4")
    with pytest.raises(EngineError, match=re.escape(f"{path}: no column {missing}; needed are frame,id,x,y")):
        read(path)


def test_an_empty_file_and_one_that_is_no_table_are_named(written):
    path = written("")
    with pytest.raises(EngineError, match=re.escape(f"{path}: the file is empty")):
        read(path)
    path = written("x" * 200_000)
    with pytest.raises(EngineError, match=re.escape(f"{path}, line 1: field larger")):
        read(path)
