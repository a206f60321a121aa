"""`manage.py chaos`: a product of its own is disturbed at random; its rows must stay the same."""

import json
import shutil
import sys
import tempfile
from argparse import ArgumentParser
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from statistics import median

from django.core.management import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from spoton.chaos.disturbances import DISTURBANCES
from spoton.chaos.run import Chaos, Done, Report
from spoton.product import Product


class Command(BaseCommand):
    help = (
        "Starts a SpotOn of its own in a temporary folder, processes a scene undisturbed, then again and again "
        "while processes are killed, stores restarted, messages duplicated and delayed, and compares all rows "
        "byte for byte. Ends with status 1 at the first difference."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=1, help="of the schedule (default: %(default)s)")
        parser.add_argument("--minutes", type=float, default=0, help="go on for so long; 0: each kind once")
        parser.add_argument("--seconds", type=float, default=20, help="length of the scene (%(default)s)")
        parser.add_argument("--people", type=int, default=6, help="in the scene (%(default)s)")
        parser.add_argument("--every", type=float, default=4, help="mean seconds between two (%(default)s)")
        parser.add_argument("--pacing", choices=("max", "realtime"), default="max")
        parser.add_argument(
            "--only", action="append", choices=tuple(DISTURBANCES), help="may be given more than once"
        )
        parser.add_argument("--json", type=Path, help="write the report there")
        parser.add_argument("--log", type=Path, help="copy what the product said there")

    def handle(self, *, seed: int, minutes: float, only: list[str] | None, **options) -> None:
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
        with tempfile.TemporaryDirectory(prefix="spoton-chaos-") as folder:
            console.print(f"Starting a SpotOn in {folder}", style="dim")
            with Product(Path(folder), scene_seconds=options["seconds"], people=options["people"]) as product:
                chaos = Chaos(
                    product,
                    seed=seed,
                    kinds=only or tuple(DISTURBANCES),
                    every_s=options["every"],
                    pacing=options["pacing"],
                    tell=console.print,
                )
                report = chaos.run(minutes=minutes)
                log_end = product.log_end()
                if options["log"]:
                    shutil.copy(product.log, options["log"])
        if options["json"]:
            options["json"].write_text(json.dumps(asdict(report), indent=1))
        console.print(_table(report.done))
        if report.problems:
            console.print(log_end, style="dim")
            raise CommandError("\n".join(["NOT the same:", *report.problems]))
        console.print(_verdict(report))


def _table(done: list[Done]) -> Table:
    table = Table(title="Longest pause between two batches until the next disturbance")
    for column in ("disturbance", "times", "median s", "most s"):
        table.add_column(column, justify="left" if column == "disturbance" else "right")
    pauses = defaultdict(list)
    for one in done:
        pauses[one.name].append(one.pause_s)
    for name, seconds in sorted(pauses.items()):
        table.add_row(name, str(len(seconds)), f"{median(seconds):.1f}", f"{max(seconds):.1f}")
    return table


def _verdict(report: Report) -> str:
    return (
        f"The same rows, byte for byte, in {len(report.tasks) - 1} disturbed tasks "
        f"after {len(report.done)} disturbances (seed {report.seed})."
    )
