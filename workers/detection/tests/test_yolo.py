from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from scipy.optimize import linear_sum_assignment

from workers.detection.base import pairwise_iou
from workers.detection.tests.networks import BOX_PX, write_network, yolo_network
from workers.detection.yolo import YoloDetector
from workers.sources import SourcePolicy, open_source
from workers.types import EngineError

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
HEADS = [
    pytest.param({"head": "yolox"}, id="yolox raw"),
    pytest.param({"head": "yolox", "decoded": True}, id="yolox decoded"),
    pytest.param({"head": "yolox", "batch": "batch"}, id="yolox free batch"),
    pytest.param({"head": "yolov8"}, id="yolov8"),
    pytest.param({"head": "yolov8", "batch": "batch"}, id="yolov8 free batch"),
    pytest.param({"head": "yolov8", "classes": 1}, id="yolov8 persons only"),
    pytest.param({"head": "yolov8-transposed"}, id="yolov8 transposed"),
]


def scene(*cells: tuple[int, int], size: tuple[int, int] = (96, 96)) -> np.ndarray:
    """A black image of (width, height) with white 8x8 squares in the given cells (x, y) of 8 pixels."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    for x, y in cells:
        image[y * 8 : y * 8 + 8, x * 8 : x * 8 + 8] = 255
    return image


@pytest.mark.parametrize("options", HEADS)
def test_every_head_is_recognised_and_decoded(tmp_path, options):
    detector = YoloDetector(yolo_network(tmp_path / "net.onnx", **options))
    assert detector.name == options["head"].split("-")[0]
    (found,) = detector.detect([scene((3, 4))])
    centre = np.array([3.5 * 8, 4.5 * 8])
    expected = np.concatenate([centre - np.array(BOX_PX) / 2, centre + np.array(BOX_PX) / 2])
    assert found.boxes_px == pytest.approx(expected[None], abs=0.01)
    assert found.scores == pytest.approx([1.0])


@pytest.mark.parametrize("options", HEADS)
def test_boxes_come_back_in_the_pixels_of_wide_and_large_images(tmp_path, options):
    detector = YoloDetector(yolo_network(tmp_path / "net.onnx", **options))
    wide = np.kron(scene((3, 2), size=(96, 72)), np.ones((4, 4, 1), np.uint8))  # 384x288
    (found,) = detector.detect([wide])
    centres = (found.boxes_px[:, :2] + found.boxes_px[:, 2:]) / 2
    assert centres == pytest.approx(np.array([[3.5 * 32, 2.5 * 32]]), abs=0.1)
    assert found.boxes_px.min() >= 0
    assert (found.boxes_px[:, 2:] <= [384, 288]).all()


def test_wild_predictions_of_a_raw_head_stay_finite_or_no_numbers(tmp_path):
    """A logarithm beyond all bounds gives a box that is finite; what is no number stays for the selection to drop."""
    detector = YoloDetector(yolo_network(tmp_path / "net.onnx", head="yolox"))
    output = np.zeros((189, 85), np.float32)
    output[5, :6] = 0.5, 0.5, 1000.0, 1000.0, 1.0, 0.9
    output[80, :6] = np.nan, 0.5, 1.0, 1.0, 1.0, 0.8
    output[90, :6] = 0.5, 0.5, 1.0, np.nan, 1.0, 0.8
    output[100, :6] = 0.5, 0.5, 1.0, 1.0, 0.5, 0.5
    boxes, scores = detector._persons(output, 0.5)
    assert scores == pytest.approx([0.9, 0.8, 0.8])
    assert np.isfinite(boxes[0]).all()
    assert (boxes[0, 2:] - boxes[0, :2] > 1e9).all()
    assert np.isnan(boxes[1:]).any(1).all()


def test_thresholds_of_score_and_overlap(tmp_path):
    path = yolo_network(tmp_path / "net.onnx", head="yolox")
    # neighbours overlap by a third: two people who walk together
    neighbours = scene((3, 4), (4, 4))
    assert len(YoloDetector(path).detect([neighbours])[0]) == 2
    assert len(YoloDetector(path, nms_iou=0.3).detect([neighbours])[0]) == 1
    faint = (scene((3, 4)) * 0.85).astype(np.uint8)  # scores about a half
    assert len(YoloDetector(path).detect([faint])[0]) == 1
    assert len(YoloDetector(path, score_threshold=0.7).detect([faint])[0]) == 0


@pytest.mark.parametrize(
    ("input_shape", "output_shape", "message"),
    [
        ([1, 3, 96, 96], [1, 100, 85], "neither a YOLOX head"),
        ([1, 3, 96, 96], [1, 84, 77], "neither a YOLOX head"),
        ([1, 3, 96, 96], [1, 189, 4], "no class scores"),
        ([1, 1, 96, 96], [1, 189, 85], "expected batch x 3"),
    ],
)
def test_other_networks_are_refused_with_their_shapes(tmp_path, input_shape, output_shape, message):
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Expand", ["mean", "shape"], ["output"]),
    ]
    constants = {"shape": np.array(output_shape, np.int64)}
    path = write_network(tmp_path / "other.onnx", nodes, constants, input_shape, output_shape)
    with pytest.raises(EngineError, match=message) as caught:
        YoloDetector(path)
    assert "other.onnx" in str(caught.value)


def test_files_that_are_no_networks_are_refused(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"not a network")
    with pytest.raises(EngineError, match="not an ONNX model"):
        YoloDetector(tmp_path / "net.onnx")


@pytest.mark.skipif(not (SHARED / "models").exists(), reason="needs ../shared")
def test_yolox_nano_on_real_footage():
    """Known for this network and footage: recall 0.90, precision 0.78 at IoU 0.5 and score 0.4."""
    truth: dict[int, list[list[float]]] = {}
    with open(SHARED / "groundtruth/pets09_s2l1_frames_0000_0399.csv") as file:
        for row in csv.DictReader(file):
            truth.setdefault(int(row["frame"]), []).append([float(row[k]) for k in ("x1", "y1", "x2", "y2")])
    detector = YoloDetector(SHARED / "models/yolox_nano_416.onnx", providers=["CPUExecutionProvider"])
    footage = str(SHARED / "footage/pets09_s2l1_view001_480x360.avi")
    hits = found = real = 0
    with open_source(footage, policy=SourcePolicy((SHARED,))) as source:
        for frame in source.frames(0.0, 40.0, stride=8):
            boxes = detector.detect([frame.image])[0].boxes_px
            overlap = pairwise_iou(boxes, np.array(truth[frame.index]))
            pairs = linear_sum_assignment(np.where(overlap >= 0.5, -1.0, 0.0))
            hits += int((overlap[pairs] >= 0.5).sum())
            found, real = found + len(boxes), real + len(truth[frame.index])
    assert hits / real == pytest.approx(0.90, abs=0.03)
    assert hits / found == pytest.approx(0.78, abs=0.03)
