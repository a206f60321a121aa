"""Describing how persons look. Embedders go by names: `descriptor`, `onnx:PATH`, `clip[:PATH]`, `auto`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workers.models import find_weights, onnx_providers, split_spec
from workers.reid.crops import CropEmbedder
from workers.types import Embedder, EngineError

__all__ = ["EmbedderChoice", "build_embedder", "choose_embedder", "embed_all", "parse_embedder_spec"]

# what files of re-identification networks are called
_REID_NAMES = ("osnet", "reid", "re-id")


@dataclass(frozen=True)
class EmbedderChoice:
    """What `auto` takes, and why, for people."""

    spec: str
    reason: str


def parse_embedder_spec(spec: str) -> tuple[str, str | None]:
    """`onnx:PATH` to (`onnx`, `PATH`), `descriptor` to (`descriptor`, None).

    Raises:
        EngineError: no such embedder; lists the names.
    """
    return split_spec(spec, (*_BUILDERS, "auto"), "embedder")


def build_embedder(spec: str, *, models_dir: Path | None, device: str = "cpu") -> Embedder:
    """Builds the embedder that a name stands for.

    Args:
        spec: `descriptor`, `onnx:PATH`, `clip[:PATH]` or `auto`.
        models_dir: where weights are looked for by file name (setting SPOTON_MODELS_DIR).
        device: `cpu`, `cuda` or `cuda:N`.

    Raises:
        EngineError: no such embedder, missing weights or device; says what to do.
    """
    name, path = parse_embedder_spec(spec)
    if name == "auto":
        name, path = parse_embedder_spec(choose_embedder(models_dir, device).spec)
    return _BUILDERS[name](path, models_dir, device)


def choose_embedder(models_dir: Path | None, device: str = "cpu") -> EmbedderChoice:
    """The best embedder for which everything is present. Loads nothing.

    A network made for re-identification beats CLIP, which beats colours; CLIP is taken on a GPU only.
    """
    names = sorted(path for path in models_dir.iterdir() if path.is_file()) if models_dir else []
    for path in names:
        if path.suffix == ".onnx" and any(part in path.name.lower() for part in _REID_NAMES):
            return EmbedderChoice(f"onnx:{path}", f"{path.name} is in the models folder")
    if device.startswith("cuda") and importlib.util.find_spec("open_clip"):
        for path in names:
            if path.suffix in (".pt", ".pth", ".bin") and "clip" in path.name.lower():
                return EmbedderChoice(
                    f"clip:{path}", f"a GPU, open_clip and its weights ({path.name}) are here"
                )
    folder = f"no re-identification network in {models_dir}" if models_dir else "SPOTON_MODELS_DIR is not set"
    return EmbedderChoice("descriptor", f"{folder}; this one needs no weights")


def embed_all(
    embedder: Embedder, images: Sequence[np.ndarray], boxes_px: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """`Embedder.embed` for several images; networks take all persons in one go.

    Args:
        images: uint8 BGR arrays; boxes_px: (n, 4) of each.

    Returns:
        (n, dimension) float32 unit rows for each image.
    """
    if isinstance(embedder, CropEmbedder):
        return embedder.embed_all(images, boxes_px)
    return [embedder.embed(image, boxes) for image, boxes in zip(images, boxes_px, strict=True)]


# -- builders -----------------------------------------------------------------------------------------------


def _build_descriptor(path: str | None, models_dir: Path | None, device: str) -> Embedder:
    from workers.reid.descriptor import DescriptorEmbedder

    return DescriptorEmbedder()


def _build_onnx(path: str | None, models_dir: Path | None, device: str) -> Embedder:
    from workers.reid.onnx import OnnxEmbedder

    if path is None:
        raise EngineError("Which network? Name its file: onnx:PATH")
    return OnnxEmbedder(find_weights(path, models_dir, "re-identification"), onnx_providers(device))


def _build_clip(path: str | None, models_dir: Path | None, device: str) -> Embedder:
    from workers.reid.clip import ClipEmbedder

    return ClipEmbedder(find_weights(path, models_dir, "CLIP") if path else None, device)


_BUILDERS: dict[str, Callable[[str | None, Path | None, str], Embedder]] = {
    "descriptor": _build_descriptor,
    "onnx": _build_onnx,
    "clip": _build_clip,
}
