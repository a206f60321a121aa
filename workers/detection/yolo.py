"""YOLO networks through ONNX Runtime: YOLOX heads and YOLOv8-style heads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.detection.letterbox import PAD_GREY, Letterbox
from workers.detection.selection import select_persons
from workers.models import FittingBatches, open_onnx
from workers.types import Detections, EngineError

PERSON = 0  # in COCO's order of classes
DEFAULT_SIZE = 640  # both families' usual input, where the model leaves it open
MAX_BATCH = 16
STRIDES = ((8, 16, 32), (8, 16, 32, 64))  # of the grids the heads predict on; the larger networks have four


class YoloDetector:
    """Finds persons with a COCO-trained (or person-only) YOLO network.

    YOLOX: output (batch, anchors, 5 + classes): box, objectness, class scores; input BGR 0..255.
    YOLOv8 and its successors: output (batch, 4 + classes, anchors) or transposed; box in input pixels, class
    scores; input RGB 0..1. Which of the two it is, and whether YOLOX boxes are still relative to their grid
    cells, is found by running the network once.
    """

    name = "yolo"

    def __init__(
        self,
        path: Path | str,
        score_threshold: float = 0.4,
        nms_iou: float = 0.5,
        providers: Sequence[Any] | None = None,
        threads: int | None = None,
    ) -> None:
        """
        Args:
            path: the ONNX model.
            score_threshold: detections below are left out; 0.4 balances recall and precision outdoors.
            nms_iou: of two boxes that overlap more, the better is kept; above 0.5 duplicates begin to pass.
            providers: of ONNX Runtime; None takes CUDA where present.
            threads: of this session; None takes OMP_NUM_THREADS, as set for each pinned worker, else 1.

        Raises:
            EngineError: not a model, or its input or output is of no known kind.
        """
        self._path = Path(path)
        self._score_threshold, self._nms_iou = score_threshold, nms_iou
        self._session = open_onnx(self._path, providers, threads)
        self._read_input()
        self._recognise_head()
        self.batches = FittingBatches(MAX_BATCH if self._batch_is_free else 1)

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """One `Detections` per uint8 BGR image, in order, best first; boxes are clipped to the image."""
        return self.batches.run(images, self._detect_batch)

    def _detect_batch(self, images: Sequence[np.ndarray]) -> list[Detections]:
        data, scales = self._fit(images)
        return [
            select_persons(
                *self._persons(output, scale),
                (image.shape[1], image.shape[0]),
                score_threshold=self._score_threshold,
                nms_iou=self._nms_iou,
            )
            for image, output, scale in zip(images, self._run(data), scales, strict=True)
        ]

    def _fit(self, images: Sequence[np.ndarray]) -> tuple[np.ndarray, list[float]]:
        """(b, 3, h, w) input of the network for uint8 BGR images, and their scales."""
        data, scales = self._letterbox.fit(images)
        if self._head == "yolov8":
            data = data[:, ::-1] / np.float32(255)
        return np.ascontiguousarray(data, self._dtype), scales

    def _persons(self, output: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
        """(n, 4) xyxy in pixels of the image and (n,) scores above the threshold of (anchors, channels)."""
        raw = self._grid is not None
        largest = 20.0 if raw else np.inf  # no overflow to infinity from a wild logit
        with_objectness = self._head == "yolox"
        centres, sizes, scores, anchors = _strong(output, with_objectness, self._score_threshold, largest)
        if raw:
            np.exp(sizes, out=sizes)  # they are predicted as logarithms
            _leave_grid(centres, sizes, *self._grid, anchors)
        return _corners(centres, sizes, scale), scores

    def _run(self, data: np.ndarray) -> np.ndarray:
        """The network's output as float32 (b, anchors, channels)."""
        output = self._session.run([self._output], {self._input: data})[0]
        output = np.asarray(output, np.float32)
        return output.transpose(0, 2, 1) if self._channels_first else output

    # -- getting to know the network -------------------------------------------------------------------------

    def _read_input(self) -> None:
        """The input's name, type, size, and whether it takes batches."""
        entry = self._session.get_inputs()[0]
        shape = entry.shape
        types = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
        if len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
            raise EngineError(
                f"{self._path}: input {entry.name} is {shape}, expected batch x 3 x height x width"
            )
        if entry.type not in types:
            raise EngineError(f"{self._path}: input {entry.name} is {entry.type}, expected floating point")
        height, width = (n if isinstance(n, int) and n > 0 else DEFAULT_SIZE for n in shape[2:])
        self._output = self._session.get_outputs()[0].name
        self._input, self._dtype, self._size = entry.name, types[entry.type], (width, height)
        self._letterbox = Letterbox(self._size)
        self._batch_is_free = not isinstance(shape[0], int)

    def _recognise_head(self) -> None:
        """Runs the network once on grey and tells its family by the output's shape."""
        self._head, self._channels_first, self._grid = "yolox", False, None
        width, height = self._size
        output = self._run(self._fit([np.full((height, width, 3), PAD_GREY, np.uint8)])[0])
        grids = {len(cells): (cells, strides) for cells, strides in map(self._make_grid, STRIDES)}
        if output.ndim == 3 and output.shape[2] in grids and output.shape[1] not in grids:
            # channels before anchors: only YOLOv8 and its successors write them so
            self._head, self._channels_first = "yolov8", True
            channels, anchors = output.shape[1:]
        elif output.ndim == 3 and output.shape[1] in grids:
            anchors, channels = output.shape[1:]
            self._head = "yolov8" if channels == 84 else "yolox"
        else:
            raise EngineError(
                f"{self._path}: output {list(output.shape)} is neither a YOLOX head (1 x {min(grids)} x 85 "
                f"for input {width}x{height}) nor a YOLOv8 head (1 x 84 x {min(grids)} or transposed)"
            )
        if channels < (5 if self._head == "yolov8" else 6):
            raise EngineError(f"{self._path}: output {list(output.shape)} holds no class scores")
        if self._head == "yolox" and _is_relative(output[0, :, :2], *grids[anchors]):
            self._grid = grids[anchors]
        self.name = self._head

    def _make_grid(self, strides: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """(anchors, 2) cell coordinates x, y and (anchors, 1) strides, in the order of the heads' output."""
        cells, steps = [], []
        for stride in strides:
            rows, columns = self._size[1] // stride, self._size[0] // stride
            y, x = np.mgrid[0:rows, 0:columns]
            cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
            steps.append(np.full((rows * columns, 1), stride))
        return np.concatenate(cells).astype(np.float32), np.concatenate(steps).astype(np.float32)


def _is_relative(centres: np.ndarray, cells: np.ndarray, strides: np.ndarray) -> bool:
    """Whether predicted centres are offsets within their cells rather than pixels of the input.

    A network's predictions stay near their own cells, so the reading under which they do is the right one.
    """
    as_offsets = np.abs(centres - 0.5)
    as_pixels = np.abs(centres / strides - cells - 0.5)
    return bool(np.median(as_offsets) < np.median(as_pixels))


# -- compiled ------------------------------------------------------------------------------------------------
# After a network has run, no cache holds NumPy's code any more: each of its calls costs more than these loops.


@compiled
def _strong(output, with_objectness, score_threshold, largest):
    """What (anchors, channels) say of persons: k anchors with a score above the threshold.

    Returns:
        (k, 2) centres, (k, 2) sizes, at most `largest`, (k,) scores, (k,) anchors; floats are float32.
    """
    score_threshold, largest = np.float32(score_threshold), np.float32(largest)
    anchors, scores, k = np.empty(len(output), np.intp), np.empty(len(output), np.float32), 0
    for i in range(len(output)):
        score = output[i, 4] * output[i, 5 + PERSON] if with_objectness else output[i, 4 + PERSON]
        if score >= score_threshold:
            anchors[k], scores[k] = i, score
            k += 1
    centres, sizes = np.empty((k, 2), np.float32), np.empty((k, 2), np.float32)
    for i in range(k):
        for axis in range(2):
            centres[i, axis], size = output[anchors[i], axis], output[anchors[i], 2 + axis]
            sizes[i, axis] = largest if size > largest else size
    return centres, sizes, scores[:k], anchors[:k]


@compiled_lean
def _leave_grid(centres, sizes, cells, strides, anchors):
    """Raw YOLOX to pixels, in place: centres are offsets within grid cells, both are in units of the stride."""
    for i in range(len(anchors)):
        stride = strides[anchors[i], 0]
        for axis in range(2):
            centres[i, axis] = (centres[i, axis] + cells[anchors[i], axis]) * stride
            sizes[i, axis] *= stride


@compiled
def _corners(centres, sizes, scale):
    """(k, 4) xyxy in pixels of an image that was scaled."""
    boxes, scale = np.empty((len(centres), 4), np.float32), np.float32(scale)
    for i in range(len(centres)):
        for axis in range(2):
            half = sizes[i, axis] / np.float32(2)
            boxes[i, axis] = (centres[i, axis] - half) / scale
            boxes[i, 2 + axis] = (centres[i, axis] + half) / scale
    return boxes
