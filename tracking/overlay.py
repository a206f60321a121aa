"""Drawing what was found onto pictures."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from uuid import UUID

import cv2
import numpy as np


@dataclass(frozen=True)
class LabelledBox:
    """A person's box, xyxy pixels of the picture it is drawn on."""

    person: UUID
    box_px: tuple[float, float, float, float]


def colour_of(person: UUID) -> tuple[int, int, int]:
    """BGR; the same person has the same colour everywhere (the console computes the same)."""
    hue = (int(person.hex[:8], 16) * 0.61803398875) % 1.0
    r, g, b = colorsys.hls_to_rgb(hue, 0.56, 0.72)
    return round(b * 255), round(g * 255), round(r * 255)


def short_name(person: UUID) -> str:
    """What people call a person on screen."""
    return f"P-{person.hex[:4].upper()}"


def draw_boxes(image: np.ndarray, boxes: list[LabelledBox]) -> None:
    """Draw boxes with names into a BGR image, in place. Farther persons first, so that nearer ones stay on top."""
    scale = max(image.shape[0] / 720, 0.45)
    thickness = max(1, round(2 * scale))
    for item in sorted(boxes, key=lambda b: b.box_px[3]):
        x1, y1, x2, y2 = (round(v) for v in item.box_px)
        colour = colour_of(item.person)
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, thickness, cv2.LINE_AA)
        name = short_name(item.person)
        (w, h), base = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.55 * scale, 1)
        top = max(0, y1 - h - base - 2)
        cv2.rectangle(image, (x1, top), (x1 + w + 6, top + h + base + 2), colour, cv2.FILLED)
        at = (x1 + 3, top + h + 1)
        cv2.putText(image, name, at, cv2.FONT_HERSHEY_SIMPLEX, 0.55 * scale, (15, 15, 15), 1, cv2.LINE_AA)
