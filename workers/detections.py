"""Tracks detections that come from files: camera models as JSON, boxes as CSV, identities on the map as CSV."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from calibration import CameraModel, InvalidCalibrationError
from workers.observations import Observations
from workers.tracking import MultiCameraTracker, warm
from workers.tracking.settings import TrackerSettings
from workers.tracking.tracker import BatchTracks, CameraView
from workers.types import EngineError

COLUMNS = ("frame", "x1", "y1", "x2", "y2")
# instants that are associated together; the tracks do not depend on it
BATCH = 50

# frame and camera to rows of (x1, y1, x2, y2, score, *embedding)
Rows = dict[int, dict[str, list[list[float]]]]


@dataclass(frozen=True)
class Tracked:
    """What was written."""

    frames: int
    rows: int
    persons: int
    # processor time of association for each frame (ms), files and compilation left out
    ms_per_frame: float = field(default=0.0, compare=False)


def track_detections(
    *,
    cameras: Path,
    detections: Path,
    fps: float,
    out: Path,
    area: tuple[float, float, float, float] | None = None,
    lag_s: float = 1.0,
    settings: TrackerSettings | None = None,
    drop: float = 0.0,
    seed: int = 0,
) -> Tracked:
    """Track and write `frame,id,x,y`.

    Args:
        cameras: JSON, see `read_cameras`; detections: CSV, see `read_detections`.
        fps: frames per second of the detections.
        area: x0, y0, x1, y1 (m): rows outside are left out.
        lag_s: positions are corrected by what the next so many seconds show, and identities by all that was learned
            later; 0 writes what was known at once.
        settings: others than the usual ones; drop: leave out this share of the detections, by the chance of `seed`.

    Raises:
        EngineError: a file is not what it should be; the message says where.
        OSError: a file cannot be read or written.
    """
    if not fps > 0 or not np.isfinite(fps):
        raise EngineError(f"fps must be above 0, got {fps}")
    views = read_cameras(cameras)
    rows = read_detections(detections, [view.camera for view in views])
    tracker = MultiCameraTracker(views, replace(settings or TrackerSettings(), lag_s=lag_s))
    warm()
    first, last = (min(rows), max(rows)) if rows else (0, -1)
    if drop > 0:
        rows = _without(rows, drop, seed)
    tracks, spent_s = BatchTracks(), 0.0
    for batch, seconds in _batches(tracker, rows, first, last, fps):
        # without a lag nobody knew better then
        revised = batch.renamed if lag_s > 0 else []
        tracks.follow(replace(batch, detections=[], bridged=[], renamed=revised), on_map=True)
        spent_s += seconds
    found = [
        (frame, person, x, y)
        for frame, _, person, x, y, *_ in (tracks.corrected if lag_s > 0 else tracks.positions)
        if area is None or (area[0] <= x <= area[2] and area[1] <= y <= area[3])
    ]
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["frame", "id", "x", "y"])
        writer.writerows((frame, person, f"{x:.4f}", f"{y:.4f}") for frame, person, x, y in found)
    frames = last - first + 1
    persons = {person for _, person, *_ in found}
    return Tracked(frames, len(found), len(persons), 1e3 * spent_s / max(frames, 1))


def read_cameras(path: Path) -> list[CameraView]:
    """`{"cameras": {name: camera, ...}, "image_size": [width, height]}`, or one camera alone.

    A camera has `P`, or `K`, `R`, `t`, or `homography_image_to_map`, and may have a size of its own (`image_size`, or
    `width` and `height`).

    Raises:
        EngineError: not this.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise EngineError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, Mapping):
        raise EngineError(f"{path}: must be an object with `cameras`")
    cameras = content.get("cameras", {str(content.get("camera", "1")): content})
    if not isinstance(cameras, Mapping) or not cameras:
        raise EngineError(f"{path}: `cameras` must name at least one camera")
    return [_camera(path, str(name), config, content) for name, config in cameras.items()]


def _camera(path: Path, name: str, config: Any, common: Mapping[str, Any]) -> CameraView:
    if not isinstance(config, Mapping):
        raise EngineError(f"{path}: camera {name} must be an object")
    sizes = {key: common[key] for key in ("image_size", "width", "height") if key in common}
    try:
        model = CameraModel.from_mapping({**sizes, **config})
    except InvalidCalibrationError as error:
        raise EngineError(f"{path}: camera {name}: {error}") from error
    return CameraView(name, model.image_size, model)


def read_detections(path: Path, cameras: list[str]) -> Rows:
    """CSV with a header: `frame,camera,x1,y1,x2,y2` (pixels), optionally `score` (1 where absent) and `embedding`
    (numbers separated by spaces). `camera` may be left out where there is only one.

    Raises:
        EngineError: not this, or a camera that is not known; the message names the line.
    """
    rows: Rows = {}
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
        if "camera" not in (reader.fieldnames or []) and len(cameras) > 1:
            missing.insert(1, "camera")
        if missing:
            raise EngineError(
                f"{path}: no column {', '.join(missing)}; needed are frame,camera,x1,y1,x2,y2[,score]"
            )
        length = None
        for line in reader:
            where = f"{path}, line {reader.line_num}"
            try:
                frame, camera, values = _detection(line, cameras)
            except (TypeError, ValueError) as error:
                raise EngineError(f"{where}: {error}") from error
            length = len(values) if length is None else length
            if len(values) != length:
                raise EngineError(
                    f"{where}: the embedding has {len(values) - 5} numbers, those before had {length - 5}"
                )
            rows.setdefault(frame, {}).setdefault(camera, []).append(values)
    return rows


def _detection(line: Mapping[str, str], cameras: list[str]) -> tuple[int, str, list[float]]:
    if any(line[name] is None for name in COLUMNS):
        raise ValueError("the line is too short")
    camera = line["camera"].strip() if "camera" in line else cameras[0]
    if camera not in cameras:
        raise ValueError(f"camera {camera!r} is not among the cameras: {', '.join(cameras)}")
    frame = float(line["frame"])
    if frame != int(frame):
        raise ValueError(f"frame {line['frame']} is not a whole number")
    box = [float(line[name]) for name in COLUMNS[1:]]
    score = float(line.get("score") or 1.0)
    embedding = [
        float(value) for value in (line.get("embedding") or "").strip("[]").replace(",", " ").split()
    ]
    if not np.isfinite([*box, score, *embedding]).all():
        raise ValueError("not a finite number")
    if embedding:
        norm = float(np.linalg.norm(embedding))
        embedding = [value / max(norm, 1e-12) for value in embedding]
    return int(frame), camera, [*box, score, *embedding]


def _without(rows: Rows, share: float, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    return {
        frame: {name: [row for row in found if rng.random() >= share] for name, found in cameras.items()}
        for frame, cameras in rows.items()
    }


def _batches(
    tracker: MultiCameraTracker, rows: Rows, first: int, last: int, fps: float
) -> Iterator[tuple[BatchTracks, float]]:
    """The tracks of each batch, and the seconds of processor time that association took."""
    width = next((len(r) for frame in rows.values() for camera in frame.values() for r in camera), 5)
    for number, start in enumerate(range(first, last + 1, BATCH)):
        instants = range(start, min(start + BATCH, last + 1))
        observed = [_observations(name, number, instants, rows, width, fps) for name in tracker.cameras]
        begun = time.process_time()
        tracks = tracker.process(observed, instants, [i / fps for i in instants])
        yield tracks, time.process_time() - begun
    yield tracker.finish(), 0.0


def _observations(
    camera: str, number: int, instants: range, rows: Rows, width: int, fps: float
) -> Observations:
    """A camera without rows in a frame saw nobody there."""
    found = [rows.get(i, {}).get(camera, []) for i in instants]
    values = np.array([row for frame in found for row in frame], float).reshape(-1, width)
    numbers = np.array(instants, np.int32)
    return Observations(
        camera=camera,
        number=number,
        instants=numbers,
        frames=numbers,
        captured_at=numbers / fps,
        counts=np.array([len(frame) for frame in found], np.int32),
        boxes_px=values[:, :4].astype(np.float32),
        scores=values[:, 4].astype(np.float32),
        embeddings=values[:, 5:].astype(np.float16),
    )
