"""Associate and record, exactly once: one owner per task, strictly in order, one transaction per batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from django.db import connection, transaction
from django.utils import timezone

from tracking import observations, publish, schedule
from tracking.models import Batch, Checkpoint, ProcessingTask
from tracking.planning import batch_instants, instant_time
from tracking.record import Recorded, TrackRows, record_tracks

Status = ProcessingTask.Status

# problems of one camera that a task keeps by their words
MOST_PROBLEMS = 20


@dataclass(frozen=True)
class BatchInput:
    """What association gets: the task, its state after the batch before, and what the cameras saw.

    Attributes:
        state: None before the first batch.
        observations: bytes, one per camera of the task, in the task's order.
        last: no batch follows, open tracks close.
    """

    task: ProcessingTask
    number: int
    state: bytes | None
    observations: list[bytes]
    instants: list[int]
    times_s: list[float]
    last: bool


class BatchOutput(Protocol):
    """What association gives: rows, the state after the batch, and a report per camera.

    Attributes:
        cameras: per camera {"frames", "detections", "problems", "timings_ms"}.
        associate_ms: time that association took.
    """

    rows: TrackRows
    state: bytes
    cameras: dict[str, dict[str, Any]]
    associate_ms: float


class Associate(Protocol):
    def __call__(self, batch: BatchInput) -> BatchOutput: ...


def commit_ready_batches(*, task_id: str, associate: Associate, most: int = 8) -> int:
    """Associate and record the batches whose observations are complete, in order.

    A duplicated or late call finds nothing to do. Whoever is killed in the middle leaves no trace: rows,
    checkpoint and batch number commit together or not at all.

    Returns:
        How many were committed; `most` bounds the time one message takes.
    """
    done = 0
    while done < most and _commit_next(task_id, associate):
        done += 1
    if done == most:
        schedule.associate_later(task_id)
    return done


def close_task(*, task_id: str, finish: Callable[[ProcessingTask, bytes], TrackRows]) -> None:
    """Write the trajectories of the tracks that a stopped or failed task left open, once."""
    with transaction.atomic():
        own_task(task_id)
        ended = (Status.STOPPED, Status.FAILED)
        task = ProcessingTask.objects.filter(pk=task_id, status__in=ended).first()
        checkpoint = Checkpoint.objects.filter(task_id=task_id).first()
        if task is None or checkpoint is None:
            return
        record_tracks(task=task, rows=finish(task, bytes(checkpoint.state)))
        checkpoint.delete()
        schedule.match_later(task_id)


def _commit_next(task_id: str, associate: Associate) -> bool:
    with transaction.atomic():
        own_task(task_id)
        task = ProcessingTask.objects.select_related("environment").filter(pk=task_id).first()
        if task is None or task.status != Status.PROCESSING or task.batches_done >= task.batches_scheduled:
            return False
        number = task.batches_done
        blobs = observations.fetch_all(task_id=task_id, number=number, cameras=task.cameras)
        if blobs is None:
            return False
        batch = _batch_input(task, number, blobs)
        output = associate(batch)
        begun = time.perf_counter()
        recorded = _record(task, batch, output)
        record_ms = (time.perf_counter() - begun) * 1e3
        Batch.objects.create(
            task=task,
            number=number,
            instants=len(batch.instants),
            committed_at=timezone.now(),
            cameras=output.cameras,
            stages={"associate": round(output.associate_ms, 3), "record": round(record_ms, 3)},
        )
    publish.batch_committed(task=task, number=number, recorded=recorded, instants=batch.instants)
    observations.discard(task_id=task_id, number=number, cameras=task.cameras)
    if task.mode == ProcessingTask.Mode.LIVE:
        schedule.forget_live_instants(task_id, number)
    if batch.last:
        publish.task_changed(task_id=task_id)
    else:
        schedule.schedule_batches(task_id=task_id)
    return True


def _batch_input(task: ProcessingTask, number: int, blobs: list[bytes]) -> BatchInput:
    checkpoint = Checkpoint.objects.filter(task=task).first()
    if checkpoint is not None and checkpoint.batch != number - 1:
        raise RuntimeError(f"checkpoint of batch {checkpoint.batch} cannot precede batch {number}")
    recorded = task.mode == ProcessingTask.Mode.RECORDED
    instants = (
        list(batch_instants(task, number)) if recorded else schedule.live_instants(str(task.pk), number)
    )
    return BatchInput(
        task=task,
        number=number,
        state=bytes(checkpoint.state) if checkpoint else None,
        observations=blobs,
        instants=instants,
        times_s=[instant_time(task, i) for i in instants],
        last=recorded and number == task.batches_total - 1,
    )


def _record(task: ProcessingTask, batch: BatchInput, output: BatchOutput) -> Recorded:
    recorded = record_tracks(task=task, rows=output.rows)
    if batch.last:
        Checkpoint.objects.filter(task=task).delete()
    else:
        Checkpoint.objects.update_or_create(
            task=task, defaults={"batch": batch.number, "state": output.state}
        )
    now = timezone.now()
    task.batches_done = batch.number + 1
    task.progressed_at = now
    # the fence: another owner that committed this batch meanwhile makes the whole transaction void
    fenced = ProcessingTask.objects.filter(pk=task.pk, batches_done=batch.number)
    totals = _totals(task.camera_totals, output.cameras)
    if not fenced.update(batches_done=task.batches_done, progressed_at=now, camera_totals=totals):
        raise RuntimeError(f"batch {batch.number} of task {task.pk} was committed by another owner")
    if batch.last:
        # asked to stop (or failed) while we worked: this batch still counts, the final state stays
        going_on = ProcessingTask.objects.filter(pk=task.pk, status=Status.PROCESSING)
        going_on.update(status=Status.COMPLETED, finished_at=now)
        schedule.match_later(str(task.pk))
    return recorded


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


def own_task(task_id: str) -> None:
    """Wait to be the task's one owner; ends with the transaction, also when its process is killed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"associate {task_id}"])
