"""A person cut out of a frame: how well it shows them, and which part it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracking.models import Detection

# room around a person, as a share of the box
CROP_MARGIN = 0.12
CROP_QUALITY = 88
# a box this close to the picture's edge (px) is taken to be cut by it, and worth so much less
EDGE_PX = 2.0
CUT_WORTH = 0.25


def quality_of(box_px: Sequence[float], confidence: float, image_size: Sequence[float]) -> float:
    """How well a box shows a person: height times confidence, a quarter of it where the picture's edge cuts them.

    Args:
        box_px: x1, y1, x2, y2 in an image of `image_size` (width, height).
    """
    x1, y1, x2, y2 = box_px
    width, height = image_size
    cut = min(x1, y1) <= EDGE_PX or x2 >= width - EDGE_PX or y2 >= height - EDGE_PX
    return (y2 - y1) * confidence * (CUT_WORTH if cut else 1.0)


# the same of rows of tracking_detection d and environments_camera c
QUALITY_SQL = f"""(d.y2 - d.y1) * d.confidence * CASE WHEN LEAST(d.x1, d.y1) <= {EDGE_PX}
    OR d.x2 >= c.image_width - {EDGE_PX} OR d.y2 >= c.image_height - {EDGE_PX} THEN {CUT_WORTH} ELSE 1 END"""


def cut_out(image: np.ndarray, detection: Detection) -> np.ndarray | None:
    """The detected person with some room around, out of the pixels of a frame; None: the box lies outside.

    Args:
        image: (height, width, 3), of any size.
    """
    height, width = image.shape[:2]
    sx, sy = width / detection.camera.image_width, height / detection.camera.image_height
    x1, y1, x2, y2 = detection.x1 * sx, detection.y1 * sy, detection.x2 * sx, detection.y2 * sy
    mx, my = (x2 - x1) * CROP_MARGIN, (y2 - y1) * CROP_MARGIN
    left, top = max(0, int(x1 - mx)), max(0, int(y1 - my))
    crop = image[top : max(0, int(y2 + my) + 1), left : max(0, int(x2 + mx) + 1)]
    return crop if crop.size else None
