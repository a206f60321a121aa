"""What a static camera sees when nobody is there: learned from sample frames, the same in every worker.

The model is a pure function of the frames it was learned from, and those frames are fixed by the recording
alone (`background_sample_times`), so any worker that processes any part of a recording subtracts the same
background.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from workers.detection.motion_foreground import SAME_EXPOSURE, channel_gains, scaled
from workers.detection.motion_scale import learn_scale
from workers.detection.passers_by import empty_scene
from workers.types import EngineError

# One background holds for this long: long enough that people who stop to talk are gone for most of it, short
# enough that sun and shade have not moved far.
BLOCK_S = 180.0
# Odd, so that the median is a value that was really seen. More would cost decoding time for little.
SAMPLES = 41
# Frames are analysed at this size at most: a person 10 m away still spans dozens of pixels, and the time per
# frame is bounded whatever the camera delivers.
MAX_PIXELS = 640 * 400

# Raised when the same samples give another model: backgrounds that were kept by an older version are not used again.
LEARNING = 3

_MAGIC = b"SOBG1"
_HEADER = struct.Struct("<5sHHBdd")


@dataclass(frozen=True, eq=False)
class BackgroundModel:
    """The empty scene.

    Attributes:
        image: (h, w, 3) uint8 BGR; at most `MAX_PIXELS`, so possibly smaller than the camera's frames.
        noise: (h, w) uint8, robust standard deviation of the most restless channel, grey levels.
        scale: (slope, intercept) of persons' height in pixels of `image` over the row of their feet, as seen
            in the samples; None where too few were seen. Used for cameras without calibration.
    """

    image: np.ndarray
    noise: np.ndarray
    scale: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        image, noise = np.asarray(self.image), np.asarray(self.noise)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"image must be uint8 (h, w, 3), got {image.dtype} {image.shape}")
        if noise.dtype != np.uint8 or noise.shape != image.shape[:2]:
            raise ValueError(f"noise must be uint8 {image.shape[:2]}, got {noise.dtype} {noise.shape}")

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.image.shape[1], self.image.shape[0]

    def to_bytes(self) -> bytes:
        """Compact, lossless, the same bytes for the same model."""
        height, width = self.noise.shape
        # neighbouring pixels are alike: their differences compress to about half of the values themselves
        rows = np.concatenate([self.image.reshape(height, -1), self.noise], axis=1)
        delta = np.diff(rows.astype(np.int16), axis=0, prepend=0).astype(np.uint8)
        slope, intercept = self.scale or (0.0, 0.0)
        head = _HEADER.pack(_MAGIC, width, height, self.scale is not None, slope, intercept)
        return head + zlib.compress(delta.tobytes(), 6)

    @classmethod
    def from_bytes(cls, data: bytes) -> BackgroundModel:
        """Read what `to_bytes` wrote.

        Raises:
            EngineError: the bytes are something else, or cut off.
        """
        try:
            magic, width, height, scaled, slope, intercept = _HEADER.unpack_from(data)
            if magic != _MAGIC:
                raise ValueError("unknown format")
            delta = np.frombuffer(zlib.decompress(data[_HEADER.size :]), np.uint8).reshape(height, width * 4)
        except (struct.error, zlib.error, ValueError) as error:
            raise EngineError(f"not a background model ({error}); learn the background again") from error
        rows = np.cumsum(delta, axis=0, dtype=np.uint8)
        image = rows[:, : width * 3].reshape(height, width, 3)
        scale = (slope, intercept) if scaled else None
        return cls(np.ascontiguousarray(image), np.ascontiguousarray(rows[:, width * 3 :]), scale)


def background_sample_times(duration_s: float, at_s: float) -> tuple[float, ...]:
    """When to take the frames from which the background at one moment of a recording is learned.

    The recording is cut into equal blocks of about `BLOCK_S` (a short one is a single block); the times lie
    evenly in the block that holds `at_s`. They depend on nothing else.

    Args:
        duration_s: length of the whole recording, seconds.
        at_s: the moment to be analysed, seconds since the recording's start; moments outside are moved to the
            nearest end.

    Returns:
        `SAMPLES` ascending seconds since the recording's start, each before its end.

    Raises:
        ValueError: the duration is not positive and finite.
    """
    if not (np.isfinite(duration_s) and duration_s > 0):
        raise ValueError(f"duration must be positive and finite, got {duration_s} s")
    blocks = max(1, round(duration_s / BLOCK_S))
    length = duration_s / blocks
    block = min(max(int(at_s / length), 0), blocks - 1)
    return tuple(length * (block + (i + 0.5) / SAMPLES) for i in range(SAMPLES))


def learn_background(images: Sequence[np.ndarray]) -> BackgroundModel:
    """The empty scene in sample frames of one static camera.

    Differences of exposure between the samples are removed first (one gain per channel against the sample of
    median brightness), so that a passing cloud does not pass for noise.

    Args:
        images: one or more uint8 BGR (h, w, 3) frames of one size, in the order of time.

    Raises:
        EngineError: no frames, or frames of different sizes.
    """
    if not len(images):
        raise EngineError("no frames to learn the background from; is the recording readable?")
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise EngineError(f"frames of different sizes {sorted(shapes)} cannot share a background")
    samples = np.stack([to_working_size(image) for image in images])
    _level_exposure(samples)
    image, noise = empty_scene(samples)
    return BackgroundModel(image, noise, learn_scale(samples, image, noise))


def to_working_size(image: np.ndarray) -> np.ndarray:
    """The image itself, or a smaller copy with at most `MAX_PIXELS` pixels of the same proportions."""
    height, width = image.shape[:2]
    if height * width <= MAX_PIXELS:
        return image
    scale = (MAX_PIXELS / (height * width)) ** 0.5
    return cv2.resize(image, (int(width * scale), int(height * scale)), interpolation=cv2.INTER_AREA)


def _level_exposure(samples: np.ndarray) -> None:
    """Bring (n, h, w, 3) uint8 samples, in place, to the exposure of the one of median brightness."""
    brightness = samples[:, ::4, ::4].mean(axis=(1, 2, 3))
    reference = samples[np.argsort(brightness, kind="stable")[len(samples) // 2]].copy()
    for sample in samples:
        gains = channel_gains(reference, sample)
        if np.abs(gains - 1).max() > SAME_EXPOSURE:
            sample[:] = scaled(sample, gains)
