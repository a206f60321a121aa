"""How good the tracker is on detections from a file: the mean of runs that each leave out another few per cent.

    python -m workers.evaluation.repeated --cameras CAMERAS.json --detections DETECTIONS.csv --truth TRUTH.csv --fps 4
        [--area X0,Y0,X1,Y1] [--threshold METRES] [--runs 8] [--drop 0.02] [--lag SECONDS] [--set NAME=VALUE ...]

In a crowd a single run says little: one swap early on costs several points. `--set` changes a tracker setting, to find
out what it is worth.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from workers.detections import track_detections
from workers.evaluation.command import area, compare, positive
from workers.evaluation.formats import read
from workers.tracking.settings import TrackerSettings
from workers.types import EngineError


def changed(settings: TrackerSettings, changes: list[str]) -> TrackerSettings:
    """Settings with some `NAME=VALUE` changes.

    Raises:
        EngineError: no such setting, or a value that it cannot have.
    """
    kinds = {field.name: type(getattr(settings, field.name)) for field in fields(settings)}
    values = {}
    for change in changes:
        name, _, value = change.partition("=")
        if name not in kinds:
            raise EngineError(f"no setting {name!r}; there are {', '.join(kinds)}")
        try:
            values[name] = kinds[name](value)
        except ValueError as error:
            raise EngineError(f"{name}: {error}") from error
    try:
        return replace(settings, **values)
    except ValueError as error:
        raise EngineError(str(error)) from error


def main(arguments: list[str] | None = None) -> str:
    """The line to print.

    Raises:
        EngineError, OSError: a file or a setting cannot be used.
    """
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("cameras", "detections", "truth"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--fps", type=positive, required=True)
    parser.add_argument("--area", type=area)
    parser.add_argument("--threshold", type=positive, default=0.5)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--drop", type=float, default=0.02)
    parser.add_argument("--lag", type=float, default=1.0)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        raise EngineError(f"--runs must be at least 1, got {options.runs}")
    if not 0 <= options.drop <= 1:
        raise EngineError(f"--drop is a share between 0 and 1, got {options.drop}")
    if not options.lag >= 0:
        raise EngineError(f"--lag must not be negative, got {options.lag}")
    settings = changed(TrackerSettings(), options.set)
    truth, scores = read(options.truth), []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "tracks.csv"
        for seed in range(1, options.runs + 1):
            done = track_detections(
                cameras=options.cameras, detections=options.detections, fps=options.fps, out=out, area=options.area,
                lag_s=options.lag, settings=settings, drop=options.drop, seed=seed,
            )  # fmt: skip
            quality = compare(truth, read(out), options.threshold)["map"]
            scores.append([100 * quality.mota, 100 * quality.idf1, quality.switches, done.ms_per_frame])
    mota, idf1, switches, _ = np.mean(scores, 0)
    spread = np.std([row[1] for row in scores])
    ms = min(row[3] for row in scores)
    return (
        f"MOTA {mota:.1f}  IDF1 {idf1:.1f} (+-{spread:.1f})  switches {switches:.1f}  {ms:.1f} ms per frame"
    )


if __name__ == "__main__":
    try:
        print(main())
    except (EngineError, OSError) as error:
        sys.exit(str(error))
