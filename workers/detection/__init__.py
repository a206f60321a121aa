"""Finding persons in images. Detectors are named on the command line: `motion`, `yolox:PATH`, ..., `auto`."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.detection.base import ThresholdedDetector, ViewContext
from workers.models import find_weights, onnx_providers, split_spec
from workers.types import Detector, EngineError

__all__ = [
    "Choice",
    "ViewContext",
    "build_detector",
    "choose_detector",
    "needs_background",
    "parse_spec",
]


@dataclass(frozen=True)
class Choice:
    """What `auto` takes, and why, for people."""

    spec: str
    reason: str


@dataclass(frozen=True)
class _Order:
    """What a builder is given."""

    path: str | None
    view: ViewContext | None
    models_dir: Path | None
    score_threshold: float | None
    device: str

    def threshold(self) -> dict[str, Any]:
        """The threshold as keyword argument, absent to leave the detector its own."""
        return {} if self.score_threshold is None else {"score_threshold": self.score_threshold}


def parse_spec(spec: str) -> tuple[str, str | None]:
    """`yolox:PATH` to (`yolox`, `PATH`), `motion` to (`motion`, None).

    Raises:
        EngineError: no such detector; lists the names.
    """
    return split_spec(spec, (*_BUILDERS, "auto"), "detector")


def needs_background(spec: str) -> bool:
    """Whether building it takes `ViewContext.background`; true for `auto`, which may choose one that does.

    Raises:
        EngineError: no such detector.
    """
    return parse_spec(spec)[0] in ("motion", "auto")


def build_detector(
    spec: str,
    *,
    view: ViewContext | None,
    models_dir: Path | None,
    score_threshold: float | None = None,
    device: str = "cpu",
) -> Detector:
    """Builds the detector that a name stands for.

    Args:
        spec: `motion`, `yolox:PATH`, `yolov8:PATH`, `fasterrcnn[:PATH]` or `auto`.
        view: the camera's view; only `motion` uses it.
        models_dir: where weights are looked for by file name (setting SPOTON_MODELS_DIR).
        score_threshold: detections below are left out; None leaves it to the detector.
        device: `cpu`, `cuda` or `cuda:N`.

    Raises:
        EngineError: no such detector, missing weights, device or background; says what to do.
    """
    name, path = parse_spec(spec)
    if name == "auto":
        name, path = parse_spec(choose_detector(models_dir, device).spec)
    return _BUILDERS[name](_Order(path, view, models_dir, score_threshold, device))


def choose_detector(models_dir: Path | None, device: str = "cpu") -> Choice:
    """The best detector for which everything is present. Loads nothing."""
    if device.startswith("cuda") and _has_torch() and (weights := _fasterrcnn_weights(models_dir)):
        return Choice(f"fasterrcnn:{weights}", f"a GPU, torch and its weights ({weights.name}) are here")
    if networks := _yolo_files(models_dir):
        best = networks[0]
        family = "yolox" if "yolox" in best.name.lower() else "yolov8"
        return Choice(f"{family}:{best}", f"{best.name} is in the models folder")
    folder = f"no *yolo*.onnx in {models_dir}" if models_dir else "SPOTON_MODELS_DIR is not set"
    return Choice("motion", f"{folder}; this one needs no weights")


def _has_torch() -> bool:
    return all(importlib.util.find_spec(name) for name in ("torch", "torchvision"))


def _fasterrcnn_weights(models_dir: Path | None) -> Path | None:
    """Weights in the models folder, else those that torchvision has fetched before."""
    from workers.detection.fasterrcnn import CHECKPOINT

    found = sorted(models_dir.glob("*fasterrcnn*.pth")) if models_dir else []
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "torch")
    cached = Path(home).expanduser() / "hub" / "checkpoints" / CHECKPOINT
    return next((path for path in (*found, cached) if path.is_file()), None)


def _yolo_files(models_dir: Path | None) -> list[Path]:
    """YOLO networks in the models folder, largest first: within a family, larger is more accurate."""
    found = [path for path in models_dir.glob("*.onnx") if "yolo" in path.name.lower()] if models_dir else []
    return sorted(found, key=lambda path: (-path.stat().st_size, path.name))


# -- builders ------------------------------------------------------------------------------------------------


def _build_motion(order: _Order) -> Detector:
    from workers.detection.motion import MotionDetector

    if order.view is None or order.view.background is None:
        raise EngineError(
            "The motion detector needs the view's background, learned from a recording of a static camera. "
            "For moving cameras or single images use a network: yolox:PATH, yolov8:PATH or fasterrcnn."
        )
    detector = MotionDetector(order.view.background, order.view.camera)
    return detector if order.score_threshold is None else ThresholdedDetector(detector, order.score_threshold)


def _build_yolo(order: _Order) -> Detector:
    from workers.detection.yolo import YoloDetector

    if order.path is None:
        raise EngineError("Which network? Name its file: yolox:PATH or yolov8:PATH (.onnx)")
    path = find_weights(order.path, order.models_dir, "YOLO")
    return YoloDetector(path, providers=onnx_providers(order.device), **order.threshold())


def _build_fasterrcnn(order: _Order) -> Detector:
    from workers.detection.fasterrcnn import FasterRcnnDetector

    path = find_weights(order.path, order.models_dir, "Faster R-CNN") if order.path else None
    return FasterRcnnDetector(
        path or _fasterrcnn_weights(order.models_dir), order.device, **order.threshold()
    )


_BUILDERS: dict[str, Callable[[_Order], Detector]] = {
    "motion": _build_motion,
    "yolox": _build_yolo,
    "yolov8": _build_yolo,
    "fasterrcnn": _build_fasterrcnn,
}
