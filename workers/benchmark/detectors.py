"""Which form of a detector is worth its accuracy: floating point, 8-bit integers, exports; by frames at once.

Decides what the product uses: a form that is not clearly faster here, at nearly the same recall, is not worth having.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workers.benchmark import variants
from workers.benchmark.crowd import SIZE
from workers.benchmark.networks import write_yolox_nano
from workers.benchmark.report import Report
from workers.detection.motion_benchmark import measure, read_frames, read_truth
from workers.detection.yolo import YoloDetector
from workers.types import Detector, EngineError

AT_ONCE = (1, 4, 8)
CALIBRATION_FRAMES = 30
# frames of the truth that are looked at: every eighth
STEP = 8


def detectors(
    *,
    models_dir: Path | None = None,
    video: Path | None = None,
    truth: Path | None = None,
    repeats: int = 10,
    frames: int = 400,
    at_once: Sequence[int] = AT_ONCE,
    torch: bool = True,
) -> Report:
    """Processor time per frame on one core.

    Args:
        models_dir: where `yolo*.onnx` lies; without it random weights.
        video, truth: footage with known boxes; scales are learned from frames behind the first `frames`, recall and
            precision measured on those (IoU 0.5).
        torch: Faster R-CNN as well, which takes seconds per frame on a CPU.
    """
    images = read_frames(video)[0] if video else _noise(16)
    known = (
        {i: boxes for i, boxes in read_truth(truth).items() if i < frames and i % STEP == 0} if truth else {}
    )
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = sorted(models_dir.glob("*yolo*.onnx")) if models_dir else []
        for network in given or [write_yolox_nano(folder / "yolox_nano_random.onnx")]:
            for form, path in _forms(network, folder, images[frames:] or images):
                rows += _measured(
                    f"{network.stem}, {form}", YoloDetector(path, threads=1), images, known, repeats, at_once
                )
        if torch:
            rows += _fasterrcnn(folder, images[0], max(1, repeats // 5))
    return Report("Detectors and their forms: processor time per frame, one core", rows)


def _forms(network: Path, folder: Path, images: Sequence[np.ndarray]) -> Iterator[tuple[str, Path]]:
    yield "float32", network
    plain = YoloDetector(network, threads=1)
    chosen = images[:: max(1, len(images) // CALIBRATION_FRAMES)][:CALIBRATION_FRAMES]
    inputs = [plain._fit([image])[0].copy() for image in chosen]
    dynamic, static = folder / f"{network.stem}-dynamic.onnx", folder / f"{network.stem}-static.onnx"
    yield "int8 dynamic", variants.quantise_dynamically(network, dynamic)
    yield "int8 static", variants.quantise_statically(network, static, plain._input, inputs)


def _measured(
    name: str,
    detector: YoloDetector,
    images: Sequence[np.ndarray],
    known: Mapping[int, np.ndarray],
    repeats: int,
    at_once: Sequence[int],
) -> list[dict[str, Any]]:
    rows = []
    for count in at_once:
        if count > detector.batches.size:
            continue  # exported for fewer
        best = min(_ms(lambda n=count: detector.detect(images[:n])) for _ in range(repeats))
        rows.append({"network": name, "frames at once": count, "ms per frame": best / count})
    if known:
        rows[0] |= _quality(detector, images, known)
    return rows


def _quality(
    detector: Detector, images: Sequence[np.ndarray], known: Mapping[int, np.ndarray]
) -> dict[str, float]:
    result = measure(detector, {i: images[i] for i in known}, known)
    return {"recall": round(result.recall, 3), "precision": round(result.precision, 3)}


def _fasterrcnn(folder: Path, image: np.ndarray, repeats: int) -> list[dict[str, Any]]:
    """PyTorch, TorchScript and ONNX of the same random weights."""
    try:
        import torch
        from torchvision.models.detection import fasterrcnn_resnet50_fpn_v2
    except ImportError:
        return []
    torch.set_num_threads(1)
    torch.manual_seed(1)
    network = fasterrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, box_score_thresh=0.6).eval()
    pixels = torch.from_numpy(np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))).float() / 255
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's models can still be scripted, if not for ever
        scripted = torch.jit.script(network)
    calls: dict[str, Callable[[], object]] = {
        "PyTorch": lambda: network([pixels]),
        "TorchScript": lambda: scripted([pixels]),
    }
    try:
        from workers.models import open_onnx

        session = open_onnx(
            variants.export_fasterrcnn(network, folder / "fasterrcnn.onnx", pixels),
            ["CPUExecutionProvider"],
            1,
        )
        inputs = {session.get_inputs()[0].name: pixels.numpy()}
        calls["ONNX"] = lambda: session.run(None, inputs)
    except EngineError:
        pass  # without onnx there is no such export
    rows = []
    for form, call in calls.items():
        with torch.inference_mode():
            call()
            best = min(_ms(call) for _ in range(repeats))
        rows.append(
            {"network": f"Faster R-CNN (random weights), {form}", "frames at once": 1, "ms per frame": best}
        )
    return rows


def _noise(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 255, (SIZE[1], SIZE[0], 3)).astype(np.uint8) for _ in range(count)]


def _ms(call: Callable[[], object]) -> float:
    begun = time.process_time()
    call()
    return 1e3 * (time.process_time() - begun)
