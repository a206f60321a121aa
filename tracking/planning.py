"""What a task will read, fixed when it is made: cameras, sources, instants and batches.

Instants are numbered from 0 at the task's start, `1 / fps` seconds apart; a batch is a fixed number of them.
So what a batch is depends on the task alone, never on when or where it is processed.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings

from environments.models import Camera
from environments.selectors import recordings_overlapping
from tracking.models import ProcessingTask

# a frame belongs to an instant when it lies this close, as a share of the time between instants; below one half,
# so that no frame can belong to two
TOLERANCE = 0.45
# instants per second of a task that does not ask for another rate: people move 15 cm between them
DEFAULT_FPS = 10.0
NAMESPACE = uuid.UUID("6f1b6c2e-58f5-4c39-9f1e-6a2b1b1d6f5a")


def plan_recorded(*, cameras: Sequence[Camera], start: datetime, end: datetime, fps: float) -> dict[str, Any]:
    """The plan for a recorded span: per camera the recordings that cover part of it."""
    entries = []
    for camera in cameras:
        # recordings bear the camera's own times, which may be wrong; the true time counts
        offset = timedelta(seconds=camera.clock_offset_s)
        segments = [
            {
                "uri": recording.uri,
                "started_at": (recording.started_at + offset).timestamp(),
                "duration_s": recording.duration_s,
                "fps": recording.fps,
            }
            for recording in recordings_overlapping(camera=camera, start=start - offset, end=end - offset)
        ]
        entries.append({**_camera_entry(camera), "segments": segments})
    return _plan(entries, fps)


def plan_live(*, cameras: Sequence[Camera], fps: float) -> dict[str, Any]:
    """The plan for live cameras; their frames come through the frame store."""
    entries = [
        {**_camera_entry(camera), "uri": camera.live_uri, "clock_offset_s": camera.clock_offset_s}
        for camera in cameras
    ]
    return _plan(entries, fps)


def batch_count(*, start: datetime, end: datetime, fps: float, batch_instants: int) -> int:
    return math.ceil(instant_count(start=start, end=end, fps=fps) / batch_instants)


def instant_count(*, start: datetime, end: datetime, fps: float) -> int:
    # a span of exactly n periods has n instants, whatever floating point makes of it
    return max(0, math.ceil((end - start).total_seconds() * fps - 1e-6))


def batch_instants(task: ProcessingTask, number: int) -> range:
    """Numbers of the instants of a batch."""
    size = task.plan["batch_instants"]
    first, last = number * size, (number + 1) * size
    if task.end is not None:
        last = min(last, instant_count(start=task.start, end=task.end, fps=task.fps))
    return range(first, last)


def instant_time(task: ProcessingTask, instant: int) -> float:
    """UNIX capture time of an instant."""
    return task.start.timestamp() + instant / task.fps


def instant_at(task: ProcessingTask, moment: datetime) -> int:
    """Number of the instant nearest to a time."""
    return round((moment.timestamp() - task.start.timestamp()) * task.fps)


def batch_message(
    task: ProcessingTask, number: int, camera: str, instants: Iterable[int] | None = None
) -> dict[str, Any]:
    """The perceive message of one camera for one batch: a reference, never pixels. See `workers.batches`."""
    entry = next(c for c in task.plan["cameras"] if c["camera"] == camera)
    wanted = list(batch_instants(task, number) if instants is None else instants)
    return {
        "task_id": str(task.pk),
        "number": number,
        "camera": camera,
        "segments": _live_segment(task, wanted) if "uri" in entry else _segments(task, entry, wanted),
        "tolerance_s": TOLERANCE / task.fps,
        "image_size": entry["image_size"],
        "calibration": entry["calibration"],
        "detector": task.choices["detector"]["chosen"],
        "embedder": task.choices["embedder"]["chosen"],
        "score_threshold": task.score_threshold,
        "queued_at": time.time(),
        "live": "uri" in entry,
        "fps": task.fps,
    }


def person_seed(task: ProcessingTask) -> uuid.UUID:
    """Namespace of the persons' ids. The same span processed again in the same way names the same persons."""
    if task.mode == ProcessingTask.Mode.LIVE:
        return task.pk
    what = {
        "environment": task.environment.slug,
        "plan": task.plan,
        "start": task.start.astimezone(UTC).isoformat(),
        "fps": task.fps,
        "detector": task.choices["detector"]["chosen"],
        "embedder": task.choices["embedder"]["chosen"],
        "score_threshold": task.score_threshold,
    }
    return uuid.uuid5(NAMESPACE, json.dumps(what, sort_keys=True))


def person_id(task: ProcessingTask, number: int) -> uuid.UUID:
    """The global id of the task's person `number`."""
    return uuid.uuid5(task.seed, str(number))


def _plan(entries: list[dict[str, Any]], fps: float) -> dict[str, Any]:
    return {"batch_instants": max(1, round(settings.ENV.batch_seconds * fps)), "cameras": entries}


def _camera_entry(camera: Camera) -> dict[str, Any]:
    return {
        "camera": camera.slug,
        "camera_id": camera.pk,
        "image_size": [camera.image_width, camera.image_height],
        "calibration": camera.calibration,
    }


def _segments(task: ProcessingTask, entry: dict[str, Any], instants: list[int]) -> list[dict[str, Any]]:
    segments, left = [], list(instants)
    for recording in entry["segments"]:
        begin, end = recording["started_at"], recording["started_at"] + recording["duration_s"]
        inside = [i for i in left if begin - 1e-6 <= instant_time(task, i) < end]
        # where one recording ends and the next begins, floating point may place an instant in both
        left = [i for i in left if i not in inside]
        if inside:
            times = [round(max(0.0, instant_time(task, i) - begin), 6) for i in inside]
            segments.append({**recording, "instants": inside, "times_s": times})
    return segments


def _live_segment(task: ProcessingTask, instants: list[int]) -> list[dict[str, Any]]:
    times = [i / task.fps for i in instants]
    return [
        {
            "uri": "",
            "started_at": task.start.timestamp(),
            "duration_s": None,
            "fps": None,
            "instants": instants,
            "times_s": times,
        }
    ]


def utc(seconds: float) -> datetime:
    """UNIX seconds as a datetime, exact to the microsecond."""
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=round(seconds * 1e6))
