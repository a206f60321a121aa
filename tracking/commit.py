"""Associate and record, exactly once: one owner per task, strictly in order, one transaction per batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from django.db import connection, transaction
from django.db.models.functions import Greatest
from django.utils import timezone

from tracking import (
    crop_wishes,
    metrics,
    observations,
    placement,
    publish,
    schedule,
    stored_pictures,
    tracing,
)
from tracking.coverage import coverage
from tracking.log_context import bind, log_context
from tracking.models import Batch, Checkpoint, ProcessingTask
from tracking.planning import batch_instants, instant_time
from tracking.record import Recorded, TrackRows, record_looks, record_tracks

Status = ProcessingTask.Status

# problems of one camera that a task keeps by their words
MOST_PROBLEMS = 20


# a live task's state is stored this often: writing it for every instant would take longer than associating
CHECKPOINT_EVERY_S = 2.0


@dataclass(frozen=True)
class Seen:
    """A committed batch whose observations are still there.

    Attributes:
        observations: bytes, one per camera of the task; None where they were lost.
    """

    observations: list[bytes | None]
    instants: list[int]
    times_s: list[float]


@dataclass(frozen=True)
class Known:
    """What association had made of the batches before.

    Attributes:
        state: after the last batch with a checkpoint; None before the first.
        since: the batches committed after that one, in order.
    """

    state: bytes | None
    since: list[Seen]


@dataclass(frozen=True)
class BatchInput:
    """What association gets: the task, what was known after the batch before, and what the cameras saw.

    Attributes:
        known: reads it; needless for whoever has associated the batch before.
        observations: bytes, one per camera of the task, in the task's order.
        times_s: of the instants, `1 / fps` apart; captured_s: when their frames were captured. UNIX seconds.
        looks: what people look like is to be told, which for every instant would be too often.
        last: no batch follows, open tracks close.
    """

    task: ProcessingTask
    number: int
    known: Callable[[], Known]
    observations: list[bytes]
    instants: list[int]
    times_s: list[float]
    captured_s: list[float]
    looks: bool
    last: bool


class BatchOutput(Protocol):
    """What association gives: rows, the state after the batch, and a report per camera.

    Attributes:
        state: gives the state, if it is wanted.
        cameras: per camera {"frames", "detections", "problems", "timings_ms"}.
        associate_ms: time that association took.
    """

    rows: TrackRows
    state: Callable[[], bytes]
    cameras: dict[str, dict[str, Any]]
    associate_ms: float


class Associate(Protocol):
    def __call__(self, batch: BatchInput) -> BatchOutput: ...


def commit_ready_batches(*, task_id: str, associate: Associate, most: int = 2) -> int:
    """Associate and record the batches whose observations are complete, in order.

    A duplicated or late call finds nothing to do. Whoever is killed in the middle leaves no trace: rows,
    checkpoint and batch number commit together or not at all.

    Returns:
        How many were committed; `most` bounds the time one message takes, for which others wait.
    """
    done = 0
    while done < most and (task := _commit_next(task_id, associate)):
        done += 1
        # whoever completes the next batch from here on sends a notice of its own
        if not observations.complete(task_id=task_id, number=task.batches_done, cameras=task.cameras):
            break
    if done == most:
        schedule.associate_later(task_id, live=task.mode == ProcessingTask.Mode.LIVE)
    return done


def close_task(*, task_id: str, finish: Callable[[ProcessingTask, Known], TrackRows]) -> None:
    """Write the trajectories of the tracks that a stopped or failed task left open, once."""
    left_open = ProcessingTask.objects.filter(
        pk=task_id, status__in=(Status.STOPPED, Status.FAILED), checkpoint__isnull=False
    )
    # looked at with every message: no owner is needed to see that there is nothing to do
    if not left_open.exists():
        return
    with transaction.atomic():
        own_task(task_id)
        task = left_open.first()
        if task is None:
            return
        record_tracks(task=task, rows=finish(task, _known(task, task.batches_done)))
        Checkpoint.objects.filter(task=task).delete()
        schedule.match_later(task_id)
        stored_pictures.crops_later(task)


def _commit_next(task_id: str, associate: Associate) -> ProcessingTask | None:
    with log_context(), transaction.atomic():
        if not _owned(task_id):
            return None
        task = ProcessingTask.objects.select_related("environment").filter(pk=task_id).first()
        if task is None or task.status != Status.PROCESSING or task.batches_done >= task.batches_scheduled:
            return None
        number = task.batches_done
        bind(batch=number)
        blobs = observations.fetch_all(task_id=task_id, number=number, cameras=task.cameras)
        if blobs is None:
            return None
        batch = _batch_input(task, number, blobs)
        output = associate(batch)
        begun = time.perf_counter()
        recorded = _record(task, batch, output)
        record_ms = (time.perf_counter() - begun) * 1e3
        stages_ms = {"associate": round(output.associate_ms, 3), "record": round(record_ms, 3)}
        Batch.objects.create(
            task=task,
            number=number,
            instants=len(batch.instants),
            committed_at=timezone.now(),
            cameras=output.cameras,
            stages={**stages_ms, **_lag(task, batch)},
        )
    begun = time.perf_counter()
    publish.batch_committed(
        task=task, number=number, recorded=recorded, instants=batch.instants, captured_s=batch.captured_s
    )
    stages_ms = {**stages_ms, "publish": (time.perf_counter() - begun) * 1e3}
    measured = {"captured_s": batch.captured_s, "reports": output.cameras, "stages_ms": stages_ms}
    metrics.batch_measured(task=task, **measured)
    tracing.batch_committed(task=task, number=number, **measured)
    placement.measured(task=task, instants=len(batch.instants), reports=output.cameras)
    crop_wishes.batch_committed(task=task, detections=recorded.rows.detections, captured_s=batch.captured_s)
    if task.mode == ProcessingTask.Mode.LIVE and _checkpoint_due(task, number):
        _keep_live_state(task, number, output)
    _discard(task, number)
    if batch.last:
        publish.task_changed(task_id=task_id)
    elif task.mode == ProcessingTask.Mode.RECORDED:
        schedule.schedule_batches(task_id=task_id)
    return task


def _batch_input(task: ProcessingTask, number: int, blobs: list[bytes]) -> BatchInput:
    instants, captured_s = _instants(task, number)
    return BatchInput(
        task=task,
        number=number,
        known=partial(_known, task, number),
        observations=blobs,
        instants=instants,
        times_s=[instant_time(task, i) for i in instants],
        captured_s=captured_s,
        looks=_checkpoint_due(task, number),
        last=task.mode == ProcessingTask.Mode.RECORDED and _following(task, number) >= task.batches_total,
    )


def _instants(task: ProcessingTask, number: int) -> tuple[list[int], list[float]]:
    """The instants of a batch, and when they were captured."""
    if task.mode == ProcessingTask.Mode.RECORDED:
        instants = list(batch_instants(task, number))
        return instants, [instant_time(task, i) for i in instants]
    known = schedule.live_instant(str(task.pk), number)
    return ([known[0]], [known[1]]) if known else ([], [])


def _known(task: ProcessingTask, number: int) -> Known:
    """What goes before batch `number`."""
    checkpoint = Checkpoint.objects.filter(task=task).first()
    after = checkpoint.batch + 1 if checkpoint else 0
    if after > number or (task.mode == ProcessingTask.Mode.RECORDED and after != number):
        raise RuntimeError(f"checkpoint of batch {after - 1} cannot precede batch {number}")
    since = []
    for earlier in range(after, number):
        instants, _ = _instants(task, earlier)
        blobs = observations.fetch(task_id=str(task.pk), number=earlier, cameras=task.cameras)
        since.append(Seen(blobs, instants, [instant_time(task, i) for i in instants]))
    # an empty one stands where a task began in the middle, see tracking.steering
    return Known((bytes(checkpoint.state) or None) if checkpoint else None, since)


def _record(task: ProcessingTask, batch: BatchInput, output: BatchOutput) -> Recorded:
    live = task.mode == ProcessingTask.Mode.LIVE
    recorded = record_tracks(task=task, rows=output.rows, looks=not live)
    if batch.last:
        Checkpoint.objects.filter(task=task).delete()
    elif not live:
        _keep_state(task, batch.number, output)
    now = timezone.now()
    task.batches_done = _following(task, batch.number)
    task.progressed_at = now
    # the fence: another owner that committed this batch meanwhile makes the whole transaction void
    fenced = ProcessingTask.objects.filter(pk=task.pk, batches_done=batch.number)
    totals = _totals(task.camera_totals, output.cameras)
    fields: dict[str, Any] = {
        "batches_done": task.batches_done,
        "progressed_at": now,
        "camera_totals": totals,
    }
    if task.batches_done > batch.number + 1:
        # nothing is recorded in between: what comes after it is due now
        fields |= {"clock_at": now, "clock_batch": task.batches_done}
        fields["batches_scheduled"] = Greatest("batches_scheduled", task.batches_done)
    if not fenced.update(**fields):
        raise RuntimeError(f"batch {batch.number} of task {task.pk} was committed by another owner")
    if batch.last:
        # asked to stop (or failed) while we worked: this batch still counts, the final state stays
        going_on = ProcessingTask.objects.filter(pk=task.pk, status=Status.PROCESSING)
        going_on.update(status=Status.COMPLETED, finished_at=now)
        schedule.match_later(str(task.pk))
        stored_pictures.crops_later(task)
    return recorded


def _keep_state(task: ProcessingTask, number: int, output: BatchOutput) -> None:
    Checkpoint.objects.bulk_create(
        [Checkpoint(task=task, batch=_following(task, number) - 1, state=output.state())],
        update_conflicts=True,
        unique_fields=["task"],
        update_fields=["batch", "state"],
    )


def _keep_live_state(task: ProcessingTask, number: int, output: BatchOutput) -> None:
    """After viewers have been told: it takes longer than all the rest, and nothing that is recorded depends on it."""
    with transaction.atomic():
        without_waiting_for_the_disk()
        own_task(str(task.pk))
        # stopped meanwhile, and closed with the state before
        if ProcessingTask.objects.filter(pk=task.pk, status__in=ProcessingTask.ACTIVE).exists():
            record_looks(task=task, rows=output.rows)
            _keep_state(task, number, output)


def _following(task: ProcessingTask, number: int) -> int:
    """The batch that comes after `number`."""
    return coverage(task).following(number + 1) if task.mode == ProcessingTask.Mode.RECORDED else number + 1


def _lag(task: ProcessingTask, batch: BatchInput) -> dict[str, float]:
    """How old the newest frames of a live batch are by now, in ms."""
    if task.mode != ProcessingTask.Mode.LIVE or not batch.captured_s:
        return {}
    return {"lag": round((time.time() - batch.captured_s[-1]) * 1e3, 3)}


def _checkpoint_due(task: ProcessingTask, number: int) -> bool:
    """After every batch of a recording, which holds a second or so; now and then in a live task.

    In between, whoever lacks the state goes on from the last one and does the batches since once more; their
    observations are kept for that.
    """
    return task.mode == ProcessingTask.Mode.RECORDED or number % _checkpoint_every(task) == 0


def _checkpoint_every(task: ProcessingTask) -> int:
    return max(1, round(CHECKPOINT_EVERY_S * task.fps))


def _discard(task: ProcessingTask, number: int) -> None:
    """What no one will ask for again: whatever the state that is stored now has seen."""
    if not _checkpoint_due(task, number):
        return
    live = task.mode == ProcessingTask.Mode.LIVE
    oldest = max(0, number - _checkpoint_every(task) + 1) if live else number
    numbers = range(oldest, number + 1)
    observations.discard(task_id=str(task.pk), numbers=numbers, cameras=task.cameras)
    if live:
        schedule.live_instants_forget(str(task.pk), numbers)


def _totals(before: dict[str, Any], reports: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Frames and problems per camera with one batch more; the first problems tell most, the rest are counted."""
    totals = {}
    for camera, report in reports.items():
        known = before.get(camera, {"frames": 0, "problems": [], "more_problems": 0})
        messages = {problem["message"] for problem in known["problems"]}
        new = [problem for problem in report["problems"] if problem["message"] not in messages]
        room = MOST_PROBLEMS - len(known["problems"])
        totals[camera] = {
            "frames": known["frames"] + report["frames"],
            "problems": [*known["problems"], *new[:room]],
            "more_problems": known["more_problems"] + len(new[room:]),
        }
    return {**before, **totals}


def without_waiting_for_the_disk() -> None:
    """This transaction does not wait until it is on disk.

    Should the database's machine break down, the last half second of a live task may be gone, rows and batch numbers
    alike; its frames are as well by then. Nothing is ever half there.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO OFF")


def own_task(task_id: str) -> None:
    """Wait to be the task's one owner; ends with the transaction, also when its process is killed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"associate {task_id}"])


def _owned(task_id: str) -> bool:
    """Be the task's one owner, unless somebody is: who then finds what became ready, because it looks once more."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"associate {task_id}"])
        return cursor.fetchone()[0]
