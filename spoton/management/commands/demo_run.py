"""`manage.py demo_run`: one demo task on workers that already run, and its report. `manage.py demo` does it all."""

import asyncio
import sys
import time
from argparse import ArgumentParser

from django.core.management import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from environments.notices import hearing
from fixtures.scene import SceneConfigError
from spoton import demo
from spoton.demo_report import report_tables
from spoton.sites import scene_end
from tracking.models import ProcessingTask
from tracking.publish import group_of
from tracking.services import task_start
from tracking.stores import STORES_AWAY, brief

# without any progress for this long something is broken beyond repair
PATIENCE_SECONDS = 180


class Command(BaseCommand):
    help = "Processes the demo campus once and prints a report."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--only-prepare", action="store_true")
        parser.add_argument("--seconds", type=float)
        parser.add_argument("--people", type=int)
        parser.add_argument("--seed", type=int)
        parser.add_argument("--environment", default=demo.FIRST, choices=(demo.FIRST, demo.SECOND))
        parser.add_argument("--detector", default="auto")
        parser.add_argument("--embedder", default="auto")

    def handle(
        self, *, only_prepare: bool, seconds: float | None, people: int | None, **options: object
    ) -> None:
        slug = options["environment"]
        try:
            config = demo.variant(slug, seconds=seconds, people=people, seed=options["seed"])
        except SceneConfigError as error:
            raise CommandError(str(error)) from error
        scene = demo.setup(slug, config)
        if only_prepare:
            return
        task = task_start(
            user=demo.user_ensure(),
            environment=demo.site(slug),
            start=scene.started_at,
            end=scene_end(scene),
            pacing=ProcessingTask.Pacing.MAX,
            detector=options["detector"],
            embedder=options["embedder"],
        )
        begun = time.monotonic()
        try:
            notices = asyncio.run(follow(str(task.pk)))
        except STORES_AWAY as error:
            raise CommandError(f"PostgreSQL or Redis went away; the task goes on. {brief(error)}") from error
        task.refresh_from_db()
        if task.status != ProcessingTask.Status.COMPLETED:
            raise CommandError(f"The task ended as {task.status}: {task.error_message or 'no progress'}")
        console = Console(width=None if sys.stdout.isatty() else 110)
        for table in report_tables(task, scene, elapsed_s=time.monotonic() - begun, notices=notices):
            console.print(table, highlight=False)


async def follow(task_id: str) -> int:
    """Wait for the task's end by its notices; how many batches were announced."""
    count, moved = 0, time.monotonic()
    async with hearing(group_of(task_id)) as notices:
        with Progress(disable=not sys.stdout.isatty()) as progress:
            job = progress.add_task("Processing", total=None)
            async for notice in notices:
                if notice is not None:
                    moved = time.monotonic()
                    count += notice["type"] == "batch.committed"
                task = await ProcessingTask.objects.aget(pk=task_id)
                progress.update(job, completed=task.batches_done, total=task.batches_total)
                if task.status in ProcessingTask.FINAL or time.monotonic() - moved > PATIENCE_SECONDS:
                    break
    return count
