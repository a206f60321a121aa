"""`manage.py soak`: a product of its own works for a long time; whatever grows without end fails it."""

import json
import sys
import tempfile
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path

from django.core.management import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from spoton.soak.leaks import Trend
from spoton.soak.run import run_soak, soaked_product


class Command(BaseCommand):
    help = (
        "Starts a SpotOn of its own in a temporary folder, processes a scene in real time again and again with a "
        "viewer on the sockets, and watches memory, open files, threads, connections and keys of every kind of "
        "process. Ends with status 1 when one of them grows after the warm-up (the first third)."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--minutes", type=float, default=60, help="(default: %(default)s)")
        parser.add_argument("--every", type=float, default=10, help="seconds between samples (%(default)s)")
        parser.add_argument("--seconds", type=float, default=30, help="length of the scene (%(default)s)")
        parser.add_argument("--people", type=int, default=6, help="in the scene (%(default)s)")
        parser.add_argument("--live", action="store_true", help="a live task of all cameras beside it")
        parser.add_argument("--json", type=Path, help="write the report there")

    def handle(self, *, minutes: float, every: float, live: bool, **options) -> None:
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
        with tempfile.TemporaryDirectory(prefix="spoton-soak-") as folder:
            console.print(f"Starting a SpotOn in {folder}", style="dim")
            scene = {"scene_seconds": options["seconds"], "people": options["people"]}
            with soaked_product(Path(folder), live=live, **scene) as product:
                report = run_soak(product, minutes=minutes, every_s=every, live=live, tell=console.print)
        console.print(_table(report.trends))
        if options["json"]:
            options["json"].write_text(json.dumps(asdict(report), indent=1))
        console.print(
            f"Tasks: {dict(report.tasks)}; messages to the viewer: {report.messages}; sockets closed, by code: "
            f"{report.closes}" + (f"; live frames dropped: {report.dropped}" if live else "")
        )
        if report.problems:
            raise CommandError("\n".join(report.problems))
        console.print(f"Nothing grows without end in {minutes:g} minutes.")


def _table(trends: list[Trend]) -> Table:
    table = Table(title="After the warm-up")
    for column in ("process", "measure", "first", "last", "most", "per hour", "surely", "allowed"):
        table.add_column(column, justify="left" if column in ("process", "measure") else "right")
    for trend in trends:
        numbers = (trend.first, trend.last, trend.most, trend.slope, trend.slope_at_least, trend.allowed)
        style = "red" if trend.leaks else None
        table.add_row(trend.name, trend.measure, *(f"{number:.1f}" for number in numbers), style=style)
    return table
