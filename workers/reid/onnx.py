"""Any re-identification network in ONNX form, such as OSNet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workers.models import FittingBatches, open_onnx
from workers.reid.crops import CropEmbedder
from workers.types import EngineError

DEFAULT_SIZE = (128, 256)  # width, height that re-identification networks are trained with
MAX_BATCH = 64
# of ImageNet, RGB 0..1
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


class OnnxEmbedder(CropEmbedder):
    """Embeds persons with a network that takes (n, 3, height, width) RGB crops and gives (n, dimension)."""

    def __init__(
        self, path: Path | str, providers: Sequence[Any] | None = None, threads: int | None = None
    ) -> None:
        """
        Args:
            path: the ONNX model; height and width are read from it, 256 x 128 where it leaves them open.
            providers: of ONNX Runtime; None takes CUDA where present.
            threads: of this session; None takes OMP_NUM_THREADS, as set for each pinned worker, else 1.

        Raises:
            EngineError: not a model, or its input or output is of another kind.
        """
        self._session = open_onnx(Path(path), providers, threads)
        entry = self._session.get_inputs()[0]
        if len(entry.shape) != 4 or (isinstance(entry.shape[1], int) and entry.shape[1] != 3):
            raise EngineError(f"{path}: input is {entry.shape}, expected batch x 3 x height x width")
        if entry.type != "tensor(float)":
            raise EngineError(f"{path}: input is {entry.type}, expected tensor(float)")
        height, width = entry.shape[2:]
        self._size = (
            width if isinstance(width, int) else DEFAULT_SIZE[0],
            height if isinstance(height, int) else DEFAULT_SIZE[1],
        )
        self._input, self._output = entry.name, self._session.get_outputs()[0].name
        self.batches = FittingBatches(1 if isinstance(entry.shape[0], int) else MAX_BATCH)
        output = self._run([np.zeros((self._size[1], self._size[0], 3), np.uint8)])
        if output.ndim != 2 or output.shape[1] < 2:
            raise EngineError(f"{path}: output is {list(output.shape)}, expected one vector per person")
        self.dimension = output.shape[1]
        self.name = f"onnx:{Path(path).name}"

    def _run(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """The network's output for n (h, w, 3) uint8 BGR crops."""
        pixels = (np.asarray(crops)[..., ::-1].astype(np.float32) / 255 - MEAN) / DEVIATION
        data = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        return self._session.run([self._output], {self._input: data})[0]
