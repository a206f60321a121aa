"""CLIP's image tower (open_clip) as embedder: knows clothes and bags for what they are; made for GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workers.models import FittingBatches, torch_device
from workers.reid.crops import CropEmbedder
from workers.types import EngineError

MAX_BATCH = 64
PRETRAINED = "laion2b_s34b_b79k"  # open_clip's name of the weights for ViT-B-32


class ClipEmbedder(CropEmbedder):
    """Embeds persons with CLIP's image tower; half precision on CUDA."""

    def __init__(self, path: Path | str | None, device: str = "cpu", model_name: str = "ViT-B-32") -> None:
        """
        Args:
            path: weights for `model_name`; None lets open_clip fetch its own (600 MB, kept in its cache).
            device: `cpu`, `cuda` or `cuda:N`.
            model_name: as open_clip names it.

        Raises:
            EngineError: torch, open_clip, the device or the weights are missing; says what to do.
        """
        self._device = torch_device(device)
        model, mean, deviation = _build(path, model_name)
        self._half = self._device.type == "cuda"
        self._tower = (model.visual.half() if self._half else model.visual).to(self._device).eval()
        side = model.visual.image_size
        self._size = tuple(side)[::-1] if isinstance(side, tuple | list) else (side, side)
        self._mean, self._deviation = (np.array(values, np.float32) for values in (mean, deviation))
        self.batches = FittingBatches(MAX_BATCH)
        self.dimension = int(model.visual.output_dim)
        self.name = f"clip:{model_name}"

    def _run(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        import torch

        pixels = (np.asarray(crops)[..., ::-1].astype(np.float32) / 255 - self._mean) / self._deviation
        data = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).to(self._device)
        with torch.inference_mode():
            features = self._tower(data.half() if self._half else data)
        return features.float().cpu().numpy()


def _build(path: Path | str | None, model_name: str):
    """The model and its input's mean and deviation."""
    try:
        import open_clip
    except ImportError as error:
        raise EngineError("CLIP needs open_clip: pip install -r requirements-torch.txt") from error
    if model_name not in open_clip.list_models():
        raise EngineError(f"open_clip knows no model {model_name!r}")
    if path is None:
        try:
            model = open_clip.create_model(model_name, pretrained=PRETRAINED)
        except Exception as error:  # the download's errors come from several libraries
            raise EngineError(
                f"The weights of CLIP {model_name} could not be downloaded ({type(error).__name__}). Put "
                f"{PRETRAINED} from huggingface.co/laion into SPOTON_MODELS_DIR and name the file: clip:PATH"
            ) from error
    else:
        model = open_clip.create_model(model_name, pretrained=None)
        try:
            open_clip.load_checkpoint(model, str(path))
        except Exception as error:  # pickle, safetensors, zip and torch errors share no base
            raise EngineError(f"{path}: not weights of CLIP {model_name}") from error
    visual = model.visual
    mean = getattr(visual, "image_mean", None) or open_clip.OPENAI_DATASET_MEAN
    deviation = getattr(visual, "image_std", None) or open_clip.OPENAI_DATASET_STD
    return model, mean, deviation
