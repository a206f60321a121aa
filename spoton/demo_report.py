"""What the demo prints: quality against the scene's truth, latency per stage, rows, where to look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from rich.table import Table

from fixtures.scene import Scene, load_truth, load_truth_map
from tracking.models import Appearance, Batch, Detection, Person, Position, ProcessingTask, Trajectory
from tracking.selectors import stage_times
from workers.evaluation import Quality
from workers.scene_scores import camera_scores, map_score

STAGES = ("queue", "decode", "detect", "embed", "associate", "record")


def quality(task: ProcessingTask, scene: Scene) -> dict[str, Quality]:
    """Scores per camera, across cameras, and on the map: as shown live, and as corrected by the following second."""
    truth = load_truth(scene.truth_path)
    names = {entry["camera_id"]: entry["camera"] for entry in task.plan["cameras"]}
    rows = Detection.objects.filter(task=task).order_by("instant", "camera_id", "track_id")
    detections = [
        (d.instant, names[d.camera_id], d.person_id, (d.x1, d.y1, d.x2, d.y2)) for d in rows.iterator()
    ]
    per_camera, across = camera_scores(truth, detections, task.cameras)
    frames, persons, points = load_truth_map(scene.truth_map_path)
    on_map = list(zip(frames.tolist(), persons.tolist(), points[:, 0], points[:, 1], strict=True))
    positions = Position.objects.filter(task=task).order_by("instant", "person_id")
    live = [(p.instant, p.person_id, p.x_m, p.y_m) for p in positions.iterator()]
    corrected = [
        (instant, path.person_id, x, y)
        for path in Trajectory.objects.filter(task=task).order_by("started_at", "origin_id").iterator()
        for instant, x, y in zip(path.instants, path.x_m, path.y_m, strict=True)
    ]
    return {
        **per_camera,
        "across cameras": across,
        "map, live (1 m)": map_score(on_map, live),
        "map, trajectories (1 m)": map_score(on_map, corrected),
    }


def report_tables(task: ProcessingTask, scene: Scene, *, elapsed_s: float, notices: int) -> Iterator[Table]:
    """The demo's report as tables for the terminal."""
    batches = list(Batch.objects.filter(task=task).order_by("number"))
    yield _run(task, scene, batches, elapsed_s)
    yield _quality(task, scene)
    yield _latency(batches)
    yield _rows(task, notices)


def _run(task: ProcessingTask, scene: Scene, batches: list[Batch], elapsed_s: float) -> Table:
    frames = sum(report["frames"] for batch in batches for report in batch.cameras.values())
    table = Table(title=f"Demo {scene.environment}", show_header=False, title_justify="left")
    table.add_row("Frames", f"{frames} of {len(task.cameras)} cameras, {frames / elapsed_s:.0f} per second")
    table.add_row("Time", f"{elapsed_s:.1f} s for {scene.duration_s:.0f} s of footage")
    found = Appearance.objects.filter(task=task).count()
    table.add_row("People", f"{scene.config.people} in the scene, {found} identities found")
    for what in ("detector", "embedder"):
        choice = task.choices[what]
        table.add_row(what.capitalize(), f"{choice['chosen']}: {choice['reason']}")
    return table


def _quality(task: ProcessingTask, scene: Scene) -> Table:
    table = Table(title="Against the scene's truth", title_justify="left")
    for column in ("", "IDF1", "MOTA", "missed", "false", "switches", "truth"):
        table.add_column(column, justify="left" if column == "" else "right")
    for name, q in quality(task, scene).items():
        counts = (q.misses, q.false_positives, q.switches, q.truths)
        table.add_row(name, f"{100 * q.idf1:.1f}", f"{100 * q.mota:.1f}", *map(str, counts))
    return table


def _latency(batches: list[Batch]) -> Table:
    table = Table(title="Latency per stage, ms per frame (queue: per batch)", title_justify="left")
    for column in ("stage", "median", "p95"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    times: dict[str, Any] = stage_times(batches)
    for stage in STAGES:
        if stage in times:
            table.add_row(stage, f"{times[stage]['median_ms']:.2f}", f"{times[stage]['p95_ms']:.2f}")
    return table


def _rows(task: ProcessingTask, notices: int) -> Table:
    table = Table(title="Stored", show_header=False, title_justify="left")
    for name, model in (("Detections", Detection), ("Positions", Position), ("Trajectories", Trajectory)):
        table.add_row(name, str(model.objects.filter(task=task).count()))
    table.add_row("Persons", str(Person.objects.filter(detections__task=task).distinct().count()))
    table.add_row("Notices", f"{notices} of {task.batches_total} batches heard as they were recorded")
    table.add_row("Task", str(task.pk))
    table.add_row(
        "Look", f"`make run` and open the console; footage and data are under {settings.ENV.var_dir}"
    )
    return table
