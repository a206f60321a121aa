"""What detectors share: fitting images to a network's input, dropping duplicates, knowing the view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from workers.types import Detections, Detector

if TYPE_CHECKING:
    from calibration import CameraModel
    from workers.detection.background import BackgroundModel

PAD_GREY = 114  # what YOLO networks see beside the picture when they are trained
MAX_CANDIDATES = 2000  # before duplicates are dropped; bounds the pairwise comparison


@dataclass(frozen=True)
class ViewContext:
    """What is known of one camera's view, for detectors that use it.

    Attributes:
        camera: its calibration, for frames of the size that will be given.
        background: what the view looks like without people.
    """

    camera: CameraModel | None
    background: BackgroundModel | None


def letterbox(image: np.ndarray, planes: np.ndarray) -> float:
    """Scale the image to fit into `planes`, at the top left, the rest grey; the scale.

    Args:
        image: uint8 BGR (height, width, 3).
        planes: floating point (3, height, width), blue, green, red: overwritten.
    """
    (height, width), (rows, columns) = image.shape[:2], planes.shape[1:]
    scale = min(columns / width, rows / height)
    fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, fitted, interpolation=cv2.INTER_LINEAR)
    for plane, channel in zip(planes, cv2.split(small), strict=True):
        plane[: fitted[1], : fitted[0]] = channel
    planes[:, fitted[1] :] = PAD_GREY
    planes[:, : fitted[1], fitted[0] :] = PAD_GREY
    return scale


def select_persons(
    boxes_px: np.ndarray,
    scores: np.ndarray,
    image_size: tuple[int, int],
    *,
    score_threshold: float,
    nms_iou: float,
) -> Detections:
    """Candidates of one image to detections: scored enough, inside the image, each person once, best first.

    Args:
        boxes_px: (n, 4) xyxy pixels of the image.
        scores: (n,).
        image_size: (width, height).
    """
    boxes_px, scores = np.asarray(boxes_px, np.float32), np.asarray(scores, np.float32)
    passed = np.flatnonzero((scores >= score_threshold) & np.isfinite(boxes_px).all(1))
    best = passed[np.argsort(-scores[passed], kind="stable")][:MAX_CANDIDATES]
    boxes = np.clip(boxes_px[best], 0, np.tile(np.array(image_size, np.float32), 2))
    real = (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
    boxes, kept_scores = boxes[real], scores[best][real]
    keep = non_maximum_suppression(boxes, nms_iou)
    return Detections(boxes[keep], kept_scores[keep])


def non_maximum_suppression(boxes_px: np.ndarray, iou: float) -> np.ndarray:
    """(k,) indices of the boxes that overlap no better one by more than `iou`.

    Args:
        boxes_px: (n, 4) xyxy, best first.
    """
    apart = pairwise_iou(boxes_px, boxes_px) <= iou
    alive = np.ones(len(boxes_px), bool)
    keep = []
    for i in range(len(boxes_px)):
        if alive[i]:
            keep.append(i)
            alive &= apart[i]
    return np.array(keep, np.int64)


def pairwise_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, m) intersection over union of (n, 4) and (m, 4) xyxy boxes; 0 for boxes without area."""
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = a.T[..., None], b.T
    width = np.maximum(np.minimum(ax2, bx2) - np.maximum(ax1, bx1), 0)
    height = np.maximum(np.minimum(ay2, by2) - np.maximum(ay1, by1), 0)
    shared = width * height
    area_a, area_b = (np.maximum(x[:, 2] - x[:, 0], 0) * np.maximum(x[:, 3] - x[:, 1], 0) for x in (a, b))
    union = area_a[:, None] + area_b[None] - shared
    return np.where(union > 0, shared / np.where(union > 0, union, 1), 0)


class ThresholdedDetector:
    """Leaves out detections below a score, for detectors that have no threshold of their own."""

    def __init__(self, detector: Detector, score_threshold: float) -> None:
        self.name = detector.name
        self._detector = detector
        self._score_threshold = score_threshold

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """As the wrapped detector's, without weak detections."""
        found = self._detector.detect(images)
        strong = [detections.scores >= self._score_threshold for detections in found]
        return [Detections(d.boxes_px[s], d.scores[s]) for d, s in zip(found, strong, strict=True)]
