"""How long association takes for many people and cameras: milliseconds per synchronised instant."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from workers.benchmark.crowd import FPS, START_S, Crowd, grid
from workers.benchmark.report import Report
from workers.tracking import MultiCameraTracker, warm

PEOPLE, CAMERAS = (10, 100, 1000), (4, 16, 64)
BATCH = 10


def association(
    people: Sequence[int] = PEOPLE,
    cameras: Sequence[int] = CAMERAS,
    seconds: float = 2.0,
    settle_s: float = 1.0,
) -> Report:
    """Everybody has the same room, so more people fill a larger square; the cameras share it.

    Args:
        seconds: of a run; `settle_s`: so much of it is not measured, while everybody is new.
    """
    warm()
    rows = []
    for number in people:
        crowd = Crowd(number)
        for count in cameras:
            boxes, ms = _run(crowd, count, seconds, settle_s)
            rows.append(
                {
                    "people": number,
                    "cameras": count,
                    "boxes per instant": round(boxes, 1),
                    "ms per instant": round(ms, 2),
                    "ms per 100 people": round(100 * ms / number, 1),
                    "µs per box": round(1e3 * ms / max(boxes, 1e-9), 0),
                }
            )
    return Report(
        "Association: processor time per synchronised instant, 512-d embeddings",
        rows,
        goal="growth close to linear in people",
    )


def _run(crowd: Crowd, count: int, seconds: float, settle_s: float) -> tuple[float, float]:
    """Boxes and milliseconds of processor time per instant."""
    views = grid(count, crowd.side_m)
    tracker = MultiCameraTracker(views)
    spent, boxes, measured = 0.0, 0, 0
    for number, first in enumerate(range(0, round(seconds * FPS), BATCH)):
        instants = range(first, first + BATCH)
        observed = [crowd.observed(view, number, instants) for view in views]
        begun = time.process_time()
        tracker.process(observed, instants, [START_S + i / FPS for i in instants])
        if first >= settle_s * FPS:
            spent += time.process_time() - begun
            boxes += int(sum(np.sum(o.counts) for o in observed))
            measured += len(instants)
    return boxes / measured, 1e3 * spent / measured
