"""YOLOX-nano with random weights: speed follows from the architecture, so no download is needed to measure it.

The layers are those of YOLOX (Ge et al., YOLOX: Exceeding YOLO Series in 2021) at depth 0.33 and width 0.25 with
depthwise convolutions, batch normalisation folded into the convolutions. The output is raw, as its export writes it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from workers.types import EngineError

SIZE = 416
CLASSES = 80


def write_yolox_nano(path: Path, seed: int = 1) -> Path:
    """Write the network to `path`; it takes any batch of 3 x 416 x 416.

    Raises:
        EngineError: the package `onnx` is missing.
    """
    try:
        import onnx
    except ImportError as error:
        raise EngineError(
            "Making a network needs onnx: pip install onnx; or name weights: --models-dir"
        ) from error
    net = _Layers(onnx.helper, seed)
    features = _backbone(net, net.focus("images", 3, 16))
    outputs = [_head(net, name, channels) for name, channels in _pyramid(net, *features)]
    net.node("Concat", outputs, "rows", axis=2)
    net.node("Transpose", ["rows"], "output", perm=[0, 2, 1])
    value = onnx.helper.make_tensor_value_info
    kind = onnx.TensorProto.FLOAT
    anchors = sum((SIZE // stride) ** 2 for stride in (8, 16, 32))
    graph = onnx.helper.make_graph(
        net.nodes,
        "yolox-nano",
        [value("images", kind, ["batch", 3, SIZE, SIZE])],
        [value("output", kind, ["batch", anchors, 5 + CLASSES])],
        [onnx.numpy_helper.from_array(array, name) for name, array in net.weights.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


class _Layers:
    """Appends layers; each takes the name of a tensor and gives the name of its result."""

    def __init__(self, helper, seed: int) -> None:
        self.nodes, self.weights = [], {}
        self._helper, self._rng = helper, np.random.default_rng(seed)

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes) -> str:
        output = output or f"t{len(self.nodes)}"
        self.nodes.append(self._helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights[name] = values
        return name

    def linear(self, x: str, ins: int, outs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> str:
        fan = ins // groups * kernel**2
        weights = self._rng.normal(0, fan**-0.5, (outs, ins // groups, kernel, kernel)).astype(np.float32)
        names = [x, self.constant(weights), self.constant(np.zeros(outs, np.float32))]
        pad = kernel // 2
        return self.node(
            "Conv", names, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=groups
        )

    def conv(self, x: str, ins: int, outs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> str:
        y = self.linear(x, ins, outs, kernel, stride, groups)
        return self.node("Mul", [y, self.node("Sigmoid", [y])])

    def depthwise(self, x: str, ins: int, outs: int, stride: int = 1) -> str:
        return self.conv(self.conv(x, ins, ins, 3, stride, ins), ins, outs)

    def focus(self, x: str, ins: int, outs: int) -> str:
        one = self.constant(np.array([2, 3], np.int64))
        steps = self.constant(np.array([2, 2], np.int64))
        ends = self.constant(np.array([SIZE, SIZE], np.int64))
        parts = []
        for left, top in ((0, 0), (0, 1), (1, 0), (1, 1)):
            start = self.constant(np.array([top, left], np.int64))
            parts.append(self.node("Slice", [x, start, ends, one, steps]))
        return self.conv(self.node("Concat", parts, axis=1), 4 * ins, outs, 3)

    def csp(self, x: str, ins: int, outs: int, count: int, shortcut: bool = True) -> str:
        half = outs // 2
        y, beside = self.conv(x, ins, half), self.conv(x, ins, half)
        for _ in range(count):
            z = self.depthwise(self.conv(y, half, half), half, half)
            y = self.node("Add", [y, z]) if shortcut else z
        return self.conv(self.node("Concat", [y, beside], axis=1), 2 * half, outs)

    def pools(self, x: str, ins: int) -> str:
        y = self.conv(x, ins, ins // 2)
        pooled = [
            self.node("MaxPool", [y], kernel_shape=[k, k], strides=[1, 1], pads=[k // 2] * 4)
            for k in (5, 9, 13)
        ]
        return self.conv(self.node("Concat", [y, *pooled], axis=1), 2 * ins, ins)

    def enlarged(self, x: str) -> str:
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.node("Resize", [x, "", scales], mode="nearest")

    def joined(self, *parts: str) -> str:
        return self.node("Concat", list(parts), axis=1)


def _backbone(net: _Layers, x: str) -> tuple[str, str, str]:
    x = net.csp(net.depthwise(x, 16, 32, 2), 32, 32, 1)
    fine = net.csp(net.depthwise(x, 32, 64, 2), 64, 64, 3)
    middle = net.csp(net.depthwise(fine, 64, 128, 2), 128, 128, 3)
    coarse = net.pools(net.depthwise(middle, 128, 256, 2), 256)
    return fine, middle, net.csp(coarse, 256, 256, 1, shortcut=False)


def _pyramid(net: _Layers, fine: str, middle: str, coarse: str) -> list[tuple[str, int]]:
    top = net.conv(coarse, 256, 128)
    x = net.csp(net.joined(net.enlarged(top), middle), 256, 128, 1, shortcut=False)
    side = net.conv(x, 128, 64)
    first = net.csp(net.joined(net.enlarged(side), fine), 128, 64, 1, shortcut=False)
    second = net.csp(net.joined(net.depthwise(first, 64, 64, 2), side), 128, 128, 1, shortcut=False)
    third = net.csp(net.joined(net.depthwise(second, 128, 128, 2), top), 256, 256, 1, shortcut=False)
    return [(first, 64), (second, 128), (third, 256)]


def _head(net: _Layers, x: str, channels: int) -> str:
    """(batch, 5 + classes, anchors) of one scale."""
    x = net.conv(x, channels, 64)
    classes, boxes = (net.depthwise(net.depthwise(x, 64, 64), 64, 64) for _ in range(2))
    scores = net.node("Sigmoid", [net.linear(classes, 64, CLASSES)])
    objectness = net.node("Sigmoid", [net.linear(boxes, 64, 1)])
    rows = net.node("Concat", [net.linear(boxes, 64, 4), objectness, scores], axis=1)
    shape = net.constant(np.array([0, 5 + CLASSES, -1], np.int64))
    return net.node("Reshape", [rows, shape])
