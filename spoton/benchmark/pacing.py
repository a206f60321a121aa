"""A recorded task as fast as possible, against one process that only decodes and detects the same frames."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import cv2
from django.conf import settings

from spoton import demo
from spoton.benchmark.instance import Instance
from spoton.management.commands.demo_run import follow
from spoton.sites import scene_end
from tracking.models import Batch, ProcessingTask
from tracking.services import task_start
from workers.benchmark.report import Report
from workers.detection import ViewContext, build_detector, needs_background
from workers.perceive import DETECT_AT_ONCE, background_of
from workers.sources import SourcePolicy, open_source
from workers.types import EngineError

SITE, PEOPLE = "campus", 10


def pacing(
    workers: Sequence[int] = (1, 2), seconds: float = 30.0, detector: str = "motion", repeats: int = 2
) -> Report:
    """Runs in turns in an instance of its own; the best of each counts.

    Args:
        workers: numbers of perceive workers; seconds: of a rendered scene of four cameras.
    """
    step = ("--seconds", str(seconds), "--detector", detector)
    runs: dict[int, list[dict[str, float]]] = {count: [] for count in workers}
    plain = []
    with Instance() as instance:
        instance.measure("scene", *step)
        for _ in range(repeats):
            plain.append(instance.measure("plain", *step))
            for count in workers:
                with instance.workers(count):
                    instance.measure("task", *step)  # loads models and compiled code
                    before = instance.processor_seconds()
                    run = instance.measure("task", *step)
                    spent = instance.processor_seconds() - before
                    runs[count].append({**run, "processor_s": spent})
    base = _best(plain)
    rows = [_row("plain loop: decode and detect", base)]
    for count in workers:
        run = _best(runs[count])
        whole = {
            "ratio": _fps(run) / _fps(base),
            "ratio by processor time": _ms(base) / _ms(run),
        }
        rows.append(_row(f"SpotOn, perceive workers: {count}", run) | whole)
    return Report(
        f"Recorded, pacing max: 4 cameras of 640x360, {seconds:g} s, {PEOPLE} people, {detector}",
        rows,
        goal="ratio 0.9 for each core used, twice with two workers",
        note="SpotOn also embeds, associates, records, publishes. By processor time: frames per second of any core",
    )


def _best(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """The least of each figure: other load on the machine only adds."""
    return {name: min(run[name] for run in runs) for name in runs[0]}


def _fps(run: dict[str, float]) -> float:
    return run["frames"] / run["seconds"]


def _ms(run: dict[str, float]) -> float:
    return 1e3 * run["processor_s"] / run["frames"]


def _row(what: str, run: dict[str, float]) -> dict[str, Any]:
    return {"what": what, "frames per second": _fps(run), "processor ms per frame": _ms(run)}


# -- steps, each in a process of its own: `manage.py benchmark_step` -------------------------------------------


def scene(seconds: float, detector: str) -> dict[str, Any]:
    """Render the scene and register it."""
    made = demo.setup(SITE, _config(seconds))
    return {"frames": made.frame_count}


def task(seconds: float, detector: str) -> dict[str, Any]:
    """Frames and seconds of a whole task on the workers that run."""
    made = demo.setup(SITE, _config(seconds))
    started = task_start(
        user=demo.user_ensure(),
        environment=demo.site(SITE),
        start=made.started_at,
        end=scene_end(made),
        pacing=ProcessingTask.Pacing.MAX,
        detector=detector,
        embedder="descriptor",
    )
    asyncio.run(follow(str(started.pk)))
    started.refresh_from_db()
    if started.status != ProcessingTask.Status.COMPLETED:
        raise EngineError(f"the task ended as {started.status}: {started.error_message or 'no progress'}")
    batches = Batch.objects.filter(task=started)
    frames = sum(report["frames"] for batch in batches for report in batch.cameras.values())
    return {"frames": frames, "seconds": (started.finished_at - started.started_at).total_seconds()}


def plain(seconds: float, detector: str) -> dict[str, Any]:
    """Frames and seconds of a loop over the same recordings with the same decoder and detector."""
    cv2.setNumThreads(1)
    made = demo.setup(SITE, _config(seconds))
    policy = SourcePolicy(allowed_roots=(settings.ENV.footage_dir,))
    models = {camera.slug: camera.model for camera in demo.site(SITE).cameras.all()}
    sources = {name: open_source(str(path), policy=policy) for name, path in made.videos.items()}
    finders = {}
    for name, source in sources.items():
        view = None
        if needs_background(detector):
            # learned beforehand: in the product, too, a recording that was processed before has it
            view = ViewContext(models[name], background_of(source, made.duration_s, 0.0))
        finders[name] = build_detector(detector, view=view, models_dir=settings.ENV.models_dir)
    frames, begun, used = 0, time.perf_counter(), time.process_time()
    for name, source in sources.items():
        chunk = []
        for frame in source.frames(0.0, made.duration_s):
            chunk.append(frame.image)
            if len(chunk) == DETECT_AT_ONCE:
                finders[name].detect(chunk)
                frames, chunk = frames + len(chunk), []
        finders[name].detect(chunk)
        frames += len(chunk)
    return {
        "frames": frames,
        "seconds": time.perf_counter() - begun,
        "processor_s": time.process_time() - used,
    }


STEPS = {"scene": scene, "task": task, "plain": plain}


def _config(seconds: float):
    return demo.variant(SITE, seconds=seconds, people=PEOPLE)
