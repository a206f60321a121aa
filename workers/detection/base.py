"""What detectors share: knowing the view, comparing boxes, thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workers.types import Detections, Detector

if TYPE_CHECKING:
    from calibration import CameraModel
    from workers.detection.background import BackgroundModel


@dataclass(frozen=True)
class ViewContext:
    """What is known of one camera's view, for detectors that use it.

    Attributes:
        camera: its calibration, for frames of the size that will be given.
        background: what the view looks like without people.
    """

    camera: CameraModel | None
    background: BackgroundModel | None


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
