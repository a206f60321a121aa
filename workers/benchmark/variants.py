"""The same network in other forms: whole numbers instead of floating point, exported to ONNX or TorchScript."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workers.types import EngineError

OPSET = 17


def quantise_dynamically(network: Path, output: Path) -> Path:
    """Weights as 8-bit integers, activations scaled anew for every image."""
    quantization = _quantization()
    quantization.quantize_dynamic(
        _prepared(network, output), output, weight_type=quantization.QuantType.QUInt8
    )
    return output


def quantise_statically(network: Path, output: Path, input_name: str, inputs: Sequence[np.ndarray]) -> Path:
    """Weights and activations as 8-bit integers, with scales learned from `inputs`; predictions stay as they are."""
    quantization = _quantization()

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._left = list(inputs)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return {input_name: self._left.pop()} if self._left else None

    quantization.quantize_static(
        _prepared(network, output),
        output,
        Reader(),
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    return output


def export_fasterrcnn(network, output: Path, image) -> Path:
    """Torchvision's network as ONNX, for images of the size of `image` (a float tensor 3 x height x width)."""
    try:
        import onnx  # noqa: F401
        import torch
    except ImportError as error:
        raise EngineError(
            "An export needs torch and onnx: pip install -r requirements-torch.txt onnx"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's and torchvision's own
        torch.onnx.export(network, ([image],), str(output), opset_version=OPSET, dynamo=False)
    return output


def _prepared(network: Path, output: Path) -> Path:
    """The network at an opset that can be quantised per channel, with all shapes worked out."""
    import onnx
    from onnx import version_converter
    from onnxruntime.quantization.shape_inference import quant_pre_process

    raised, prepared = output.with_suffix(".raised.onnx"), output.with_suffix(".prepared.onnx")
    model = onnx.load(network)
    if model.opset_import[0].version < OPSET:
        model = version_converter.convert_version(model, OPSET)
    onnx.save(model, raised)
    quant_pre_process(raised, prepared, skip_symbolic_shape=True)
    return prepared


def _quantization():
    try:
        import onnx  # noqa: F401
        import onnxruntime.quantization as quantization
    except ImportError as error:
        raise EngineError("Quantising needs onnx: pip install onnx") from error
    logging.getLogger().addFilter(_not_unprepared)
    return quantization


def _not_unprepared(record: logging.LogRecord) -> bool:
    """ONNX Runtime says of every network that it should have been prepared, also where it was."""
    return "pre-processing" not in record.getMessage()
