"""Builds tiny ONNX detectors for tests.

They are real networks whose predictions follow from the picture: where a cell's centre is white, the person
score is 1, and the box is a person-shaped one around that cell.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDE_ANCHORS = (8, 16, 32)
BOX_PX = (16.0, 40.0)  # width and height of every predicted box, in input pixels


def yolo_network(
    path: Path, *, head: str, size: int = 96, batch: int | str = 1, decoded: bool = False, classes: int = 80
) -> Path:
    """Writes a network with the input and output of a YOLO of this family.

    Args:
        head: `yolox` (batch, anchors, 5 + classes), `yolov8` (batch, 4 + classes, anchors) or
            `yolov8-transposed`.
        size: of the square input.
        batch: 1, or a name for a free batch axis.
        decoded: YOLOX only: boxes in pixels instead of relative to their cells.
    """
    scale = 1.0 if head.startswith("yolov8") else 255.0
    constants, nodes, parts = {}, [], []
    for stride in STRIDE_ANCHORS:
        # a pixel at the centre of each cell, all channels: white beats the threshold, grey (114) does not
        kernel = np.zeros((1, 3, stride, stride), np.float32)
        kernel[0, :, stride // 2, stride // 2] = 1 / (3 * scale)
        constants[f"kernel{stride}"] = kernel
        nodes += [
            helper.make_node(
                "Conv", ["images", f"kernel{stride}"], [f"light{stride}"], strides=[stride, stride]
            ),
            helper.make_node("Reshape", [f"light{stride}", "flat"], [f"cells{stride}"]),
        ]
        parts.append(f"cells{stride}")
    constants["flat"] = np.array([0, -1, 1], np.int64)
    constants["threshold"], constants["steep"] = np.float32(0.8), np.float32(10.0)
    constants["boxes"] = _boxes(size, head, decoded)[None]
    constants["zeros"] = np.zeros((1, 1, classes - 1), np.float32)
    nodes += [
        helper.make_node("Concat", parts, ["light"], axis=1),
        helper.make_node("Sub", ["light", "threshold"], ["above"]),
        helper.make_node("Mul", ["above", "steep"], ["sharp"]),
        helper.make_node("Clip", ["sharp", "low", "high"], ["score"]),
        helper.make_node("Mul", ["score", "none"], ["nothing"]),
        helper.make_node("Add", ["nothing", "boxes"], ["all_boxes"]),
        helper.make_node("Add", ["nothing", "zeros"], ["other_classes"]),
        helper.make_node("Add", ["nothing", "high"], ["objectness"]),
    ]
    constants["low"], constants["high"], constants["none"] = (np.float32(x) for x in (0.0, 1.0, 0.0))
    rows = ["all_boxes", "score", "other_classes"]
    if head == "yolox":
        rows.insert(1, "objectness")
    anchors, channels = constants["boxes"].shape[1], 4 + classes + (head == "yolox")
    nodes.append(helper.make_node("Concat", rows, ["output" if head != "yolov8" else "rows"], axis=2))
    shape = [batch, anchors, channels]
    if head == "yolov8":
        nodes.append(helper.make_node("Transpose", ["rows"], ["output"], perm=[0, 2, 1]))
        shape = [batch, channels, anchors]
    return write_network(path, nodes, constants, [batch, 3, size, size], shape)


def write_network(path: Path, nodes, constants: dict[str, np.ndarray], input_shape, output_shape) -> Path:
    """Saves a graph from `images` to `output`."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, input_shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, output_shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def _boxes(size: int, head: str, decoded: bool) -> np.ndarray:
    """(anchors, 4) centre and size as the head writes them; boxes stand centred on their cells."""
    rows = []
    for stride in STRIDE_ANCHORS:
        y, x = np.mgrid[0 : size // stride, 0 : size // stride]
        centre = np.stack([x.ravel(), y.ravel()], 1) + 0.5
        extent = np.broadcast_to(np.array(BOX_PX) / stride, centre.shape)
        if head.startswith("yolov8") or decoded:
            rows.append(np.hstack([centre * stride, extent * stride]))
        else:
            rows.append(np.hstack([np.full_like(centre, 0.5), np.log(extent)]))
    return np.concatenate(rows).astype(np.float32)
