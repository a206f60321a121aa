"""`manage.py benchmark_step`: one step of a benchmark where services and workers run already; used by `benchmark`."""

import json
from argparse import ArgumentParser
from functools import partial

from django.core.management import BaseCommand, CommandError

from spoton.benchmark import pacing, pictures, recording, sockets
from workers.types import EngineError


class Command(BaseCommand):
    help = "Runs one step of a benchmark and prints its result as JSON."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "step", choices=(*pacing.STEPS, "recording", "pictures", "sockets-prepare", "sockets-publish")
        )
        parser.add_argument("--seconds", type=float, default=30.0)
        parser.add_argument("--detector", default="motion")
        parser.add_argument("--instants", type=int, nargs="+", default=[10, 100, 1000])
        parser.add_argument("--count", type=int, default=60)
        parser.add_argument("--task", default="")

    def handle(self, *, step: str, **options: object) -> None:
        steps = {
            **{
                name: partial(measure, options["seconds"], options["detector"])
                for name, measure in pacing.STEPS.items()
            },
            "recording": partial(recording.rows, options["instants"]),
            "pictures": partial(pictures.rows, options["count"]),
            "sockets-prepare": sockets.prepare,
            "sockets-publish": partial(sockets.publish, options["task"], options["seconds"]),
        }
        try:
            result = steps[step]()
        except EngineError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(result))
