"""Playback: one clock per task, shared by all who watch it.

The clock is a few numbers in Redis: at `anchor_s` the position was `position_s`, and since then it runs with `speed`
or stands still. Positions are computed, never ticked, so all viewers agree, and seeking is one write. A task without
a clock is *followed*: viewers see what is processed, as it is processed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from environments.errors import ValidationFailedError
from environments.models import Role
from environments.redis import redis_client
from environments.selectors import require_role
from tracking import publish
from tracking.errors import NothingToPlayError
from tracking.messages import from_seconds
from tracking.models import ProcessingTask
from tracking.planning import instant_at, instant_time, utc
from tracking.reel import Reel, reel

SLOWEST, FASTEST = 0.25, 8.0
# a clock that nobody touches or looks at for this long is forgotten
LIFE_SECONDS = 3600


@dataclass(frozen=True)
class Clock:
    """Attributes: position_s on the task's reel at UNIX time anchor_s; speed in seconds per second."""

    position_s: float
    anchor_s: float
    speed: float = 1.0
    playing: bool = False
    revision: int = 0

    def at(self, now_s: float, duration_s: float) -> float:
        """Position at a UNIX time, within what there is to play."""
        moved = (now_s - self.anchor_s) * self.speed if self.playing else 0.0
        return min(max(0.0, self.position_s + moved), duration_s)


def clock_key(task_id: Any) -> str:
    return f"spoton:playback:{task_id}"


def clock_from(data: bytes | None) -> Clock | None:
    return Clock(**json.loads(data)) if data else None


def playback_play(*, user: Any, task: ProcessingTask, speed: float | None = None) -> dict[str, Any]:
    """Let the clock run, from where it stands; a task that is followed begins at its start, a running one at its end.

    Raises:
        NothingToPlayError: nothing is processed yet.
        ValidationFailedError: the speed is out of range.
    """
    if speed is not None and not SLOWEST <= speed <= FASTEST:
        raise ValidationFailedError(f"`speed` must be from {SLOWEST} to {FASTEST:g}.")

    def change(clock: Clock, tape: Reel, now_s: float) -> Clock:
        position_s = clock.at(now_s, tape.duration_s)
        if position_s >= tape.duration_s and not task.is_active:
            # as every player does: from the beginning again
            position_s = 0.0
        return replace(clock, position_s=position_s, playing=True, speed=speed or clock.speed)

    return _change(user, task, change)


def playback_pause(*, user: Any, task: ProcessingTask) -> dict[str, Any]:
    """Let the clock stand. Raises NothingToPlayError as `playback_play`."""
    return _change(
        user,
        task,
        lambda clock, tape, now_s: replace(clock, position_s=clock.at(now_s, tape.duration_s), playing=False),
    )


def playback_seek(
    *, user: Any, task: ProcessingTask, timestamp: datetime | None = None, position: float | None = None
) -> dict[str, Any]:
    """Put the clock elsewhere; it goes on running or standing.

    Args:
        timestamp: a capture time; in a gap the next instant there is. position: 0 to 1 of what can be played.

    Raises:
        ValidationFailedError: neither or both are given, or the time lies outside of what is processed.
        NothingToPlayError: nothing is processed yet.
    """
    if (timestamp is None) == (position is None):
        raise ValidationFailedError("Give either `timestamp` or `position` (0 to 1).")

    def change(clock: Clock, tape: Reel, now_s: float) -> Clock:
        if position is not None:
            return replace(clock, position_s=position * tape.duration_s)
        instant = instant_at(task, timestamp)
        if not tape.runs[0][0] <= instant < tape.runs[-1][1]:
            raise ValidationFailedError(
                "`timestamp` lies outside of what is processed.",
                details={"available": _available(task, tape)},
            )
        return replace(clock, position_s=tape.position_s(instant))

    return _change(user, task, change)


def playback_follow(*, user: Any, task: ProcessingTask) -> dict[str, Any]:
    """Forget the clock: viewers see again what is processed, as it is processed."""
    require_role(user=user, environment=task.environment, role=Role.OPERATOR)
    if redis_client().delete(clock_key(task.pk)):
        publish.tell(task.pk, "playback.changed")
    return playback_state(task)


def playback_state(task: ProcessingTask) -> dict[str, Any]:
    """The task's clock as it is now."""
    return state_of(task, clock_from(redis_client().get(clock_key(task.pk))), reel(task))


def moment(task: ProcessingTask) -> datetime | None:
    """The capture time that the clock shows; None while the task is followed."""
    clock, tape = clock_from(redis_client().get(clock_key(task.pk))), reel(task)
    if clock is None or not tape.runs:
        return None
    return utc(instant_time(task, tape.instant(clock.at(time.time(), tape.duration_s))))


def state_of(task: ProcessingTask, clock: Clock | None, tape: Reel) -> dict[str, Any]:
    """A clock as REST and sockets show it; None: the task is followed."""
    now_s, duration_s = time.time(), tape.duration_s
    shown = clock or Clock(position_s=duration_s, anchor_s=now_s)
    position_s = shown.at(now_s, duration_s)
    over = clock is not None and clock.playing and not task.is_active and position_s >= duration_s
    state = "following" if clock is None else "ended" if over else "playing" if clock.playing else "paused"
    return {
        "task_id": str(task.pk),
        "state": state,
        "speed": shown.speed,
        "position": round(position_s / duration_s, 6) if duration_s else 0.0,
        "position_s": round(position_s, 3),
        "duration": round(duration_s, 3),
        "timestamp": from_seconds(instant_time(task, tape.instant(position_s))) if tape.runs else None,
        "can_seek": bool(tape.runs),
        "available": _available(task, tape),
        "revision": shown.revision,
    }


def _change(user: Any, task: ProcessingTask, change: Callable[[Clock, Reel, float], Clock]) -> dict[str, Any]:
    require_role(user=user, environment=task.environment, role=Role.OPERATOR)
    tape = reel(task)
    if not tape.runs:
        raise NothingToPlayError("Nothing of this task is processed yet; wait for its first results.")
    key, now_s = clock_key(task.pk), time.time()

    def swap(pipeline: Any) -> Clock:
        # between reading and writing nobody else may change it: two operators at once
        before = clock_from(pipeline.get(key))
        begin_s = tape.duration_s if task.is_active else 0.0
        clock = before or Clock(position_s=begin_s, anchor_s=now_s)
        after = replace(change(clock, tape, now_s), anchor_s=now_s, revision=clock.revision + 1)
        pipeline.multi()
        pipeline.set(key, json.dumps(asdict(after)), ex=LIFE_SECONDS)
        return after

    clock = redis_client().transaction(swap, key, value_from_callable=True)
    publish.tell(task.pk, "playback.changed")
    return state_of(task, clock, tape)


def _available(task: ProcessingTask, tape: Reel) -> dict[str, str] | None:
    if not tape.runs:
        return None
    first, last = (instant_time(task, i) for i in (tape.runs[0][0], tape.runs[-1][1] - 1))
    return {"start": from_seconds(first), "end": from_seconds(last)}
