"""What the engine adds to a network's own inference: everything of perceive and associate but decoding.

The network runs for real and its time is taken. Its output is then replaced by the one it should have had for the
people who walk there, so that all that follows has as much to do as in a crowded place, with any weights.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from workers.associate import associate, tracker_for
from workers.batches import FrameBatch
from workers.benchmark.crowd import FPS, SIZE, START_S, Crowd, around
from workers.benchmark.networks import write_yolox_nano
from workers.benchmark.report import Report
from workers.detection.yolo import YoloDetector
from workers.perceive import BatchFrame, Perceiver
from workers.sources import SourcePolicy
from workers.tracking import warm
from workers.tracking.tracker import CameraView
from workers.types import Embedder

EMBEDDER = "descriptor"
PERSON = 0
# anchors that predict one person, as networks do: the best and its neighbours
ANCHORS = ((0, 0, 0.9), (1, 0, 0.8), (-1, 0, 0.7), (0, 1, 0.75), (0, -1, 0.65), (1, 1, 0.5))


def overhead(
    people: int = 12, cameras: int = 4, batches: int = 6, models_dir: Path | None = None, batch: int = 10
) -> Report:
    """Processor time per frame, so that other load on the machine does not count.

    Args:
        people: who walk in view of all cameras, now and then behind each other.
        batches: of `batch` instants; the first is not measured.
        models_dir: where `yolox_nano*.onnx` lies; without it, random weights.
    """
    warm()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        given = sorted(models_dir.glob("yolox_nano*.onnx")) if models_dir else []
        network = given[0] if given else write_yolox_nano(Path(folder, "yolox_nano.onnx"))
        runs = _run(_Scene(Crowd(people, dimension=0), cameras), MeasuredYolo(network), batches, batch)
    found = float(np.mean([run.pop("persons") for run in runs]))
    # the least of all batches: other load on the machine only adds
    spent = {name: 1e3 * min(run[name] for run in runs) for name in runs[0]}
    inference = spent.pop("inference")
    rows = [
        {"part": name, "ms per frame": value, "% of inference": 100 * value / inference}
        for name, value in {"inference": inference, **spent, "all but inference": sum(spent.values())}.items()
    ]
    weights = given[0].name if given else "random weights"
    return Report(
        f"Overhead: YOLOX-nano at 416 ({weights}), {cameras} cameras of {SIZE[0]}x{SIZE[1]}, "
        f"{found:.1f} people found in each, one core",
        rows,
        goal="all but inference at most 10 %",
    )


class MeasuredYolo(YoloDetector):
    """The product's detector; takes its network's time and then lets it have found the people who are there."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, threads=1)
        self.inference_s = self.replacing_s = 0.0
        # per image of the next call: xyxy boxes in pixels of the network's input
        self.there: list[np.ndarray] = []
        self._network, self._session = self._session, self

    def get_outputs(self) -> Any:
        return self._network.get_outputs()

    def run(self, names: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """As of an ONNX Runtime session."""
        begun = time.process_time()
        output = self._network.run(names, inputs)
        done = time.process_time()
        self.inference_s += done - begun
        count = len(output[0])
        for rows, boxes in zip(output[0], self.there[:count], strict=True):
            self._predict_these(rows, boxes)
        del self.there[:count]
        self.replacing_s += time.process_time() - done
        return output

    def _predict_these(self, rows: np.ndarray, boxes_px: np.ndarray) -> None:
        """Overwrite (anchors, 5 + classes) raw or decoded predictions."""
        rows[:, 4] = 0.01
        cells, strides = self._make_grid((8, 16, 32))
        for x1, y1, x2, y2 in boxes_px.tolist():
            stride = 8 if y2 - y1 < 64 else 16 if y2 - y1 < 128 else 32
            columns, first = self._size[0] // stride, int(np.argmax(strides[:, 0] == stride))
            for right, down, score in ANCHORS:
                i = int((x1 + x2) / 2 / stride) + right
                j = int((y1 + y2) / 2 / stride) + down
                row = first + np.clip(j, 0, columns - 1) * columns + np.clip(i, 0, columns - 1)
                centre, size = np.array([x1 + x2, y1 + y2]) / 2, np.array([x2 - x1, y2 - y1])
                if self._grid is not None:
                    centre, size = centre / stride - cells[row], np.log(size / stride)
                rows[row, :4], rows[row, 4], rows[row, 5 + PERSON] = [*centre, *size], 1.0, score


class _Scene:
    """Frames and batches of cameras that all see the same people."""

    def __init__(self, crowd: Crowd, cameras: int) -> None:
        self.crowd, self.views = crowd, around(cameras, crowd.side_m)
        rng = np.random.default_rng(3)
        coarse = rng.integers(60, 160, (SIZE[1] // 8, SIZE[0] // 8, 3)).astype(np.uint8)
        self._paving = cv2.resize(coarse, SIZE)
        self._clothes = rng.integers(0, 255, (crowd.people, 2, 3)).astype(np.uint8)

    def frame(self, view: CameraView, instant: int) -> tuple[np.ndarray, np.ndarray]:
        """uint8 BGR and the (n, 4) boxes of those in it."""
        image = self._paving.copy()
        boxes, who = self.crowd.boxes(view, instant)
        for (x1, y1, x2, y2), number in zip(boxes.astype(int).tolist(), who.tolist(), strict=True):
            waist = (y1 + y2) // 2
            image[y1:waist, x1:x2], image[waist:y2, x1:x2] = self._clothes[number]
        return image, boxes

    def batch(self, view: CameraView, number: int) -> FrameBatch:
        return FrameBatch(
            task_id="benchmark", number=number, camera=view.camera, segments=(), tolerance_s=0.05, image_size=SIZE,
            calibration=view.model.to_mapping(), detector="yolox", embedder=EMBEDDER, score_threshold=None,
            queued_at=0.0, live=True, fps=FPS,
        )  # fmt: skip


class _MeasuredPerceiver(Perceiver):
    """The product's, with a detector that is there already."""

    def __init__(self, detector: MeasuredYolo, frames: list[BatchFrame]) -> None:
        super().__init__(policy=SourcePolicy(), live_frames=lambda batch: (frames, None))
        self._measured = detector
        self.embed_s = 0.0

    def _shared_detector(self, spec: str, score_threshold: float | None) -> MeasuredYolo:
        return self._measured

    def _embedder(self, spec: str) -> Embedder:
        return _MeasuredEmbedder(super()._embedder(spec), self)


class _MeasuredEmbedder:
    """The product's; tells its time to the perceiver."""

    def __init__(self, embedder: Embedder, perceiver: _MeasuredPerceiver) -> None:
        self._embedder, self._perceiver = embedder, perceiver
        self.name, self.dimension = embedder.name, embedder.dimension

    def embed(self, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        begun = time.process_time()
        features = self._embedder.embed(image, boxes_px)
        self._perceiver.embed_s += time.process_time() - begun
        return features


def _run(scene: _Scene, detector: MeasuredYolo, batches: int, batch: int) -> list[dict[str, float]]:
    """Per batch but the first: seconds of processor time per frame by part, and persons per frame."""
    frames: list[BatchFrame] = []
    perceiver = _MeasuredPerceiver(detector, frames)
    plan = [
        {"camera": v.camera, "image_size": list(v.image_size), "calibration": v.model.to_mapping()}
        for v in scene.views
    ]
    tracker = tracker_for(plan, None)
    runs = []
    for number in range(batches):
        instants, blobs = range(number * batch, (number + 1) * batch), []
        spent = dict.fromkeys(("persons", "inference", "detect: all but inference", "embed", "pack"), 0.0)
        for view in scene.views:
            pictures = [(i, *scene.frame(view, i)) for i in instants]
            frames[:] = [BatchFrame(i, i, START_S + i / FPS, image) for i, image, _ in pictures]
            scale = min(side / SIZE[k] for k, side in enumerate(detector._size))
            detector.there = [boxes * scale for *_, boxes in pictures]
            detector.inference_s = detector.replacing_s = perceiver.embed_s = 0.0
            asked = scene.batch(view, number)
            begun = time.process_time()
            observed = perceiver.perceive(asked)
            perceived = time.process_time()
            blobs.append(observed.to_bytes())
            packed = time.process_time()
            rest = perceived - begun - detector.inference_s - detector.replacing_s - perceiver.embed_s
            spent["persons"] += len(observed.scores)
            spent["inference"] += detector.inference_s
            spent["detect: all but inference"] += rest
            spent["embed"] += perceiver.embed_s
            spent["pack"] += packed - perceived
        begun = time.process_time()
        times = [START_S + i / FPS for i in instants]
        done = associate(
            tracker=tracker, observations=blobs, instants=list(instants), times_s=times, last=False
        )
        done.state()
        spent["associate"] = time.process_time() - begun
        runs.append({name: value / (batch * len(scene.views)) for name, value in spent.items()})
    return runs[1:]
