"""For which times results are stored: what recorded tasks have processed, and what live tasks saw."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import (
    Case,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    FloatField,
    Max,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Greatest, Least

from environments.date_ranges import DateRanges
from environments.models import Environment
from environments.selectors import date_ranges, environments_with_counts
from environments.spans import Span, intersect, join
from tracking.coverage import coverage
from tracking.models import ProcessingTask
from tracking.planning import instant_time, utc

Mode = ProcessingTask.Mode


def ranges_of(environment: Environment, *, timezone: str | None = None) -> DateRanges:
    """What the environment has: recordings, and results of any task."""
    return date_ranges(environment, timezone=timezone, processed=processed_spans(environment))


def processed_spans(environment: Environment) -> dict[str, list[Span]]:
    """Spans with stored results by slug of the active cameras, also where the recording is gone by now.

    Recorded tasks: what each camera recorded of the batches that are committed. Live tasks: from the start to
    the newest instant, pauses included.
    """
    slugs = dict(environment.cameras.filter(is_active=True).values_list("pk", "slug"))
    found: dict[str, list[Span]] = {slug: [] for slug in slugs.values()}
    tasks = list(
        ProcessingTask.objects.filter(environment=environment, batches_done__gt=0).only(
            "mode", "start", "end", "fps", "plan", "batches_total", "batches_done", "last_instant", "clock_at"
        )
    )
    # the clock of a task that was sought in, paused or led over a gap was set: batches may have been left out
    in_doubt = [task.pk for task in tasks if task.mode == Mode.RECORDED and task.clock_at is not None]
    committed = _committed_ranges(in_doubt)
    for task in tasks:
        done = _spans_done(task, committed.get(task.pk, ()) if task.pk in in_doubt else None)
        for entry in task.plan["cameras"]:
            if entry["camera_id"] in slugs:
                found[slugs[entry["camera_id"]]] += _of_camera(entry, done)
    return {slug: join(spans) for slug, spans in found.items()}


def environments_with_data(user: Any) -> QuerySet[Environment]:
    """As `environments_with_counts`; `last_data_at` knows results too."""

    def seconds(number: Any) -> ExpressionWrapper:
        return ExpressionWrapper(number * Value(timedelta(seconds=1)), output_field=DurationField())

    def after_start(number: Any) -> ExpressionWrapper:
        return ExpressionWrapper(F("start") + seconds(number / F("fps")), output_field=DateTimeField())

    batch_instants = Cast(KT("plan__batch_instants"), FloatField())
    end = Case(
        When(mode=Mode.LIVE, then=after_start(Cast(F("last_instant") + 1, FloatField()))),
        default=Least("end", after_start(F("batches_done") * batch_instants)),
    )
    tasks = ProcessingTask.objects.filter(environment=OuterRef("pk"), batches_done__gt=0).order_by()
    last = tasks.values("environment").annotate(last=Max(end)).values("last")
    return environments_with_counts(user).annotate(last_data_at=Greatest("last_data_at", Subquery(last)))


def _spans_done(task: ProcessingTask, committed: Iterable[tuple[int, int]] | None) -> list[Span]:
    """When the task has processed anything; `committed` are its batches where they do not follow from the plan."""
    if task.mode == Mode.LIVE:
        return [Span(task.start, utc(instant_time(task, task.last_instant + 1)))]
    if committed is None:
        ranges = coverage(task).ranges
        committed = [
            (first, min(end, task.batches_done)) for first, end in ranges if first < task.batches_done
        ]
    size = task.plan["batch_instants"]
    spans = [
        Span(utc(instant_time(task, first * size)), min(utc(instant_time(task, end * size)), task.end))
        for first, end in committed
    ]
    return join(spans)


def _of_camera(entry: dict[str, Any], done: list[Span]) -> list[Span]:
    """Of the spans a task has processed, those that one camera of its plan took part in."""
    if "segments" not in entry:
        return done
    recorded = [
        Span(utc(segment["started_at"]), utc(segment["started_at"] + segment["duration_s"]))
        for segment in entry["segments"]
    ]
    return intersect(done, join(recorded))


def _committed_ranges(task_ids: list[UUID]) -> dict[UUID, list[tuple[int, int]]]:
    """Numbers of committed batches by task, as ascending ranges [first, end)."""
    ranges: dict[UUID, list[tuple[int, int]]] = {}
    if not task_ids:
        return ranges
    with connection.cursor() as cursor:
        # within a run of consecutive numbers, number and row number grow alike
        cursor.execute(
            "SELECT task_id, min(number), max(number) + 1 FROM ("
            " SELECT task_id, number, number - row_number() OVER (PARTITION BY task_id ORDER BY number) AS run"
            " FROM tracking_batch WHERE task_id = ANY(%s)) AS numbered"
            " GROUP BY task_id, run ORDER BY task_id, min(number)",
            [task_ids],
        )
        for task_id, first, end in cursor.fetchall():
            ranges.setdefault(task_id, []).append((first, end))
    return ranges
