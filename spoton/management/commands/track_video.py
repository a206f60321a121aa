"""`manage.py track_video`: the engine on one video, without servers; writes the MOT format."""

import json
import math
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING

from django.core.management import BaseCommand, CommandError
from rich.progress import Progress

if TYPE_CHECKING:
    from workers.video import VideoReport

# of those who came back; `--ids persons` tells all
MOST_SAID = 12


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ArgumentTypeError(f"give 0 or more seconds, not {text}")
    return value


class Command(BaseCommand):
    help = "Tracks the persons in one video and writes frame,id,x,y,w,h,conf,-1,-1,-1 (zero-based frames)."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--video", required=True, type=Path)
        parser.add_argument(
            "--camera-config", type=Path, help="JSON with P, or K, R, t, or homography_image_to_map"
        )
        parser.add_argument(
            "--detector", default="auto", help="motion, yolox:PATH, yolov8:PATH, fasterrcnn[:PATH], auto"
        )
        parser.add_argument("--embedder", default="auto", help="descriptor, onnx:PATH, clip[:PATH], auto")
        parser.add_argument("--score-threshold", type=float, help="leave out detections below this score")
        parser.add_argument(
            "--memory",
            type=_seconds,
            help="seconds after which somebody who left the picture is somebody new (default: 900)",
        )
        parser.add_argument(
            "--ids",
            choices=("visits", "persons"),
            default="visits",
            help="what an id stands for: a visit (default), as MOTChallenge counts: who leaves and comes back has "
            "another, and it is said who that is; or a person, under the id of the first visit",
        )
        parser.add_argument(
            "--away",
            type=_seconds,
            help="seconds without a box after which another visit begins (default: 3)",
        )
        parser.add_argument("--out", required=True, type=Path)

    def handle(self, *, video: Path, camera_config: Path | None, out: Path, **options: object) -> None:
        from django.conf import settings

        from calibration import InvalidCalibrationError
        from workers.types import EngineError
        from workers.video import track_video

        given = {"memory_s": options["memory"], "away_s": options["away"]}
        try:
            config = json.loads(camera_config.read_text("utf-8")) if camera_config else None
            with Progress(disable=not sys.stderr.isatty()) as progress:
                job = progress.add_task("Tracking", total=None)
                report = track_video(
                    video=video,
                    camera_config=config,
                    detector=options["detector"],
                    embedder=options["embedder"],
                    score_threshold=options["score_threshold"],
                    ids=options["ids"],
                    **{name: value for name, value in given.items() if value is not None},
                    models_dir=settings.ENV.models_dir,
                    device=settings.ENV.device,
                    out=out,
                    on_progress=lambda done, total: progress.update(job, completed=done, total=total),
                )
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        except ValueError as error:
            kind = "camera config" if isinstance(error, InvalidCalibrationError) else f"{camera_config}"
            raise CommandError(f"{kind}: {error}") from error
        except EngineError as error:
            raise CommandError(str(error)) from error
        for problem in report.problems:
            where = "" if problem["frame"] is None else f"frame {problem['frame']}: "
            self.stderr.write(where + problem["message"])
        self.stdout.write(
            f"{out}: {report.frames} frames, {report.rows} boxes, {_persons(report)}; "
            f"{report.detector} ({report.detector_reason}), {report.embedder} ({report.embedder_reason}); "
            f"{report.frames_per_second:.1f} frames/s"
        )


def _persons(report: "VideoReport") -> str:
    """How many there were, and who came back."""
    again = [f"{visit.number} is {visit.person}" for visit in report.visits if visit.number != visit.person]
    persons = len(report.visits) - len(again)
    said = f"{persons} {'person' if persons == 1 else 'persons'}"
    if not again:
        return said
    more = f" and {len(again) - MOST_SAID} more" if len(again) > MOST_SAID else ""
    return f"{said} in {len(report.visits)} visits ({', '.join(again[:MOST_SAID])} again{more})"
