"""`manage.py add_recording campus c01 FILE --start 2026-01-05T09:00:00Z`: register footage of a camera."""

from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path

from django.core.management import BaseCommand, CommandError

from environments.errors import DomainError
from environments.models import Camera
from environments.services import recording_register


class Command(BaseCommand):
    help = "Registers a video file or a folder of images as a recording; its length is read from it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("environment")
        parser.add_argument("camera")
        parser.add_argument("source", help="path of a video file, or of a folder of images (?fps=10)")
        parser.add_argument(
            "--start", required=True, help="capture time of the first frame, ISO 8601 with zone"
        )

    def handle(self, *, environment: str, camera: str, source: str, start: str, **options: object) -> None:
        from workers.sources import open_source
        from workers.tasks import source_policy
        from workers.types import EngineError

        found = Camera.objects.filter(environment__slug=environment, slug=camera).first()
        if found is None:
            raise CommandError(f"There is no camera {camera} in {environment}.")
        # workers run elsewhere: what is relative to here means nothing to them
        path, query, options_of = source.partition("?")
        source = str(Path(path).resolve()) + query + options_of
        try:
            started_at = datetime.fromisoformat(start)
            with open_source(source, policy=source_policy()) as opened:
                info = opened.info
                if info.duration_s is None:
                    raise CommandError("This is a live source; set it as the camera's live address instead.")
            recording = recording_register(
                camera=found,
                uri=source,
                started_at=started_at,
                duration_s=info.duration_s,
                fps=info.fps,
                frame_count=info.frame_count,
                image_size=info.image_size,
            )
        except ValueError as error:
            raise CommandError(f"--start: {error}") from error
        except (DomainError, EngineError) as error:
            raise CommandError(getattr(error, "message", str(error))) from error
        self.stdout.write(f"{recording}: {info.duration_s:.1f} s, {info.fps:g} fps, {info.image_size}")
