"""Schedule: which batches are asked for, when, and of which device. Bounded, and healed by `watch_tasks`."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from environments.redis import redis_client
from tracking import observations, publish, queues
from tracking.coverage import coverage
from tracking.devices import DEFAULT_QUEUE, is_alive, live_device_queues
from tracking.models import Checkpoint, ProcessingTask
from tracking.placement import of_one_kind, place
from tracking.planning import batch_message
from tracking.queues import own_queue
from tracking.timeseries import partitions_ensure

log = logging.getLogger(__name__)

Status = ProcessingTask.Status
PERCEIVE, ASSOCIATE, PREPARE, SCHEDULE, MATCH = (
    "workers.perceive",
    "workers.associate",
    "workers.prepare_task",
    "tracking.schedule_batches",
    "tracking.match_persons",
)
# for how long it is remembered who has a task's tracker
OWNER_TTL_SECONDS = 60
# a task without progress for this long is asked for again what is missing
STALL_SECONDS = 8
REMEMBERS_KEY = "spoton:remembers"
# partitions are looked after this often while a live task runs
NEXT_DAY_SECONDS = 3600
# the end of a task is announced again for so long: a notice may be lost, and viewers wait for it
ANNOUNCED_SECONDS = 10
# the comparison of persons with earlier ones is asked for again this often, for so long after a task's end
MATCH_AGAIN_SECONDS, MATCH_FOR_SECONDS = 600, 3600
# in real time, batches are perceived this far ahead of the moment they would have been captured
LEAD_SECONDS = 0.5


def prepare_later(task: ProcessingTask) -> None:
    """Ask a device worker which models there are; enqueued when the task's row is committed."""
    transaction.on_commit(lambda: current_app.send_task(PREPARE, args=[str(task.pk)], queue=_first_queue()))


def schedule_batches(*, task_id: str) -> int:
    """Ask for as many further batches of a recorded task as its window and pacing allow.

    Returns:
        How many were asked for.
    """
    with transaction.atomic():
        task = ProcessingTask.objects.select_for_update().filter(pk=task_id, status=Status.PROCESSING).first()
        if task is None or task.mode != ProcessingTask.Mode.RECORDED:
            return 0
        covered = coverage(task)
        room = window_of(task) - covered.count(task.batches_scheduled) + covered.count(task.batches_done)
        due = task.batches_total
        if task.pacing == ProcessingTask.Pacing.REALTIME:
            due, wait_s = _due_by_clock(task)
        numbers: list[int] = []
        following = covered.following(task.batches_scheduled)
        while len(numbers) < room and following < min(due, task.batches_total):
            numbers.append(following)
            following = covered.following(following + 1)
        if len(numbers) < room and due <= following < task.batches_total:
            transaction.on_commit(lambda: _schedule_later(task_id, wait_s))
        if not numbers:
            return 0
        task.batches_scheduled = numbers[-1] + 1
        task.save(update_fields=["batches_scheduled"])
        transaction.on_commit(lambda: _send(task, [(n, c) for n in numbers for c in task.cameras]))
        return len(numbers)


def window_of(task: ProcessingTask) -> int:
    """How many batches of a recorded task may be in flight.

    Devices take messages in the order in which they came, one for each camera. So that a task with many cameras leaves
    room for others, its window is smaller while these run: all have about equally many messages in flight.
    """
    others = ProcessingTask.objects.filter(status=Status.PROCESSING, mode=ProcessingTask.Mode.RECORDED)
    fewest = min((len(other.cameras) for other in others.only("plan")), default=len(task.cameras))
    return max(2, math.ceil(settings.ENV.window_batches * fewest / len(task.cameras)))


def live_batch_open(*, task_id: str, instant: int, time_s: float) -> tuple[int | None, int]:
    """Reserve a batch for one instant of a live task; `live_batch_send` asks for it when its frames are stored.

    Args:
        time_s: UNIX capture time of the instant's frames.

    Returns:
        Its number, and how many were in flight before it. No number when these are too many (the frames are
        dropped), the task is over, or the instant has a batch already: from another feeder that still thinks the
        task is its own.
    """
    window = settings.ENV.window_batches
    with connection.cursor() as cursor:
        # one statement: an instant has no time for several
        cursor.execute(
            "UPDATE tracking_processingtask SET batches_scheduled = batches_scheduled + 1, last_instant = %s"
            " WHERE id = %s AND status = %s AND batches_scheduled - batches_done < %s AND last_instant < %s"
            # see `commit.without_waiting_for_the_disk`
            " AND set_config('synchronous_commit', 'off', true) = 'off'"
            " RETURNING batches_scheduled - 1, batches_scheduled - 1 - batches_done",
            [instant, task_id, Status.PROCESSING, window, instant],
        )
        reserved = cursor.fetchone()
    if reserved is None:
        return None, window
    number, in_flight = reserved
    remember_live_instant(task_id, number, instant, time_s)
    return number, in_flight


def live_batch_send(*, task: ProcessingTask, number: int, instant: int) -> None:
    """Ask for the perception of a live batch whose frames are in the frame store."""
    _send(task, [(number, camera) for camera in task.cameras], [instant])


def remember_live_instant(task_id: str, number: int, instant: int, time_s: float) -> None:
    """Which instant a live batch holds; recorded batches follow from their number."""
    redis_client().set(
        f"spoton:instant:{task_id}:{number}", f"{instant} {time_s:.6f}", ex=observations.TTL_SECONDS
    )


def live_instant(task_id: str, number: int) -> tuple[int, float] | None:
    """The instant of a live batch and its UNIX capture time; None when it is not known any more."""
    value = redis_client().get(f"spoton:instant:{task_id}:{number}")
    if not value:
        return None
    instant, time_s = value.split()
    return int(instant), float(time_s)


def live_instants_forget(task_id: str, numbers: Iterable[int]) -> None:
    """Of committed batches that nobody asks for again."""
    keys = [f"spoton:instant:{task_id}:{number}" for number in numbers]
    if keys:
        redis_client().delete(*keys)


def associate_later(task_id: str, *, live: bool = False) -> None:
    """Tell association that something may be ready: the worker that has the task's tracker, while it is there.

    Args:
        live: of a live task, which does not wait behind recordings.
    """
    owner = redis_client().get(_owner_key(task_id))
    queue = own_queue(owner.decode()) if owner and is_alive(owner.decode()) else queues.ASSOCIATE
    priority = queues.LIVE if live else queues.WATCHED
    current_app.send_task(ASSOCIATE, args=[task_id], queue=queue, priority=priority)


def associated_by(task_id: str, queue: str) -> None:
    """Remember the queue of the worker that has the task's tracker in memory; empty: it has none of its own."""
    if queue:
        owner = queue.removeprefix(own_queue(""))
        redis_client().set(_owner_key(task_id), owner, ex=OWNER_TTL_SECONDS)


def _owner_key(task_id: str) -> str:
    return f"spoton:associated-by:{task_id}"


def match_later(task_id: str) -> None:
    """Compare the persons of a task that has ended with those of others; enqueued on commit.

    Not among the maintenance tasks: it may take a minute, and those must not wait.
    """
    transaction.on_commit(lambda: current_app.send_task(MATCH, args=[task_id], queue="reports"))


def watch_tasks() -> list[str]:
    """Ask again for what active tasks lack: after a killed worker, a lost message, a restarted broker.

    Tasks that stand still are helped; after a restart of Redis all, without waiting for that.

    Returns:
        Ids of the tasks that were helped on.
    """
    helped = []
    active = list(ProcessingTask.objects.filter(status__in=ProcessingTask.ACTIVE))
    emptied = _redis_was_emptied()
    if any(task.mode == ProcessingTask.Mode.LIVE for task in active):
        _next_day_ensure()
    for task in active:
        since = max(filter(None, [task.progressed_at, task.started_at, task.created_at]))
        stalled = emptied or timezone.now() - since > timedelta(seconds=STALL_SECONDS)
        # one helper at a time, and not again before the help had time to work
        if stalled and redis_client().set(f"spoton:nudge:{task.pk}", 1, nx=True, ex=STALL_SECONDS):
            _help(task)
            helped.append(str(task.pk))
    _finish_ended()
    return helped


def _next_day_ensure() -> None:
    """Nobody knows how long a live task goes on: partitions for its next day are made while it runs."""
    if redis_client().set("spoton:next-day", 1, nx=True, ex=NEXT_DAY_SECONDS):
        partitions_ensure(start=timezone.now(), end=timezone.now() + timedelta(days=1))


def _redis_was_emptied() -> bool:
    """Whether Redis has lost everything, all queues too, since the last look; not before workers are back."""
    # without a lifetime, so that nothing else removes it
    return bool(live_device_queues()) and bool(redis_client().set(REMEMBERS_KEY, 1, nx=True))


def _finish_ended() -> None:
    """Close what ended while somebody was killed: open trajectories, and viewers who were not told."""
    ended = (Status.STOPPED, Status.FAILED)
    for task_id in Checkpoint.objects.filter(task__status__in=ended).values_list("task_id", flat=True):
        associate_later(str(task_id))
    lately = timezone.now() - timedelta(seconds=ANNOUNCED_SECONDS)
    for task_id in ProcessingTask.objects.filter(finished_at__gte=lately).values_list("pk", flat=True):
        publish.task_changed(task_id=task_id)
    _match_ended()


def _match_ended() -> None:
    """Compare persons where the message that asked for it got lost."""
    now = timezone.now()
    unmatched = ProcessingTask.objects.filter(
        status__in=(Status.COMPLETED, Status.STOPPED),
        matched_at=None,
        checkpoint=None,
        finished_at__range=(
            now - timedelta(seconds=MATCH_FOR_SECONDS),
            now - timedelta(seconds=STALL_SECONDS),
        ),
    )
    for task_id in unmatched.values_list("pk", flat=True):
        if redis_client().set(f"spoton:match:{task_id}", 1, nx=True, ex=MATCH_AGAIN_SECONDS):
            match_later(str(task_id))


def _help(task: ProcessingTask) -> None:
    task_id = str(task.pk)
    if task.status in (Status.QUEUED, Status.INITIALIZING):
        current_app.send_task(PREPARE, args=[task_id], queue=_first_queue())
        return
    if task.status != Status.PROCESSING:
        return
    pending = list(range(task.batches_done, task.batches_scheduled))
    if task.mode == ProcessingTask.Mode.RECORDED:
        pending = [number for number in pending if coverage(task).following(number) == number]
    lacking = observations.missing(task_id=task_id, numbers=pending, cameras=task.cameras)
    held = observations.leased(task_id=task_id, pairs=lacking)
    lacking = [pair for pair in lacking if pair not in held]
    if held:
        # somebody is at it, merely slowly: only the next batch is worth a second message, if it has no worker
        lacking = [pair for pair in lacking if pair[0] == task.batches_done]
    if task.mode == ProcessingTask.Mode.RECORDED:
        if lacking:
            log.warning("task %s stands still, asking again for %d camera batches", task_id, len(lacking))
        _send(task, lacking)
        schedule_batches(task_id=task_id)
    else:
        # their frames may be gone by now: the camera then simply has none at these instants
        for number in sorted({number for number, _ in lacking}):
            known = live_instant(task_id, number)
            _send(task, [pair for pair in lacking if pair[0] == number], [known[0]] if known else [])
    associate_later(task_id)


def _send(task: ProcessingTask, pairs: list[tuple[int, str]], instants: list[int] | None = None) -> None:
    """Ask the cameras' devices for (batch, camera) pairs.

    Of a live task, cameras on one device come in one message: their frames are one batch for the network. Those of
    a recorded task come alone, so that results do not depend on how many devices there are.
    """
    if not pairs:
        return
    places = place(task)
    messages: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for number, camera in pairs:
        alone = "" if task.mode == ProcessingTask.Mode.LIVE else camera
        message = batch_message(task, number, camera, instants)
        messages.setdefault((places[camera], number, alone), []).append(message)
    for (queue, _, _), together in messages.items():
        current_app.send_task(PERCEIVE, args=[together], queue=queue, priority=_priority(task))


def _priority(task: ProcessingTask) -> int:
    """Who waits least: what is happening now before what is watched, and that before what is done in stock."""
    if task.mode == ProcessingTask.Mode.LIVE:
        return queues.LIVE
    return queues.WATCHED if task.pacing == ProcessingTask.Pacing.REALTIME else queues.IN_STOCK


def _first_queue() -> str:
    return next(iter(of_one_kind(live_device_queues())), DEFAULT_QUEUE)


def _due_by_clock(task: ProcessingTask) -> tuple[int, float]:
    """How many batches would have been captured by now, and seconds until the next."""
    length_s = task.plan["batch_instants"] / task.fps
    elapsed = (timezone.now() - (task.clock_at or task.started_at)).total_seconds() + LEAD_SECONDS
    due = int(elapsed / length_s) + 1
    return task.clock_batch + due, max(0.05, due * length_s - elapsed)


def _schedule_later(task_id: str, wait_s: float) -> None:
    # one timer per task: every commit comes by here, and each would otherwise start a chain of its own
    if redis_client().set(f"spoton:timer:{task_id}", 1, nx=True, px=max(1, int(wait_s * 1000))):
        current_app.send_task(SCHEDULE, args=[task_id], countdown=wait_s, queue="maintenance")
