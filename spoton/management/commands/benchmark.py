"""`manage.py benchmark`: how fast SpotOn is on this machine."""

import sys
from argparse import ArgumentParser

from django.core.management import BaseCommand, CommandError
from rich.console import Console

from spoton.benchmark.live import live
from spoton.benchmark.matching import matching
from spoton.benchmark.pacing import pacing
from spoton.benchmark.pictures import pictures
from spoton.benchmark.recording import recording
from spoton.benchmark.rendered import SCENES
from spoton.benchmark.scenes import scenes
from spoton.benchmark.sockets import sockets
from workers.benchmark.command import BENCHMARKS, Options, add_arguments, run
from workers.benchmark.report import write_json
from workers.types import EngineError

PRODUCT = {
    "live": lambda options: live(seconds=20.0 if options.quick else 600.0),
    "recording": lambda options: recording((10, 100) if options.quick else (10, 100, 1000)),
    "pictures": lambda options: pictures(10 if options.quick else 60),
    "sockets": lambda options: sockets(4.0 if options.quick else 30.0),
    "matching": lambda options: matching(SCENES[:1] if options.quick else SCENES, options.models_dir),
    "scenes": lambda options: scenes(SCENES[:1] if options.quick else SCENES, options.models_dir),
    "pacing": lambda options: pacing(seconds=8.0, repeats=1) if options.quick else pacing(),
}
ALL = {**BENCHMARKS, **PRODUCT}


class Command(BaseCommand):
    help = (
        "Measures the engine, as `python -m workers.benchmark` does, and what needs the product, in a database and "
        "with workers of its own."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser, list(ALL))

    def handle(self, *, names: list[str], **given: object) -> None:
        options = Options(given["quick"], given["models_dir"], given["video"], given["truth"])
        try:
            reports = run(names, ALL, options, Console(width=None if sys.stdout.isatty() else 120))
        except EngineError as error:
            raise CommandError(str(error)) from error
        if given["json"]:
            write_json(given["json"], reports)
