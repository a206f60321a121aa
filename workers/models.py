"""What all networks need, whichever library runs them: names, weights, sessions, batches that fit in memory.

Importing this loads neither ONNX Runtime nor torch.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from workers.types import EngineError

if TYPE_CHECKING:
    import onnxruntime
    import torch

logger = logging.getLogger(__name__)
Item = TypeVar("Item")
Result = TypeVar("Result")


def split_spec(spec: str, names: Collection[str], what: str) -> tuple[str, str | None]:
    """`yolox:PATH` to (`yolox`, `PATH`), `motion` to (`motion`, None).

    Raises:
        EngineError: the name is none of `names`.
    """
    name, _, path = spec.strip().partition(":")
    if name not in names:
        raise EngineError(f"There is no {what} {name!r}. Choose one of: {', '.join(names)}.")
    return name, path or None


def find_weights(path: str | Path, models_dir: Path | None, what: str) -> Path:
    """The file of weights: below the models folder, or the path as given.

    Raises:
        EngineError: it is in neither place.
    """
    for candidate in (*([models_dir / path] if models_dir else []), Path(path)):
        if candidate.is_file():
            return candidate
    folder = (
        "nor in the models folder (SPOTON_MODELS_DIR)" if models_dir else "and SPOTON_MODELS_DIR is not set"
    )
    raise EngineError(f"The weights for {what} are not at {path} {folder}.")


def open_onnx(
    path: Path, providers: Sequence[Any] | None, threads: int | None
) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session.

    Args:
        path: the model.
        providers: execution providers; None takes CUDA where this ONNX Runtime has it, else the CPU.
        threads: per session. Workers are pinned to cores, so more than their share makes all of them slower.

    Raises:
        EngineError: the file is not a model that can be run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # ONNX Runtime does not read this variable by itself
    options.intra_op_num_threads = threads or int(os.environ.get("OMP_NUM_THREADS") or 1)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # warnings about unused initialisers help nobody
    if providers is None:
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # ONNX Runtime raises its own types, which share no base
        raise EngineError(f"{path}: not an ONNX model that can be run here ({_first_line(error)})") from error


def onnx_providers(device: str) -> list[Any] | None:
    """Execution providers for `cpu`, `cuda` or `cuda:N`.

    Raises:
        EngineError: CUDA is asked for, but this ONNX Runtime has none.
    """
    if device == "cpu":
        return ["CPUExecutionProvider"]
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise EngineError(f"Device {device} needs onnxruntime-gpu: pip install -r requirements-gpu.txt")
    number = int(device.partition(":")[2] or 0)
    return [("CUDAExecutionProvider", {"device_id": number}), "CPUExecutionProvider"]


def torch_device(device: str) -> torch.device:
    """The torch device, after checking that it is there.

    Raises:
        EngineError: torch or the device is missing; says what to do.
    """
    try:
        import torch
    except ImportError as error:
        raise EngineError("This needs torch: pip install -r requirements-torch.txt") from error
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise EngineError(f"There is no device {device!r}. Use cpu, cuda or cuda:N.") from error
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise EngineError(f"Device {device} was asked for, but torch sees {torch.cuda.device_count()} GPUs.")
    return wanted


def load_state(path: Path) -> dict[str, Any]:
    """A file of torch weights, read without running code from it.

    Raises:
        EngineError: it is not one.
    """
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and torch errors share no base
        raise EngineError(f"{path}: not a file of torch weights ({_first_line(error)})") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict):
        raise EngineError(f"{path}: not a file of torch weights (it holds a {type(state).__name__})")
    return state


class FittingBatches:
    """Runs items in batches and halves the batch for good when memory runs out.

    Attributes:
        size: of a batch, at present.
        halvings: how often memory ran out.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.halvings = 0

    def run(
        self, items: Sequence[Item], function: Callable[[Sequence[Item]], Iterable[Result]]
    ) -> list[Result]:
        """`function` of batches of `items`, results in order.

        Raises:
            EngineError: not even one item fits.
        """
        results: list[Result] = []
        while len(results) < len(items):
            try:
                results.extend(function(items[len(results) : len(results) + self.size]))
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self._halve(error)
        return results

    def _halve(self, error: Exception) -> None:
        self.halvings += 1
        if self.size == 1:
            raise EngineError(
                "The device's memory is too small for one image. Use another device."
            ) from error
        self.size = max(1, self.size // 2)
        logger.warning("out of memory: batches of %d from now on", self.size)


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch or ONNX Runtime ran out of device memory. By name, so that neither must be loaded."""
    text = str(error).lower()
    return (
        type(error).__name__ == "OutOfMemoryError"
        or "out of memory" in text
        or "failed to allocate memory" in text
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
