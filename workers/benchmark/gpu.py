"""Networks on a CUDA device: per frame, per person, and all together; without weights, random ones are as fast."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from workers.benchmark.networks import write_yolox_nano
from workers.benchmark.report import Report, gpu_name
from workers.detection.fasterrcnn import FasterRcnnDetector
from workers.detection.yolo import YoloDetector
from workers.reid.clip import ClipEmbedder
from workers.types import EngineError

FRAME, PEOPLE, CAMERAS = (1920, 1080), 10, 4
TITLE = f"CUDA, half precision: {FRAME[0]}x{FRAME[1]}, {PEOPLE} people in a frame"


def gpu(models_dir: Path | None = None, repeats: int = 20) -> Report:
    """Milliseconds of wall time; a whole instant is `CAMERAS` frames at once."""
    name = gpu_name()
    if name is None:
        return Report(TITLE, note="no GPU")
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 255, (FRAME[1], FRAME[0], 3)).astype(np.uint8) for _ in range(CAMERAS)]
    left = np.linspace(0, FRAME[0] - 200, PEOPLE)
    boxes = np.column_stack([left, np.full(PEOPLE, 300), left + 150, np.full(PEOPLE, 800)])
    with tempfile.TemporaryDirectory() as folder:
        detector = FasterRcnnDetector(_fasterrcnn(models_dir, Path(folder)), "cuda")
        embedder = ClipEmbedder(_clip(models_dir, Path(folder)), "cuda")
        nano = write_yolox_nano(Path(folder, "yolox_nano.onnx"))
        yolos = {way: YoloDetector(nano, providers=[way, "CPUExecutionProvider"]) for way in _providers()}

    def whole() -> None:
        detector.detect(images)
        for image in images:
            embedder.embed(image, boxes)

    calls = {
        "Faster R-CNN, one frame": (lambda: detector.detect(images[:1]), 1, 50),
        f"Faster R-CNN, {CAMERAS} frames at once, each": (lambda: detector.detect(images), CAMERAS, 50),
        f"CLIP ViT-B-32, {PEOPLE} persons at once, each": (
            lambda: embedder.embed(images[0], boxes),
            PEOPLE,
            20,
        ),
        "detect and embed, each frame": (whole, CAMERAS, 100),
    }
    for way, yolo in yolos.items():
        what = f"YOLOX-nano, {CAMERAS} frames at once, each ({way.removesuffix('ExecutionProvider')})"
        calls[what] = (partial(yolo.detect, images), CAMERAS, "")
    rows = []
    for what, (call, parts, goal) in calls.items():
        call()
        spent = sorted(_ms(call) / parts for _ in range(repeats))
        rows.append(
            {"what": what, "median ms": spent[len(spent) // 2], "least ms": spent[0], "goal ms": goal}
        )
    return Report(f"{TITLE}, {name}", rows)


def _providers() -> list[str]:
    """ONNX Runtime's ways to use the GPU: which is worth having is for the figures to say."""
    import onnxruntime

    wanted = ("TensorrtExecutionProvider", "CUDAExecutionProvider")
    return [name for name in wanted if name in onnxruntime.get_available_providers()]


def _fasterrcnn(models_dir: Path | None, folder: Path) -> Path:
    found = sorted(models_dir.glob("*fasterrcnn*.pth")) if models_dir else []
    if found:
        return found[0]
    try:
        import torch
        from torchvision.models.detection import fasterrcnn_resnet50_fpn_v2
    except ImportError as error:
        raise EngineError("Faster R-CNN needs torchvision: pip install -r requirements-torch.txt") from error
    torch.manual_seed(1)
    network = fasterrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None)
    torch.save(network.state_dict(), folder / "fasterrcnn.pth")
    return folder / "fasterrcnn.pth"


def _clip(models_dir: Path | None, folder: Path) -> Path:
    found = sorted(models_dir.glob("*clip*.pt")) if models_dir else []
    if found:
        return found[0]
    try:
        import open_clip
        import torch
    except ImportError as error:
        raise EngineError("CLIP needs open_clip: pip install -r requirements-torch.txt") from error
    torch.manual_seed(1)
    torch.save(open_clip.create_model("ViT-B-32", pretrained=None).state_dict(), folder / "clip.pt")
    return folder / "clip.pt"


def _ms(call) -> float:
    """The product's functions end with their results on the host, so nothing is left running."""
    begun = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - begun)
