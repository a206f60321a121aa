"""A recorded task as fast as possible, against one process that only decodes and detects the same frames."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
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
                    runs[count].append(
                        {**run, "cores": (instance.processor_seconds() - before) / run["seconds"]}
                    )
    base = min(plain, key=lambda run: run["seconds"])
    base_fps = base["frames"] / base["seconds"]
    rows = [{"what": "plain loop: decode and detect", "frames per second": base_fps, "cores used": 1.0}]
    for count in workers:
        run = min(runs[count], key=lambda run: run["seconds"])
        fps = run["frames"] / run["seconds"]
        rows.append(
            {
                "what": f"SpotOn, {count} perceive worker{'s' * (count > 1)}",
                "frames per second": fps,
                "cores used": run["cores"],
                "ratio": fps / base_fps,
                "ratio per perceive worker": fps / base_fps / count,
                "ratio per core used": fps / base_fps / run["cores"],
            }
        )
    return Report(
        f"Recorded, pacing max: 4 cameras of 640x360, {seconds:g} s, {PEOPLE} people, {detector}",
        rows,
        goal="ratio 0.9 per core, twice with two workers",
        note="SpotOn also embeds, associates, records and publishes",
    )


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
    models = {camera.slug: camera.model() for camera in demo.site(SITE).cameras.all()}
    frames, begun = 0, time.perf_counter()
    for name, path in made.videos.items():
        source = open_source(str(path), policy=policy)
        view = None
        if needs_background(detector):
            view = ViewContext(models[name], background_of(source, made.duration_s, 0.0))
        finder = build_detector(detector, view=view, models_dir=settings.ENV.models_dir)
        chunk = []
        for frame in source.frames(0.0, made.duration_s):
            chunk.append(frame.image)
            if len(chunk) == DETECT_AT_ONCE:
                finder.detect(chunk)
                frames, chunk = frames + len(chunk), []
        finder.detect(chunk)
        frames += len(chunk)
        source.close()
    return {"frames": frames, "seconds": time.perf_counter() - begun}


STEPS = {"scene": scene, "task": task, "plain": plain}


def _config(seconds: float):
    return demo.variant(SITE, seconds=seconds, people=PEOPLE)
