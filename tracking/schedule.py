"""Schedule: which batches are asked for, when, and of which device. Bounded, and healed by `watch_tasks`."""

from __future__ import annotations

import logging
from datetime import timedelta

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tracking import observations, publish
from tracking.devices import DEFAULT_QUEUE, live_device_queues
from tracking.models import Checkpoint, ProcessingTask
from tracking.planning import batch_message
from tracking.redis import redis_client
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
# a task without progress for this long is asked for again what is missing
STALL_SECONDS = 8
REMEMBERS_KEY = "spoton:remembers"
# the end of a task is announced again for so long: a notice may be lost, and viewers wait for it
ANNOUNCED_SECONDS = 10
# the comparison of persons with earlier ones is asked for again this often, for so long after a task's end
MATCH_AGAIN_SECONDS, MATCH_FOR_SECONDS = 600, 3600
# in real time, batches are perceived this far ahead of the moment they would have been captured
LEAD_SECONDS = 0.5


def prepare_later(task: ProcessingTask) -> None:
    """Ask a device worker which models there are; enqueued when the task's row is committed."""
    transaction.on_commit(
        lambda: current_app.send_task(PREPARE, args=[str(task.pk)], queue=_device_queues()[0])
    )


def schedule_batches(*, task_id: str) -> int:
    """Ask for as many further batches of a recorded task as its window and pacing allow.

    Returns:
        How many were asked for.
    """
    with transaction.atomic():
        task = ProcessingTask.objects.select_for_update().filter(pk=task_id, status=Status.PROCESSING).first()
        if task is None or task.mode != ProcessingTask.Mode.RECORDED:
            return 0
        begin = task.batches_scheduled
        end = min(task.batches_total, task.batches_done + settings.ENV.window_batches)
        if task.pacing == ProcessingTask.Pacing.REALTIME:
            due, wait_s = _due_by_clock(task)
            if due < end:
                end = max(due, begin)
                transaction.on_commit(lambda: _schedule_later(task_id, wait_s))
        if end <= begin:
            return 0
        task.batches_scheduled = end
        task.save(update_fields=["batches_scheduled"])
        transaction.on_commit(lambda: _send(task, [(n, c) for n in range(begin, end) for c in task.cameras]))
        return end - begin


def live_batch_open(*, task_id: str, instants: list[int]) -> int | None:
    """Ask for a batch of live frames that are in the frame store.

    Returns:
        Its number, or None when too many are in flight (the frames are dropped) or the task is over.
    """
    with transaction.atomic():
        task = ProcessingTask.objects.select_for_update().filter(pk=task_id, status=Status.PROCESSING).first()
        if task is None or task.batches_scheduled - task.batches_done >= settings.ENV.window_batches:
            return None
        number = task.batches_scheduled
        task.batches_scheduled += 1
        task.save(update_fields=["batches_scheduled"])
        remember_live_instants(task_id, number, instants)
        transaction.on_commit(lambda: _send(task, [(number, camera) for camera in task.cameras], instants))
        return number


def remember_live_instants(task_id: str, number: int, instants: list[int]) -> None:
    """Which instants a live batch holds; recorded batches follow from their number."""
    redis_client().set(
        f"spoton:instants:{task_id}:{number}", ",".join(map(str, instants)), ex=observations.TTL_SECONDS
    )


def live_instants(task_id: str, number: int) -> list[int]:
    value = redis_client().get(f"spoton:instants:{task_id}:{number}")
    return [int(part) for part in value.split(b",")] if value else []


def forget_live_instants(task_id: str, number: int) -> None:
    """Of a committed batch; nobody asks for it again."""
    redis_client().delete(f"spoton:instants:{task_id}:{number}")


def associate_later(task_id: str) -> None:
    current_app.send_task(ASSOCIATE, args=[task_id], queue="associate")


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
        # nobody knows how long a live task goes on: its next day is made while it runs
        partitions_ensure(start=timezone.now(), end=timezone.now() + timedelta(days=1))
    for task in active:
        since = max(filter(None, [task.progressed_at, task.started_at, task.created_at]))
        stalled = emptied or timezone.now() - since > timedelta(seconds=STALL_SECONDS)
        # one helper at a time, and not again before the help had time to work
        if stalled and redis_client().set(f"spoton:nudge:{task.pk}", 1, nx=True, ex=STALL_SECONDS):
            _help(task)
            helped.append(str(task.pk))
    _finish_ended()
    return helped


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
        current_app.send_task(PREPARE, args=[task_id], queue=_device_queues()[0])
        return
    if task.status != Status.PROCESSING:
        return
    pending = range(task.batches_done, task.batches_scheduled)
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
        for number, camera in lacking:
            _send(task, [(number, camera)], live_instants(task_id, number))
    associate_later(task_id)


def _send(task: ProcessingTask, pairs: list[tuple[int, str]], instants: list[int] | None = None) -> None:
    queues = _device_queues()
    # tasks begin at different devices, so that several small ones do not share the first; results do not depend on it
    first = task.pk.int % len(queues)
    place = {camera: queues[(first + i) % len(queues)] for i, camera in enumerate(task.cameras)}
    for number, camera in pairs:
        message = batch_message(task, number, camera, instants)
        current_app.send_task(PERCEIVE, args=[message], queue=place[camera])


def _device_queues() -> list[str]:
    return live_device_queues() or [DEFAULT_QUEUE]


def _due_by_clock(task: ProcessingTask) -> tuple[int, float]:
    """How many batches would have been captured by now, and seconds until the next."""
    length_s = task.plan["batch_instants"] / task.fps
    elapsed = (timezone.now() - task.started_at).total_seconds() + LEAD_SECONDS
    due = int(elapsed / length_s) + 1
    return due, max(0.05, due * length_s - elapsed)


def _schedule_later(task_id: str, wait_s: float) -> None:
    # one timer per task: every commit comes by here, and each would otherwise start a chain of its own
    if redis_client().set(f"spoton:timer:{task_id}", 1, nx=True, px=max(1, int(wait_s * 1000))):
        current_app.send_task(SCHEDULE, args=[task_id], countdown=wait_s, queue="maintenance")
