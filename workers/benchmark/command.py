"""The engine's benchmarks by name, and the command line that runs them.

python -m workers.benchmark [NAME ...] [--json FILE] [--quick] [--models-dir FOLDER] [--video FILE --truth CSV]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from workers.benchmark.association import association
from workers.benchmark.detectors import detectors
from workers.benchmark.gallery import gallery
from workers.benchmark.gpu import gpu
from workers.benchmark.mapping import mapping
from workers.benchmark.overhead import overhead
from workers.benchmark.perceiving import perceiving
from workers.benchmark.report import Report, show, write_json
from workers.benchmark.scaling import scaling
from workers.types import EngineError


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        quick: small sizes, for a first look.
        models_dir: weights; without them networks are random.
        video, truth: footage, and a CSV with frame, x1, y1, x2, y2: what a faster network costs in accuracy.
    """

    quick: bool = False
    models_dir: Path | None = None
    video: Path | None = None
    truth: Path | None = None


def _association(options: Options) -> Report:
    return association((10, 100), (4, 16), seconds=2.0, settle_s=1.0) if options.quick else association()


def _gallery(options: Options) -> Report:
    return gallery((1000, 10_000), queries=100) if options.quick else gallery()


def _overhead(options: Options) -> Report:
    return overhead(batches=2 if options.quick else 8, models_dir=options.models_dir)


def _detectors(options: Options) -> Report:
    return detectors(
        models_dir=options.models_dir,
        video=options.video,
        truth=options.truth,
        repeats=2 if options.quick else 10,
        frames=100 if options.quick else 400,
        torch=not options.quick,
    )


BENCHMARKS: Mapping[str, Callable[[Options], Report]] = {
    "overhead": _overhead,
    "association": _association,
    "gallery": _gallery,
    "scaling": lambda options: scaling((1, 4, 10) if options.quick else (1, 4, 10, 100, 1000)),
    "mapping": lambda options: mapping(100_000 if options.quick else 1_000_000),
    "perceiving": lambda options: perceiving(1 if options.quick else 5, options.models_dir),
    "detectors": _detectors,
    "gpu": lambda options: gpu(options.models_dir, repeats=3 if options.quick else 20),
}


def add_arguments(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """The arguments of this command and of `manage.py benchmark`."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(names)}; all of them without a name"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures, machine and versions here"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, for a first look")
    parser.add_argument("--models-dir", type=Path, metavar="FOLDER", help="weights; without: random ones")
    parser.add_argument("--video", type=Path, help="footage that the detectors are tried on")
    parser.add_argument("--truth", type=Path, help="its true boxes: CSV with frame, x1, y1, x2, y2")


def run(
    names: Sequence[str],
    benchmarks: Mapping[str, Callable[[Options], Report]],
    options: Options,
    console: Console,
) -> list[Report]:
    """Run the named benchmarks, all without a name, and print each as soon as it is done.

    Raises:
        EngineError: there is no such benchmark.
    """
    for name in names:
        if name not in benchmarks:
            raise EngineError(f"There is no benchmark {name!r}. Choose from: {', '.join(benchmarks)}.")
    reports = []
    for name in names or benchmarks:
        try:
            report = benchmarks[name](options)
        except EngineError as error:
            report = Report(name.capitalize(), note=str(error))
        show([report], console)
        reports.append(report)
    return reports


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m workers.benchmark", description="How fast the engine is here."
    )
    add_arguments(parser, list(BENCHMARKS))
    given = parser.parse_args(arguments)
    options = Options(given.quick, given.models_dir, given.video, given.truth)
    try:
        reports = run(given.names, BENCHMARKS, options, Console(width=None if sys.stdout.isatty() else 120))
    except EngineError as error:
        parser.error(str(error))
    if given.json:
        write_json(given.json, reports)
