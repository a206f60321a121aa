"""Everything that reads processing tasks and what they recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
from django.db.models import Max, Min, Q, QuerySet
from django.utils import timezone

from environments.models import Environment
from environments.selectors import environments_visible_to
from tracking.coverage import coverage
from tracking.errors import ChangeNotFoundError, PersonNotFoundError, TaskNotFoundError
from tracking.identity import current_ids
from tracking.live import live_counts, live_degradation
from tracking.messages import isoformat
from tracking.model_names import shown_model
from tracking.models import Batch, Detection, Person, PersonChange, PersonFeedback, Position, ProcessingTask

# figures of now (rates, stage times) are taken over this many batches
RECENT_BATCHES = 30
# someone not seen for this long is not active any more (s)
ACTIVE_SECONDS = 2.0


def tasks_visible_to(user: Any) -> QuerySet[ProcessingTask]:
    return ProcessingTask.objects.filter(environment__in=environments_visible_to(user)).select_related(
        "environment"
    )


def task_get(*, user: Any, task_id: UUID | str) -> ProcessingTask:
    """The task, if the user is a member of its environment.

    Raises:
        TaskNotFoundError: unknown, or not visible; these are not told apart.
    """
    task = tasks_visible_to(user).filter(pk=task_id).first()
    if task is None:
        raise TaskNotFoundError("There is no such processing task, or you may not see it.")
    return task


def person_get(*, user: Any, person_id: UUID | str) -> Person:
    """The person of this id, or whom they were merged into.

    Raises:
        PersonNotFoundError: unknown or not visible.
    """
    known = person_known(user=user, person_id=person_id)
    now = current_ids([known.pk])[known.pk]
    return known if now == known.pk else _persons_visible_to(user).get(pk=now)


def person_known(*, user: Any, person_id: UUID | str) -> Person:
    """The person of just this id, whoever they are by now. Raises PersonNotFoundError as `person_get`."""
    person = _persons_visible_to(user).filter(pk=person_id).first()
    if person is None:
        raise PersonNotFoundError("There is no such person, or you may not see them.")
    return person


def _persons_visible_to(user: Any) -> QuerySet[Person]:
    visible = Person.objects.filter(environment__in=environments_visible_to(user))
    return visible.select_related("environment")


def person_history(person_ids: Sequence[UUID]) -> QuerySet[PersonChange]:
    """The merges and splits that any of these persons took part in, undone ones too, newest first."""
    return PersonChange.objects.filter(
        Q(person_id__in=person_ids) | Q(other_id__in=person_ids)
    ).select_related("created_by", "undone_by")


def person_change_get(*, user: Any, change_id: UUID | str) -> PersonChange:
    """Raises ChangeNotFoundError when unknown or not visible."""
    changes = PersonChange.objects.filter(environment__in=environments_visible_to(user))
    change = changes.select_related("environment").filter(pk=change_id).first()
    if change is None:
        raise ChangeNotFoundError("There is no such change of persons, or you may not see it.")
    return change


def feedback_of(environment: Environment, *, person_id: UUID | None = None) -> QuerySet[PersonFeedback]:
    """What was said about the environment's persons, or about one of them, newest first."""
    feedback = PersonFeedback.objects.filter(environment=environment).select_related("camera", "created_by")
    if person_id is not None:
        feedback = feedback.filter(Q(person_id=person_id) | Q(candidate_id=person_id))
    return feedback


def task_details(task: ProcessingTask) -> dict[str, Any]:
    """The task as REST and sockets show it."""
    batches = list(Batch.objects.filter(task=task).order_by("-number")[:RECENT_BATCHES])
    done, total = task.batches_done, None
    if task.mode == ProcessingTask.Mode.RECORDED:
        done, total = coverage(task).count(task.batches_done), coverage(task).count()
    return {
        "task_id": str(task.pk),
        "environment_id": task.environment.slug,
        "status": task.status,
        "mode": task.mode,
        "pacing": task.pacing,
        "start": isoformat(task.start) if task.start else None,
        "end": isoformat(task.end) if task.end else None,
        "fps": task.fps,
        "cameras": task.cameras,
        "detector": _shown(task.choices.get("detector", _not_chosen(task.detector))),
        "embedder": _shown(task.choices.get("embedder", _not_chosen(task.embedder))),
        "progress": round(done / total, 4) if total else None,
        "batches": {"done": done, "total": total},
        "created_at": isoformat(task.created_at),
        "started_at": isoformat(task.started_at) if task.started_at else None,
        "finished_at": isoformat(task.finished_at) if task.finished_at else None,
        "error": {"code": task.error_code, "message": task.error_message} if task.error_message else None,
        "camera_status": _camera_status(task, batches),
        "stages": stage_times(batches),
        "frames_per_second": _rate(batches),
        "lag_s": _lag(task, batches),
        "degradation": live_degradation(str(task.pk)) if task.mode == ProcessingTask.Mode.LIVE else 0,
    }


def stage_times(batches: list[Batch]) -> dict[str, dict[str, float]]:
    """Median and 95th percentile per stage, in milliseconds per frame (per instant: associate, record)."""
    samples: dict[str, list[float]] = defaultdict(list)
    for batch in batches:
        for report in batch.cameras.values():
            for stage, ms in report["timings_ms"].items():
                # waiting is per batch, work is per frame
                samples[stage].append(ms if stage == "queue" else ms / max(report["frames"], 1))
        for stage, ms in batch.stages.items():
            if stage == "lag":
                # not work: how old the frames were when they were recorded
                continue
            samples[stage].append(ms / max(batch.instants, 1))
    return {
        stage: {
            "median_ms": round(float(np.median(values)), 3),
            "p95_ms": round(float(np.percentile(values, 95)), 3),
        }
        for stage, values in samples.items()
    }


def active_persons(task: ProcessingTask) -> list[dict[str, Any]]:
    """Persons seen at the end of what the task has processed so far."""
    last = Detection.objects.filter(task=task).aggregate(last=Max("captured_at"))["last"]
    if last is None:
        return []
    since = last - timedelta(seconds=ACTIVE_SECONDS)
    cameras: dict[UUID, set[str]] = defaultdict(set)
    names = {entry["camera_id"]: entry["camera"] for entry in task.plan["cameras"]}
    recent = Detection.objects.filter(task=task, captured_at__gte=since)
    for person_id, camera_id in recent.values_list("person_id", "camera_id").distinct():
        cameras[person_id].add(names[camera_id])
    places = {
        p.person_id: p
        for p in Position.objects.filter(task=task, captured_at__gte=since).order_by("captured_at")
    }
    spans = {
        row["person_id"]: row
        for row in Detection.objects.filter(task=task, person_id__in=cameras)
        .values("person_id")
        .annotate(first=Min("captured_at"), last=Max("captured_at"))
    }
    return [
        {
            "global_person_id": str(person_id),
            "cameras": sorted(cameras[person_id]),
            "map_coords": [round(places[person_id].x_m, 3), round(places[person_id].y_m, 3)]
            if person_id in places
            else None,
            "first_detected_time": isoformat(span["first"]),
            "last_seen_time": isoformat(span["last"]),
            "tracking_duration": round((span["last"] - span["first"]).total_seconds(), 3),
        }
        for person_id, span in sorted(spans.items(), key=lambda item: (item[1]["first"], item[0]))
    ]


def best_detection(*, person: Person, camera: str | None = None, at: Any = None) -> Detection | None:
    """The detection that shows the person best: large and confident; or the one nearest to a time."""
    rows = Detection.objects.filter(person=person).select_related("camera", "task", "task__environment")
    if camera is not None:
        rows = rows.filter(camera__slug=camera)
    if at is not None:
        before = rows.filter(captured_at__lte=at).order_by("-captured_at").first()
        after = rows.filter(captured_at__gt=at).order_by("captured_at").first()
        return min(filter(None, [before, after]), key=lambda d: abs(d.captured_at - at), default=None)
    return rows.extra(
        select={"worth": "(y2 - y1) * confidence"}, order_by=["-worth", "captured_at", "camera_id"]
    ).first()


def _shown(choice: dict[str, Any]) -> dict[str, Any]:
    return {**choice, "chosen": shown_model(choice["chosen"]) if choice["chosen"] else None}


def _not_chosen(requested: str) -> dict[str, Any]:
    return {"requested": requested, "chosen": None, "reason": "not chosen yet"}


def _camera_status(task: ProcessingTask, batches: list[Batch]) -> dict[str, dict[str, Any]]:
    live = live_counts(str(task.pk)) if task.mode == ProcessingTask.Mode.LIVE else {}
    seconds = sum(batch.instants for batch in batches) / task.fps
    result = {}
    for camera in task.cameras:
        totals = task.camera_totals.get(camera, {"frames": 0, "problems": []})
        reports = [batch.cameras[camera] for batch in batches if camera in batch.cameras]
        frames = sum(report["frames"] for report in reports)
        result[camera] = {
            "frames": totals["frames"],
            "fps": round(frames / seconds, 2) if seconds else None,
            "dropped": live.get(camera, {}).get("dropped", 0),
            "problems": totals["problems"] + live.get(camera, {}).get("problems", []),
        }
    return result


def _rate(batches: list[Batch]) -> float | None:
    """Camera frames processed per second of wall time, lately."""
    if len(batches) < 2:
        return None
    elapsed = (batches[0].committed_at - batches[-1].committed_at).total_seconds()
    frames = sum(report["frames"] for batch in batches[:-1] for report in batch.cameras.values())
    return round(frames / elapsed, 2) if elapsed > 0 else None


def _lag(task: ProcessingTask, batches: list[Batch]) -> float | None:
    """How far results lie behind capture (live) or behind the pace of the clock (real time)."""
    if task.status != ProcessingTask.Status.PROCESSING or task.started_at is None:
        return None
    if task.mode == ProcessingTask.Mode.LIVE:
        return round(batches[0].stages["lag"] / 1e3, 3) if batches and "lag" in batches[0].stages else None
    if task.pacing != ProcessingTask.Pacing.REALTIME:
        return None
    done_s = (task.batches_done - task.clock_batch) * task.plan["batch_instants"] / task.fps
    elapsed_s = (timezone.now() - (task.clock_at or task.started_at)).total_seconds()
    return round(max(0.0, elapsed_s - done_s), 3)
