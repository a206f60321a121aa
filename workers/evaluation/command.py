"""The evaluate command: two files in, a table out; compares with a stored baseline."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from pathlib import Path

from workers.evaluation.formats import ONLY, TrackFile, read
from workers.evaluation.quality import Quality, evaluate
from workers.types import EngineError

DESCRIPTION = (
    "Scores tracks against ground truth: HOTA, IDF1, MOTA; per camera, across cameras, or on the map."
)
DEFAULT_IOU, DEFAULT_METRES = 0.5, 1.0
SCORES = ("hota", "deta", "assa", "idf1", "mota")
# a stored score is in per cent with this many decimals
DECIMALS = 2


def add_arguments(parser: ArgumentParser) -> None:
    formats = (
        "CSV with frame,id,x,y (metres) or frame,id,x1,y1,x2,y2 (pixels) and perhaps camera; or MOT format"
    )
    parser.add_argument("--truth", type=Path, required=True, help=formats)
    parser.add_argument("--tracks", type=Path, required=True, help="the same kind of file")
    parser.add_argument(
        "--threshold",
        type=positive,
        help=f"least IoU of boxes (default {DEFAULT_IOU}), or greatest distance in metres (default {DEFAULT_METRES})",
    )
    parser.add_argument(
        "--area",
        type=area,
        metavar="X0,Y0,X1,Y1",
        help="only map points in this rectangle (metres); --area=X0,... where X0 is negative",
    )
    parser.add_argument(
        "--json", type=Path, metavar="OUT", help="write the scores here too; serves as a baseline"
    )
    parser.add_argument(
        "--baseline", type=Path, help="fail when a score is lower than in this file of --json"
    )
    parser.add_argument(
        "--tolerance", type=positive, default=0.5, help="by how many points it may be (default %(default)s)"
    )


def run(options: Namespace) -> tuple[str, bool]:
    """The table to print, and whether nothing is worse than the baseline.

    Raises:
        EngineError: a file or the baseline cannot be used; OSError: cannot be read or written.
    """
    # read before anything is written: it may be the same file
    baseline = read_baseline(options.baseline) if options.baseline else None
    qualities = compare(read(options.truth), read(options.tracks), options.threshold, options.area)
    scores = {name: numbers(quality) for name, quality in qualities.items()}
    text = table(qualities)
    if options.json:
        options.json.write_text(json.dumps(scores, indent=1) + "\n", "utf-8")
    if baseline is None:
        return text, True
    worse = worse_than(baseline, scores, options.tolerance)
    verdict = (
        [f"Worse than {options.baseline}:", *worse] if worse else [f"Not worse than {options.baseline}."]
    )
    return "\n".join([text, "", *verdict]), not worse


def compare(
    truth: TrackFile,
    tracks: TrackFile,
    threshold: float | None = None,
    area: tuple[float, float, float, float] | None = None,
) -> dict[str, Quality]:
    """Scores by name: `map`, or `boxes`, or each camera's and those `across cameras`.

    Only the frames from the truth's first to its last count: it may cover a part of the recording.

    Raises:
        EngineError: boxes against points, other cameras, a threshold or an area that makes no sense.
    """
    if truth.kind != tracks.kind:
        raise EngineError(
            f"the truth has {truth.kind}, the tracks have {tracks.kind}: they cannot be compared"
        )
    if area is not None and truth.kind == "boxes":
        raise EngineError("an area is in metres on the map; these files have boxes in pixels")
    if not truth.cameras:
        raise EngineError("the truth has no rows")
    # a tracker that found nobody left a file of no cameras
    if tracks.cameras and (ONLY in truth.cameras) != (ONLY in tracks.cameras):
        raise EngineError("one file names cameras, the other does not")
    if strangers := sorted(set(tracks.cameras) - set(truth.cameras)):
        raise EngineError(
            f"the truth knows no camera {', '.join(strangers)}: it has {', '.join(truth.cameras)}"
        )
    if truth.kind == "boxes" and threshold is not None and threshold >= 1:
        raise EngineError(f"the least IoU must be below 1, got {threshold}")
    most = threshold or DEFAULT_METRES if truth.kind == "points" else 1 - (threshold or DEFAULT_IOU)
    first, last = min(truth.frame_numbers()), max(truth.frame_numbers())
    truth, tracks = (each.within(first, last, area) for each in (truth, tracks))

    def score(name: str | None) -> Quality:
        sides = [each.frames() if name is None else each.cameras.get(name, {}) for each in (truth, tracks)]
        return evaluate(*sides, most=most, kind=truth.kind)

    if ONLY in truth.cameras:
        return {"map" if truth.kind == "points" else "boxes": score(ONLY)}
    return {**{camera: score(camera) for camera in sorted(truth.cameras)}, "across cameras": score(None)}


def numbers(quality: Quality) -> dict[str, float]:
    """What is stored: scores in per cent, and the errors' counts."""
    parts = quality.higher_order
    values = dict(zip(SCORES, (parts.hota, parts.deta, parts.assa, quality.idf1, quality.mota), strict=True))
    counts = {name: getattr(quality, name) for name in ("misses", "false_positives", "switches", "truths")}
    return {**{name: round(100 * value, DECIMALS) for name, value in values.items()}, **counts}


def table(qualities: Mapping[str, Quality]) -> str:
    head = f"{'':16}" + "".join(f"{name:>7}" for name in ("HOTA", "DetA", "AssA", "IDF1", "MOTA"))
    lines = [head + f"{'missed':>9}{'false':>8}{'switches':>10}{'truth':>8}"]
    for name, quality in qualities.items():
        values = numbers(quality)
        counts = f"{quality.misses:9}{quality.false_positives:8}{quality.switches:10}{quality.truths:8}"
        lines.append(f"{name:16}" + "".join(f"{values[score]:7.1f}" for score in SCORES) + counts)
    return "\n".join(lines)


def worse_than(
    baseline: Mapping[str, Mapping[str, float]], scores: Mapping[str, Mapping[str, float]], tolerance: float
) -> list[str]:
    """One line for every score that is more than `tolerance` points below the baseline's, or is gone."""
    worse = []
    for name, before in baseline.items():
        for score in SCORES:
            now = scores.get(name, {}).get(score)
            if now is None:
                worse.append(f"{name}: {score.upper()} was {before[score]:.1f}, there is none now")
            elif now < before[score] - tolerance:
                worse.append(f"{name}: {score.upper()} was {before[score]:.1f}, is {now:.1f}")
    return worse


def read_baseline(path: Path) -> dict[str, dict[str, float]]:
    """Raises EngineError when the file was not written by `--json`."""
    try:
        stored = json.loads(path.read_text("utf-8"))
        scores = {name: {score: float(values[score]) for score in SCORES} for name, values in stored.items()}
        if not scores:
            raise ValueError("no scores")
        return scores
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise EngineError(f"{path}: not a baseline written by --json: {error!r}") from error


def positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"must be above 0, got {text}")
    return value


def area(text: str) -> tuple[float, float, float, float]:
    """x0,y0,x1,y1 in metres."""
    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not x0,y0,x1,y1") from None
    if not (x0 < x1 and y0 < y1):
        raise ArgumentTypeError(f"x0,y0 must be below x1,y1, got {text}")
    return x0, y0, x1, y1
