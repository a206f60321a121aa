"""Pictures that users send: what kind they are, how large, and whether they can be read at all."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import cv2
import numpy as np

from environments.errors import ValidationFailedError

MOST_BYTES = 8 * 2**20
# read from the header before anything is decoded: a few bytes may stand for gigabytes of pixels
MOST_PIXELS = 25_000_000
# embedders look at crops of a few hundred pixels
LONGEST_SIDE_PX = 1280


@dataclass(frozen=True)
class Picture:
    """Attributes: data: encoded; width, height: pixels as shown; factor: by how much it was shrunk, 1 or less."""

    data: bytes
    width: int
    height: int
    factor: float = 1.0


def picture_of(data: bytes) -> Picture:
    """A picture that can be read, shrunk where it is larger than anybody needs.

    Raises:
        ValidationFailedError: it is no JPEG, PNG or WebP, too large, or damaged.
    """
    if len(data) > MOST_BYTES:
        raise _refused(
            f"The picture has {len(data) / 2**20:.1f} MB; at most {MOST_BYTES >> 20} MB are taken."
        )
    size = picture_size(data)
    if size is None:
        raise _refused("This is not a JPEG, PNG or WebP picture.")
    if size[0] * size[1] > MOST_PIXELS:
        raise _refused(f"The picture has {size[0]}x{size[1]} pixels; at most {MOST_PIXELS:,} are taken.")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise _refused("The picture is damaged and cannot be read.")
    height, width = image.shape[:2]
    factor = min(1.0, LONGEST_SIDE_PX / max(width, height))
    if factor < 1:
        small = (max(1, round(width * factor)), max(1, round(height * factor)))
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    return Picture(data, width, height, factor)


def box_within(
    picture: Picture, box_px: tuple[float, float, float, float] | None
) -> tuple[float, float, float, float]:
    """The part of a box that lies in the picture as it is kept; without a box all of it.

    Args:
        box_px: xyxy in pixels of the picture as it was sent.

    Raises:
        ValidationFailedError: nothing of it lies in the picture.
    """
    x1, y1, x2, y2 = box_px or (0.0, 0.0, picture.width, picture.height)
    x1, y1, x2, y2 = max(x1, 0.0), max(y1, 0.0), min(x2, picture.width), min(y2, picture.height)
    if not (x2 - x1 >= 1 and y2 - y1 >= 1):
        message = f"The box must be x1, y1, x2, y2 within {picture.width}x{picture.height} pixels."
        raise ValidationFailedError(message, details={"fields": {"bbox_xyxy": [message]}})
    return tuple(value * picture.factor for value in (x1, y1, x2, y2))


def picture_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) as the header of a JPEG, PNG or WebP tells; None when it is none of these."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack(">II", data[16:24])
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg_size(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size(data)
    except (struct.error, IndexError):
        pass
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at < len(data) - 9:
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        # a start of frame, of whichever coding; C4, C8 and CC are tables
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[i : i + 3], "little") + 1 for i in (24, 27))
        return width, height
    if kind == b"VP8L":
        bits = struct.unpack("<I", data[21:25])[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _refused(message: str) -> ValidationFailedError:
    return ValidationFailedError(message, details={"fields": {"image": [message]}})
