"""One video, one process, no servers: the same perceive and associate stages in a plain loop."""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

from calibration import CameraModel
from workers.batches import FrameBatch, Segment
from workers.choices import choose_models
from workers.perceive import Perceiver
from workers.sources import SourcePolicy, open_source
from workers.tracking.batch import BatchTracks
from workers.tracking.settings import TrackerSettings
from workers.tracking.tracker import CameraView, MultiCameraTracker
from workers.types import EngineError
from workers.visits import AWAY_S, Visit, visits_of

BATCH_FRAMES = 10
CAMERA = "video"


@dataclass(frozen=True)
class VideoReport:
    """What came out of one video."""

    frames: int
    rows: int
    visits: tuple[Visit, ...]
    detector: str
    detector_reason: str
    embedder: str
    embedder_reason: str
    frames_per_second: float
    problems: tuple[Mapping[str, Any], ...]


def track_video(
    *,
    video: Path,
    camera_config: Mapping[str, Any] | None,
    detector: str,
    embedder: str,
    out: Path,
    score_threshold: float | None = None,
    ids: Literal["visits", "persons"] = "visits",
    away_s: float = AWAY_S,
    memory_s: float = TrackerSettings.reid_memory_s,
    models_dir: Path | None = None,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> VideoReport:
    """Track the persons in `video` and write MOT rows to `out`.

    Args:
        camera_config: see `CameraModel.from_mapping`; None tracks in the image plane.
        ids: what a number in `out` stands for: `visits`, as MOTChallenge counts, in whose format it is written: who
            leaves the picture and comes back has another; or `persons`: the number of the person's first visit.
        away_s: who has no box for longer begins another visit.
        memory_s: who was away for longer is somebody new.

    Raises:
        EngineError: the video or a model cannot be used.
        InvalidCalibrationError: the camera config is wrong.
        OSError: `out` cannot be written.
    """
    policy = SourcePolicy(allowed_roots=(video.resolve().parent,), allowed_hosts=(), allow_webcams=False)
    with open_source(str(video.resolve()), policy=policy) as source:
        info = source.info
    if info.duration_s is None or info.frame_count is None:
        raise EngineError(f"{video} has no known length; only recordings can be tracked here")
    choice, look = choose_models(detector, embedder, models_dir=models_dir, device=device)
    model = CameraModel.from_mapping(camera_config).scaled_to(info.image_size) if camera_config else None
    tracker = MultiCameraTracker(
        [CameraView(CAMERA, info.image_size, model)], TrackerSettings(reid_memory_s=memory_s)
    )
    perceiver = Perceiver(policy=policy, models_dir=models_dir, device=device)
    begun, frames, problems, rows = time.perf_counter(), 0, [], BatchTracks()
    # gaps in the numbering of an image folder make it longer than its images
    total = max(info.frame_count, math.ceil(info.duration_s * info.fps - 1e-6))
    for number, first in enumerate(range(0, total, BATCH_FRAMES)):
        instants = tuple(range(first, min(first + BATCH_FRAMES, total)))
        times = tuple(i / info.fps for i in instants)
        batch = FrameBatch(
            task_id=str(video),
            number=number,
            camera=CAMERA,
            segments=(Segment(str(video.resolve()), 0.0, info.duration_s, instants, times),),
            tolerance_s=0.45 / info.fps,
            image_size=info.image_size,
            calibration=camera_config,
            detector=choice["chosen"],
            embedder=look["chosen"],
            score_threshold=score_threshold,
            queued_at=time.time(),
            fps=info.fps,
        )
        observed = perceiver.perceive(batch)
        problems += observed.problems
        frames += len(observed.instants)
        tracks = tracker.process([observed], instants, times)
        # nothing is written yet: decisions that were revised hold from the beginning
        rows.follow(tracks, on_map=False)
        on_progress(instants[-1] + 1, total)
    perceiver.close()
    if frames < info.frame_count:
        left_out = f"{info.frame_count - frames} of {info.frame_count} frames were left out"
        left_out += ": unreadable, or too close to another in time"
        problems.append({"frame": None, "time_s": 0.0, "message": left_out})
    boxes = once_per_frame(rows.detections + rows.bridged)
    visits, visit_of = visits_of([(row[1], row[5]) for row in boxes], info.fps, away_s)
    numbers = [visit.person if ids == "persons" else visit.number for visit in visit_of]
    _write(out, zip(numbers, boxes, strict=True))
    return VideoReport(
        frames=frames,
        rows=len(boxes),
        visits=tuple(visits),
        detector=choice["chosen"],
        detector_reason=choice["reason"],
        embedder=look["chosen"],
        embedder_reason=look["reason"],
        frames_per_second=frames / max(time.perf_counter() - begun, 1e-9),
        problems=tuple(problems),
    )


def once_per_frame(rows: list[tuple]) -> list[tuple]:
    """One box for each person and frame, the surest: where a track goes on before another has ended, there are two."""
    best: dict[tuple[int, int], tuple] = {}
    for row in rows:
        key = row[1], row[5]
        if key not in best or row[7] > best[key][7]:
            best[key] = row
    return list(best.values())


def _write(out: Path, numbered: Iterable[tuple[int, tuple]]) -> None:
    """MOT rows of (number, box); first beside `out`, so that a broken-off run leaves nothing that looks finished."""
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    with draft.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        rows = sorted(((row[1], number, row[6], row[7]) for number, row in numbered), key=itemgetter(0, 1))
        for frame, number, (x1, y1, x2, y2), score in rows:
            box = [round(v, 2) for v in (x1, y1, x2 - x1, y2 - y1)]
            writer.writerow([frame, number, *box, round(score, 4), -1, -1, -1])
    draft.replace(out)
