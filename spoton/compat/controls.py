"""The old client's one set of controls, for processing and playback.

While a task has no playback clock they steer the processing. A seek into what is processed already makes a clock, and
from then on they steer the clock; a seek beyond it lets the processing go on from there and forgets the clock.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from environments.errors import ValidationFailedError
from spoton.compat.answers import body_of
from tracking import playback, steering
from tracking.messages import isoformat
from tracking.models import ProcessingTask
from tracking.planning import instant_at, instant_count, instant_time, utc
from tracking.reel import reel
from tracking.selectors import task_get

Mode, Status = ProcessingTask.Mode, ProcessingTask.Status


def status(user: Any, request: HttpRequest, task_id: UUID) -> dict[str, Any]:
    return _state(task_get(user=user, task_id=task_id))


def pause(user: Any, request: HttpRequest, task_id: UUID) -> dict[str, Any]:
    task = task_get(user=user, task_id=task_id)
    if _has_clock(task):
        playback.playback_pause(user=user, task=task)
    elif task.status == Status.PROCESSING:
        steering.task_pause(user=user, task=task)
    return _state(task)


def resume(user: Any, request: HttpRequest, task_id: UUID) -> dict[str, Any]:
    task = task_get(user=user, task_id=task_id)
    if _has_clock(task):
        playback.playback_play(user=user, task=task)
    if task.status == Status.PAUSED:
        # also under a clock, which would else run to the end of what is processed and stay there
        steering.task_resume(user=user, task=task)
    return _state(task)


def seek(user: Any, request: HttpRequest, task_id: UUID) -> dict[str, Any]:
    task = task_get(user=user, task_id=task_id)
    frame = body_of(request).get("frame_index")
    if isinstance(frame, bool) or not isinstance(frame, int) or not 0 <= frame < 2**31:
        raise ValidationFailedError("`frame_index` must be a whole number, 0 or more.")
    at, tape = utc(instant_time(task, frame)), reel(task)
    if tape.runs and frame < tape.runs[-1][1]:
        before = playback.playback_state(task)["state"]
        playback.playback_seek(
            user=user, task=task, timestamp=max(at, utc(instant_time(task, tape.runs[0][0])))
        )
        if before != "paused" and task.status != Status.PAUSED:
            playback.playback_play(user=user, task=task)
    else:
        steering.task_seek(user=user, task=task, at=at)
        playback.playback_follow(user=user, task=task)
    return _state(task)


def _has_clock(task: ProcessingTask) -> bool:
    return playback.playback_state(task)["state"] != "following"


def _state(task: ProcessingTask) -> dict[str, Any]:
    clock = playback.playback_state(task)
    if clock["state"] == "following":
        playing = task.status in (Status.QUEUED, Status.INITIALIZING, Status.PROCESSING)
        state = "playing" if playing else "paused" if task.status == Status.PAUSED else "stopped"
    else:
        state = {"playing": "playing", "paused": "paused", "ended": "stopped"}[clock["state"]]
    shown = clock["timestamp"]
    changed = task.finished_at or task.clock_at or task.started_at or task.created_at
    return {
        "task_id": str(task.pk),
        "state": state,
        "last_transition_at": isoformat(changed or timezone.now()),
        "last_frame_index": instant_at(task, datetime.fromisoformat(shown)) if shown else 0,
        "total_frames": _total(task),
        "last_error": task.error_message or None,
    }


def _total(task: ProcessingTask) -> int:
    """Instants of the whole task; of a live one those that there are."""
    if task.mode == Mode.RECORDED and task.end is not None:
        return instant_count(start=task.start, end=task.end, fps=task.fps)
    return max(0, task.last_instant + 1)
