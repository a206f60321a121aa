"""Persons in front of a static camera, without weights: background subtraction and a calibrated size prior.

A foreground likelihood is explained by persons of the size that the camera's geometry expects at every spot,
best first; what one person explains does not count for the next, which splits groups and finds the partly
hidden. The idea is that of the probabilistic occupancy map (Fleuret, Berclaz, Lengagne, Fua, Multicamera
People Tracking with a Probabilistic Occupancy Map, 2008), reduced to one view and a greedy search.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np

from calibration import CameraModel
from workers.detection.background import BackgroundModel
from workers.detection.motion_blobs import boxes_of_blobs, find_blobs
from workers.detection.motion_bodies import (
    Bodies,
    body_boxes,
    make_bodies,
    prior_from_camera,
    prior_from_scale,
)
from workers.detection.motion_foreground import Foreground
from workers.detection.motion_refine import refine_bodies
from workers.detection.motion_search import SearchSettings, find_persons
from workers.types import Detections, EngineError

# With more of the image changed than this, the background is not what this camera sees (it was moved, or the
# lights went out), and whatever would be found is not persons.
_MAX_CHANGED = 0.6
# What a person explains per pixel of body at which the score is 1 - 1/e: a score above 0.5 says that about a
# fifth of the person stands out where nobody else does.
_SCORE_GAIN = 0.2


@dataclass(frozen=True)
class MotionSettings:
    """Tunables of the motion detector.

    Attributes:
        search: of the search for persons in the foreground.
        min_height_px: persons smaller than this in the analysed image (`MAX_PIXELS`) are not looked for;
            below about 20 pixels noise looks like them.
        min_inside: share of a body that must lie within the image; less is too little to place a foot by.
    """

    search: SearchSettings = field(default_factory=SearchSettings)
    min_height_px: float = 20.0
    min_inside: float = 0.35

    def __post_init__(self) -> None:
        if self.min_height_px < 8:
            raise ValueError(f"min_height_px must be at least 8, got {self.min_height_px}")
        if not 0 < self.min_inside <= 1:
            raise ValueError(f"min_inside must lie above 0 and not above 1, got {self.min_inside}")


class MotionDetector:
    """Finds persons by what differs from the background. Stateless: an image's result depends on it alone.

    Sizes come from the camera; without one from the scale that the background's samples showed; and without
    that, connected foreground is cut by the usual proportions of persons.
    """

    name = "motion"

    def __init__(
        self,
        background: BackgroundModel,
        camera: CameraModel | None,
        *,
        settings: MotionSettings | None = None,
    ) -> None:
        self._settings = settings or MotionSettings()
        self._size = background.size
        self._foreground = Foreground(background.image, background.noise)
        view = json.dumps(camera.to_mapping()) if camera is not None else background.scale
        self._bodies = None if view is None else _bodies_of(view, self._size, self._settings)

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """One `Detections` per uint8 BGR image, in order; boxes are cut at the image's edges.

        Raises:
            EngineError: an image has other proportions than the background.
        """
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: np.ndarray) -> Detections:
        height, width = image.shape[:2]
        scale = np.array([width / self._size[0], height / self._size[1]])
        if abs(scale[0] / scale[1] - 1) > 0.02:
            raise EngineError(
                f"a frame of {width}x{height} does not fit the background of "
                f"{self._size[0]}x{self._size[1]}; learn the background from the same camera's frames"
            )
        if (width, height) != self._size:
            image = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
        likelihood = self._foreground.likelihood(image)
        if cv2.mean(likelihood)[0] > _MAX_CHANGED * 255:
            return Detections.empty()
        boxes, scores = self._boxes(likelihood)
        boxes = np.clip(boxes, 0, [*self._size, *self._size]) * np.tile(scale, 2)
        return Detections(boxes, scores)

    def _boxes(self, likelihood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, 4) boxes and (n,) scores in the analysed image."""
        if self._bodies is None:
            return boxes_of_blobs(find_blobs(likelihood, self._settings.min_height_px))
        search = self._settings.search
        chosen, gains = find_persons(likelihood, self._bodies, search)
        outlines = refine_bodies(likelihood, chosen, self._bodies, search.neutral_level)
        return body_boxes(*outlines), 1.0 - np.exp(-gains / _SCORE_GAIN)


@lru_cache(maxsize=32)
def _bodies_of(view: str | tuple[float, float], size: tuple[int, int], settings: MotionSettings) -> Bodies:
    """The hypotheses of one view: they take longer to make than several frames to search, and stay the same when the
    background is learned anew.

    Args:
        view: a camera's mapping as JSON, or the scale that the background's samples showed.
    """
    if isinstance(view, str):
        prior = prior_from_camera(CameraModel.from_mapping(json.loads(view)).scaled_to(size))
    else:
        prior = prior_from_scale(view)
    return make_bodies(prior, size, settings.min_height_px, settings.min_inside)


def warm() -> None:
    """Find somebody once, so that the loops are compiled, or loaded."""
    empty = np.full((120, 160, 3), 90, np.uint8)
    image = empty.copy()
    image[40:100, 70:90] = 200
    view = BackgroundModel(empty, np.ones(empty.shape[:2], np.uint8), scale=(0.0, 60.0))
    MotionDetector(view, None).detect([image])
