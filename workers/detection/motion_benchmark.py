"""How well and how fast the motion detector works on a recording with known boxes.

python -m workers.detection.motion_benchmark --video FILE --camera JSON --truth CSV [--frames 200:400]
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from calibration import CameraModel
from workers.detection.background import BackgroundModel, background_sample_times, learn_background
from workers.detection.motion import MotionDetector
from workers.types import Detections, EngineError


@dataclass(frozen=True)
class Measurement:
    """Detections against truth, over some frames.

    Attributes:
        found, missed, wrong: persons matched, not matched, and boxes that match nobody.
        overlap: mean intersection over union of matched boxes.
        ms_per_frame: mean processor time of `detect`; other load on the machine does not count.
    """

    found: int
    missed: int
    wrong: int
    overlap: float
    ms_per_frame: float

    @property
    def recall(self) -> float:
        return self.found / max(1, self.found + self.missed)

    @property
    def precision(self) -> float:
        return self.found / max(1, self.found + self.wrong)


def read_truth(path: Path) -> dict[int, np.ndarray]:
    """Frame number to (n, 4) boxes, from CSV with columns frame, x1, y1, x2, y2."""
    boxes: dict[int, list[list[float]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            boxes.setdefault(int(row["frame"]), []).append([float(row[k]) for k in ("x1", "y1", "x2", "y2")])
    return {frame: np.array(rows) for frame, rows in boxes.items()}


def read_frames(path: Path) -> tuple[list[np.ndarray], float]:
    """All frames of a video, uint8 BGR, and its nominal frames per second."""
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise EngineError(f"cannot open {path}")
    frames: list[np.ndarray] = []
    while True:
        ok, frame = video.read()
        if not ok:
            return frames, video.get(cv2.CAP_PROP_FPS)
        frames.append(frame)


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, m) intersection over union of (n, 4) and (m, 4) xyxy boxes."""
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    area_a, area_b = (np.prod(c[:, 2:] - c[:, :2], axis=1) for c in (a, b))
    return shared / np.maximum(area_a[:, None] + area_b - shared, 1e-9)


def measure(
    detector: MotionDetector,
    frames: Mapping[int, np.ndarray],
    truth: Mapping[int, np.ndarray],
    min_overlap: float = 0.5,
) -> Measurement:
    """Detect in every frame and match one to one with the truth at `min_overlap`."""
    found = missed = wrong = 0
    total_overlap = seconds = 0.0
    for number, image in frames.items():
        started = time.process_time()
        detections: Detections = detector.detect([image])[0]
        seconds += time.process_time() - started
        expected = truth.get(number, np.empty((0, 4)))
        iou = overlaps(detections.boxes_px, expected)
        iou[iou < min_overlap] = 0
        rows, columns = linear_sum_assignment(-iou)
        matched = iou[rows, columns][iou[rows, columns] > 0]
        found += len(matched)
        missed += len(expected) - len(matched)
        wrong += len(detections) - len(matched)
        total_overlap += float(matched.sum())
    return Measurement(
        found, missed, wrong, total_overlap / max(1, found), 1000 * seconds / max(1, len(frames))
    )


def background_of(frames: Sequence[np.ndarray], fps: float) -> BackgroundModel:
    """The background that a worker would learn for the beginning of this recording."""
    times = background_sample_times(len(frames) / fps, 0.0)
    return learn_background([frames[min(int(t * fps), len(frames) - 1)] for t in times])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description="Measure the motion detector on a recording with known boxes."
    )
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--camera", type=Path, help="camera JSON; without it, sizes are guessed")
    parser.add_argument("--truth", type=Path, required=True, help="CSV with frame, x1, y1, x2, y2")
    parser.add_argument("--frames", default="", help="first:end, zero-based; default all frames of the truth")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    truth = read_truth(options.truth)
    frames, fps = read_frames(options.video)
    camera = CameraModel.from_mapping(json.loads(options.camera.read_text())) if options.camera else None
    first, _, end = options.frames.partition(":")
    span = range(int(first or 0), int(end or max(truth) + 1))
    detector = MotionDetector(background_of(frames, fps), camera)
    result = measure(detector, {i: frames[i] for i in span if i < len(frames)}, truth)
    print(
        f"frames {span.start}..{span.stop - 1}: recall {result.recall:.3f}, "
        f"precision {result.precision:.3f}, mean overlap {result.overlap:.3f}, "
        f"{result.ms_per_frame:.2f} ms of processor time per frame"
    )


if __name__ == "__main__":
    main()
