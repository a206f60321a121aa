"""How the time of a frame grows with the number of frames that a network gets at once."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workers.benchmark.crowd import SIZE
from workers.benchmark.networks import write_yolox_nano
from workers.benchmark.report import Report
from workers.detection.yolo import YoloDetector
from workers.reid import build_embedder


def perceiving(
    repeats: int = 5,
    models_dir: Path | None = None,
    frames: Sequence[int] = (1, 2, 4, 8, 16),
    people: Sequence[int] = (1, 10, 30),
) -> Report:
    """Detection by frames at once, embedding by persons in a frame: processor time, the least of some runs."""
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 255, (SIZE[1], SIZE[0], 3)).astype(np.uint8) for _ in range(max(frames))]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        # weights that were exported for one frame at a time would tell nothing
        detector = YoloDetector(write_yolox_nano(Path(folder, "yolox_nano.onnx")), threads=1)
        for count in frames:
            best = min(_ms(lambda n=count: detector.detect(images[:n])) for _ in range(repeats))
            rows.append(
                {"what": "YOLOX-nano 416, frames at once", "number": count, "ms for each": best / count}
            )
    networks = sorted(models_dir.glob("*osnet*.onnx")) if models_dir else []
    for spec in ("descriptor", *(f"onnx:{path}" for path in networks)):
        embedder = build_embedder(spec, models_dir=models_dir)
        for count in people:
            left = np.linspace(0, SIZE[0] - 60, count)
            boxes = np.column_stack([left, np.full(count, 200), left + 50, np.full(count, 340)])
            best = min(_ms(lambda e=embedder, b=boxes: e.embed(images[0], b)) for _ in range(repeats))
            rows.append(
                {"what": f"{embedder.name}, persons in a frame", "number": count, "ms for each": best / count}
            )
    return Report(f"Perceiving: growth with the batch, {SIZE[0]}x{SIZE[1]}, one core", rows)


def _ms(call) -> float:
    begun = time.process_time()
    call()
    return 1e3 * (time.process_time() - begun)
