"""Faster R-CNN (ResNet-50 FPN v2) of torchvision: the most accurate of the detectors, made for GPUs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workers.detection.selection import select_persons
from workers.models import FittingBatches, load_state, torch_device
from workers.types import Detections, EngineError

PERSON = 1  # in COCO's numbering; 0 is background
CHECKPOINT = "fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth"  # as torchvision names its download
MAX_BATCH = 8


class FasterRcnnDetector:
    """Finds persons with torchvision's Faster R-CNN; half precision on CUDA."""

    name = "fasterrcnn"

    def __init__(
        self,
        path: Path | str | None,
        device: str = "cpu",
        score_threshold: float = 0.6,
        nms_iou: float = 0.6,
        input_height: int = 800,
    ) -> None:
        """
        Args:
            path: weights (a state dict of `fasterrcnn_resnet50_fpn_v2`); None lets torchvision fetch its own
                (167 MB, kept in its cache).
            device: `cpu`, `cuda` or `cuda:N`.
            score_threshold: detections below are left out; its scores are high: 0.6 still finds nearly all.
            nms_iou: of two boxes that overlap more, the better is kept.
            input_height: shorter side that images are scaled to; 800 is what it was trained with.

        Raises:
            EngineError: torch, the device or the weights are missing; says what to do.
        """
        self._device = torch_device(device)
        self._score_threshold, self._nms_iou = score_threshold, nms_iou
        self._network = _build(path, score_threshold, input_height).to(self._device).eval()
        self.batches = FittingBatches(MAX_BATCH)

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """One `Detections` per uint8 BGR image, in order, best first; boxes are clipped to the image."""
        # The network pads a batch to its largest image, which would let neighbours change a result: one size
        # at a time.
        by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i, image in enumerate(images):
            by_shape[image.shape].append(i)
        found: dict[int, Detections] = {}
        for indices in by_shape.values():
            results = self.batches.run([images[i] for i in indices], self._detect_batch)
            found.update(zip(indices, results, strict=True))
        return [found[i] for i in range(len(images))]

    def _detect_batch(self, images: Sequence[np.ndarray]) -> list[Detections]:
        import torch

        with torch.inference_mode(), torch.autocast("cuda", enabled=self._device.type == "cuda"):
            inputs = [
                torch.from_numpy(np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))).to(self._device)
                for image in images
            ]
            outputs = self._network([pixels.float() / 255 for pixels in inputs])
        return [
            self._persons({key: value.float().cpu().numpy() for key, value in output.items()}, image)
            for output, image in zip(outputs, images, strict=True)
        ]

    def _persons(self, output: dict[str, np.ndarray], image: np.ndarray) -> Detections:
        person = output["labels"] == PERSON
        return select_persons(
            output["boxes"][person],
            output["scores"][person],
            (image.shape[1], image.shape[0]),
            score_threshold=self._score_threshold,
            nms_iou=self._nms_iou,
        )


def _build(path: Path | str | None, score_threshold: float, input_height: int):
    """The network with its weights."""
    try:
        from torchvision.models.detection import (
            FasterRCNN_ResNet50_FPN_V2_Weights,
            fasterrcnn_resnet50_fpn_v2,
        )
    except ImportError as error:
        raise EngineError("Faster R-CNN needs torchvision: pip install -r requirements-torch.txt") from error
    options = {"min_size": input_height, "box_score_thresh": score_threshold}
    if path is None:
        weights = FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1
        try:
            return fasterrcnn_resnet50_fpn_v2(weights=weights, progress=False, **options)
        except (OSError, RuntimeError) as error:  # no network, or a download that broke off
            raise EngineError(
                f"The weights of Faster R-CNN could not be downloaded ({error}). Put {CHECKPOINT} from "
                f"{weights.url} into SPOTON_MODELS_DIR, or name the file: fasterrcnn:PATH"
            ) from error
    network = fasterrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, **options)
    try:
        network.load_state_dict(load_state(Path(path)))
    except RuntimeError as error:
        raise EngineError(f"{path}: not weights of torchvision's fasterrcnn_resnet50_fpn_v2") from error
    return network
