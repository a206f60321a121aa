"""`manage.py track_detections`: identities on the map from detections in a file, without servers."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.management import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Tracks detections of calibrated cameras on the map and writes frame,id,x,y (metres)."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        from workers.evaluation.command import area

        parser.add_argument(
            "--cameras",
            required=True,
            type=Path,
            help='JSON: {"cameras": {name: {"P": 3x4}}, "image_size": [w, h]}',
        )
        parser.add_argument(
            "--detections", required=True, type=Path, help="CSV: frame,camera,x1,y1,x2,y2[,score][,embedding]"
        )
        parser.add_argument("--fps", required=True, type=float, help="frames per second of the detections")
        parser.add_argument(
            "--area", type=area, metavar="X0,Y0,X1,Y1", help="metres; leave out what is outside"
        )
        parser.add_argument(
            "--lag", type=float, default=1.0, metavar="SECONDS",
            help="correct positions by what the next seconds show; 0 writes what was known at once (default 1)",
        )  # fmt: skip
        parser.add_argument("--out", required=True, type=Path)

    def handle(self, *, cameras: Path, detections: Path, out: Path, **options: object) -> None:
        from workers.detections import track_detections
        from workers.types import EngineError

        try:
            done = track_detections(
                cameras=cameras, detections=detections, fps=options["fps"], area=options["area"],
                lag_s=options["lag"], out=out,
            )  # fmt: skip
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        except (EngineError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{out}: {done.frames} frames, {done.rows} positions, {done.persons} persons, "
            f"{done.ms_per_frame:.1f} ms per frame"
        )
