"""Reads ground truth and tracks from files: boxes or map points, of one camera, several, or the map."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workers.evaluation.quality import Frames
from workers.types import EngineError

BOX, POINT = ("x1", "y1", "x2", "y2"), ("x", "y")
# the camera of a file that names none
ONLY = ""


@dataclass(frozen=True)
class TrackFile:
    """The rows of one file.

    Attributes:
        kind: `boxes` (xyxy pixels) or `points` (metres).
        cameras: frames of each camera; the key is empty where the file names no cameras.
    """

    kind: str
    cameras: Mapping[str, Frames]

    def frames(self) -> Frames:
        """All cameras together, each camera's frames by themselves."""
        return {(camera, f): rows for camera, frames in self.cameras.items() for f, rows in frames.items()}

    def frame_numbers(self) -> list[int]:
        return [f for frames in self.cameras.values() for f in frames]

    def within(self, first: int, last: int, area: tuple[float, float, float, float] | None) -> TrackFile:
        """Only frames `first` to `last` (inclusive) and, for points, only the area x0, y0, x1, y1 (m)."""
        return TrackFile(
            self.kind,
            {
                camera: {f: _inside(rows, area) for f, rows in frames.items() if first <= f <= last}
                for camera, frames in self.cameras.items()
            },
        )


def read(path: Path) -> TrackFile:
    """A CSV with a header (`frame,id,x,y` in metres, or `frame,id,x1,y1,x2,y2` in pixels, each with an optional
    `camera`), or the MOT format without one (`frame,id,x,y,w,h,...`).

    Raises:
        EngineError: not one of these; the message names the line.
        OSError: cannot be read.
    """
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        reader = csv.reader(file)
        try:
            lines = [(reader.line_num, line) for line in reader if line]
        except csv.Error as error:
            raise EngineError(f"{path}, line {reader.line_num}: {error}") from error
    if not lines:
        raise EngineError(f"{path}: the file is empty")
    header = [name.strip() for name in lines[0][1]]
    if _is_number(header[0]):
        return _grouped("boxes", [_mot_row(path, n, line) for n, line in lines], path)
    kind, columns = ("boxes", BOX) if set(BOX) <= set(header) else ("points", POINT)
    missing = [name for name in ("frame", "id", *columns) if name not in header]
    if missing:
        raise EngineError(
            f"{path}: no column {', '.join(missing)}; needed are frame,id,x,y (metres) or frame,id,x1,y1,x2,y2 "
            "(pixels), or the MOT format without a header"
        )
    where = {name: header.index(name) for name in header}
    rows = [_csv_row(path, n, line, where, columns) for n, line in lines[1:]]
    return _grouped(kind, rows, path)


# line, camera, frame, identity, box or point
Row = tuple[int, str, int, str, list[float]]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _csv_row(path: Path, number: int, line: list[str], where: dict[str, int], columns: tuple) -> Row:
    try:
        camera = _name("camera", line[where["camera"]]) if "camera" in where else ONLY
        place = _place([float(line[where[name]]) for name in columns])
        return number, camera, _frame(line[where["frame"]]), _name("id", line[where["id"]]), place
    except IndexError as error:
        raise EngineError(f"{path}, line {number}: fewer values than the header has columns") from error
    except ValueError as error:
        raise EngineError(f"{path}, line {number}: {error}") from error


def _mot_row(path: Path, number: int, line: list[str]) -> Row:
    try:
        x, y, w, h = (float(value) for value in line[2:6])
        return number, ONLY, _frame(line[0]), _name("id", line[1]), _place([x, y, x + w, y + h])
    except (ValueError, IndexError) as error:
        raise EngineError(f"{path}, line {number}: not frame,id,x,y,w,h: {error}") from error


def _frame(text: str) -> int:
    value = float(text)
    if not value.is_integer():
        raise ValueError(f"frame {text} is not a whole number")
    return int(value)


def _name(column: str, text: str) -> str:
    if not text.strip():
        raise ValueError(f"no {column}")
    return text.strip()


def _place(values: list[float]) -> list[float]:
    if not np.isfinite(values).all():
        raise ValueError("a coordinate is not a finite number")
    if len(values) == len(BOX) and (values[2] < values[0] or values[3] < values[1]):
        raise ValueError("a box of negative size")
    return values


def _grouped(kind: str, rows: list[Row], path: Path) -> TrackFile:
    cameras: dict[str, dict[int, tuple[list, list]]] = {}
    for line, camera, frame, name, place in rows:
        names, places = cameras.setdefault(camera, {}).setdefault(frame, ([], []))
        if name in names:
            where = f" of camera {camera}" if camera else ""
            raise EngineError(f"{path}, line {line}: identity {name} is twice in frame {frame}{where}")
        names.append(name)
        places.append(place)
    return TrackFile(
        kind,
        {
            camera: {f: (names, np.array(places)) for f, (names, places) in frames.items()}
            for camera, frames in cameras.items()
        },
    )


def _inside(
    rows: tuple[list, np.ndarray], area: tuple[float, float, float, float] | None
) -> tuple[list, np.ndarray]:
    names, places = rows
    if area is None:
        return rows
    x0, y0, x1, y1 = area
    kept = (places[:, 0] >= x0) & (places[:, 0] <= x1) & (places[:, 1] >= y0) & (places[:, 1] <= y1)
    return [name for name, keep in zip(names, kept, strict=True) if keep], places[kept]
