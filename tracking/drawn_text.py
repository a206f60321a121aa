"""Names on pictures: smooth, readable at any size, never cut off at an edge, and out of each other's way."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

Rectangle = tuple[int, int, int, int]
Colour = tuple[int, int, int]
INK: Colour = (20, 20, 20)
# letters are drawn this much larger and shrunk: OpenCV's own are rough at small sizes
_LARGER = 4


@lru_cache(maxsize=1024)
def text_mask(text: str, height_px: int) -> np.ndarray:
    """(h, w) uint8 coverage of a line of text whose capital letters are `height_px` high.

    The letters are OpenCV's, which has no others: accents are left out.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode() or "?"
    large = height_px * _LARGER
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_DUPLEX, large, 1)
    line = max(1, round(large / 7))
    (width, height), base = cv2.getTextSize(plain, cv2.FONT_HERSHEY_DUPLEX, scale, line)
    canvas = np.zeros((height + base + 2 * line, width + 2 * line), np.uint8)
    at = (line, height + line)
    cv2.putText(canvas, plain, at, cv2.FONT_HERSHEY_DUPLEX, scale, 255, line, cv2.LINE_AA)
    rows, columns = canvas.any(1).nonzero()[0], canvas.any(0).nonzero()[0]
    canvas = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    size = tuple(max(1, round(n / _LARGER)) for n in canvas.shape[::-1])
    return cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)


def tag_size(text: str, height_px: int) -> tuple[int, int]:
    """(width, height) of a tag: the text and some room around it."""
    h, w = text_mask(text, height_px).shape
    return w + 2 * _room(height_px), h + 2 * _room(height_px)


def draw_tag(image: np.ndarray, text: str, at: tuple[int, int], height_px: int, colour: Colour,
             ink: Colour = INK) -> None:  # fmt: skip
    """Write a tag with its upper left corner at `at`, moved so that it lies within the picture, in place."""
    mask = text_mask(text, height_px)
    width, height = tag_size(text, height_px)
    x, y = _within(at[0], width, image.shape[1]), _within(at[1], height, image.shape[0])
    cv2.rectangle(image, (x, y), (x + width - 1, y + height - 1), colour, cv2.FILLED)
    pad = _room(height_px)
    under = image[y + pad : y + pad + mask.shape[0], x + pad : x + pad + mask.shape[1]]
    share = mask[: under.shape[0], : under.shape[1], None] / np.float32(255)
    under[:] = (under * (1 - share) + np.float32(ink) * share + 0.5).astype(np.uint8)


def place_tag(
    size: tuple[int, int], box: Rectangle, taken: Sequence[Rectangle], picture: tuple[int, int]
) -> Rectangle:
    """Where a tag of (width, height) goes, xyxy pixels: above its box, else below, inside, or beside, where it is free.

    Args:
        taken: rectangles of tags that are there already; picture: (width, height).
    """
    (w, h), (x1, y1, x2, y2) = size, box
    corners = [(x1, y1 - h), (x1, y2), (x1, y1), (x2 - w, y1 - h), (x2, y1), (x1 - w, y1)]
    found = []
    for x, y in corners:
        left, top = _within(x, w, picture[0]), _within(y, h, picture[1])
        spot = (left, top, left + w, top + h)
        # a tag moved up or down to stay in the picture lies on its box
        cost = sum(_overlap(spot, other) for other in taken) + abs(top - y)
        found.append((cost, spot))
        if cost == 0:
            break
    return min(found, key=lambda one: one[0])[1]


def _room(height_px: int) -> int:
    return max(2, round(0.45 * height_px))


def _overlap(a: Rectangle, b: Rectangle) -> int:
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))


def _within(start: int, size: int, limit: int) -> int:
    return max(0, min(start, limit - size))
