"""Folders of numbered images: `000123.jpg` is the frame with presentation index 123."""

from __future__ import annotations

import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from workers.sources.base import SAME_INSTANT_S, SourceBase, SourceProblem, check_range
from workers.sources.policy import SourcePolicy
from workers.types import EngineError, SourceFrame, SourceInfo

_NUMBERED = re.compile(r"^(\d{1,12})\.(jpg|jpeg|png)$", re.IGNORECASE)
DEFAULT_FPS = 10.0  # image folders do not say; the usual rate of research footage


class ImageFolderSource(SourceBase):
    """A sequence of JPEG or PNG files. Time 0 is the lowest number present; missing numbers are gaps."""

    def __init__(self, folder: Path, *, policy: SourcePolicy, fps: float | None = None) -> None:
        """
        Args:
            folder: holds `NUMBER.jpg` (or jpeg, png) files; other files are left alone.
            policy: links inside the folder must not lead out of the allowed roots.
            fps: frames per second of the numbers.

        Raises:
            EngineError: no numbered image, two images with one number, or none that can be decoded.
        """
        super().__init__(str(folder))
        self._folder = folder
        self._fps = float(fps or DEFAULT_FPS)
        self._names = _numbered_images(folder, policy)
        self._numbers = sorted(self._names)
        self._report_gaps()
        first = next((frame for n in self._numbers if (frame := self._load(n)) is not None), None)
        if first is None:
            raise EngineError(f"{folder}: none of its {len(self._numbers)} images can be decoded")
        height, width = first.image.shape[:2]
        span = self._numbers[-1] - self._numbers[0] + 1
        self.info = SourceInfo((width, height), self._fps, span / self._fps, len(self._numbers))

    def frames(
        self, start_s: float = 0.0, end_s: float | None = None, stride: int = 1
    ) -> Iterator[SourceFrame]:
        check_range(start_s, end_s, stride)
        begin = bisect_left(self._numbers, start_s - SAME_INSTANT_S, key=self._time_s)
        end = len(self._numbers)
        if end_s is not None:
            end = bisect_left(self._numbers, end_s - SAME_INSTANT_S, key=self._time_s)
        for number in self._numbers[begin:end]:
            if number % stride == 0 and (frame := self._load(number)) is not None:
                yield frame

    def frame_at(self, time_s: float) -> SourceFrame:
        at = bisect_right(self._numbers, time_s + SAME_INSTANT_S, key=self._time_s) - 1
        for number in self._numbers[max(at, 0) :]:
            if (frame := self._load(number)) is not None:
                return frame
        raise EngineError(f"{self.label}: no image can be decoded from {time_s:.3f} s on")

    def _time_s(self, number: int) -> float:
        return (number - self._numbers[0]) / self._fps

    def _load(self, number: int) -> SourceFrame | None:
        """Decodes one image; None, and a report, when it is damaged or cut off."""
        name = self._names[number]
        try:
            data = np.fromfile(self._folder / name, np.uint8)
        except OSError as error:
            self._problem(number, f"{name} cannot be read: {error.strerror}")
            return None
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if image is None:
            self._problem(number, f"{name} is damaged and cannot be decoded")
            return None
        if hasattr(self, "info") and image.shape[1::-1] != self.info.image_size:
            width, height = self.info.image_size
            self._problem(number, f"{name} is {image.shape[1]}x{image.shape[0]}, resized to {width}x{height}")
            image = cv2.resize(image, self.info.image_size, interpolation=cv2.INTER_AREA)
        return SourceFrame(number, self._time_s(number), image, name)

    def _problem(self, number: int, message: str) -> None:
        self.report(SourceProblem(number, self._time_s(number), message))

    def _report_gaps(self) -> None:
        for before, after in zip(self._numbers, self._numbers[1:], strict=False):
            if after == before + 2:
                self._problem(before + 1, f"image {before + 1} is missing")
            elif after > before + 1:
                self._problem(before + 1, f"images {before + 1} to {after - 1} are missing")


def _numbered_images(folder: Path, policy: SourcePolicy) -> dict[int, str]:
    """File names by number."""
    names: dict[int, str] = {}
    try:
        with os.scandir(folder) as entries:
            found = sorted((e for e in entries if _NUMBERED.match(e.name)), key=lambda e: e.name)
    except OSError as error:
        raise EngineError(f"{folder}: cannot be read: {error.strerror}") from error
    for entry in found:
        if entry.is_symlink():
            policy.check_path(entry.path)
        number = int(entry.name.split(".")[0])
        if number in names:
            raise EngineError(f"{folder}: both {names[number]} and {entry.name} stand for frame {number}")
        names[number] = entry.name
    if not names:
        raise EngineError(f"{folder}: holds no numbered images such as 000123.jpg")
    return names
