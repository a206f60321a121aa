"""Pictures that cameras send as JPEG: handed on as they are, decoded only for those who look at them."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np


class DamagedJpegError(ValueError):
    """It cannot be decoded."""


class Jpeg:
    """One picture. Whether its pixels can be read shows when somebody wants them.

    Attributes:
        data: as it came; size: (width, height), of which its header tells.
    """

    def __init__(self, data: bytes) -> None:
        """
        Raises:
            DamagedJpegError: the header is missing.
        """
        self.data = data
        self.size = size_of_jpeg(data)

    @cached_property
    def image(self) -> np.ndarray:
        """uint8 BGR (height, width, 3).

        Raises:
            DamagedJpegError: there is nothing to be decoded.
        """
        image = cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise DamagedJpegError("a picture could not be decoded")
        return image


def size_of_jpeg(data: bytes) -> tuple[int, int]:
    """(width, height) from the frame header (ITU-T T.81, annex B).

    Raises:
        DamagedJpegError: there is none.
    """
    at = 2 if data[:2] == b"\xff\xd8" else len(data)
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            # a fill byte before the marker
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = (int.from_bytes(data[at + i : at + i + 2], "big") for i in (5, 7))
            if width and height:
                return width, height
            break
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise DamagedJpegError("this is not a JPEG, or its beginning is missing")
