"""Drawing what was found onto pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import cv2
import numpy as np

from tracking.drawn_text import draw_tag, place_tag, tag_size
from tracking.overlay_style import BY_PERSON, OverlayStyle, bgr
from tracking.person_colours import colour_of, short_name

# as the console's tokens.css
ZONE_COLOURS = {"entrance": "#46c98b", "exit": "#6cb6ff", "restricted": "#ff7b72", "queue": "#c99bff",
                "work_area": "#f0b03f"}  # fmt: skip
_ZONE_COLOUR = "#8ea2b2"
_ZONE_OPACITY = 0.16
# at full strength a quarter of the light is left around the focused person
_MOST_DARK = 0.75
# What is blurred keeps so many cells across and down, whatever its size: a face is part of one.
_CELLS = (3, 6)
# heads and hands reach out of boxes that are a little tight
_BLUR_MARGIN = 0.12
# of a way, from its begin to its end
_SHADES = 8


@dataclass(frozen=True)
class LabelledBox:
    """A person's box, xyxy pixels of the picture it is drawn on."""

    person: UUID
    box_px: tuple[float, float, float, float]


@dataclass(frozen=True)
class DrawnZone:
    """A zone's outline in the picture: (n, 2) pixels, clipped."""

    name: str
    kind: str
    outline_px: np.ndarray


@dataclass(frozen=True)
class Scene:
    """What there is to draw in one picture, in its pixels.

    Attributes:
        trails_px: per person pieces of the way they came, each (n, 2), oldest first.
        focus: who is highlighted.
    """

    boxes: Sequence[LabelledBox] = ()
    trails_px: dict[UUID, list[np.ndarray]] = field(default_factory=dict)
    zones: Sequence[DrawnZone] = ()
    focus: UUID | None = None


def draw(image: np.ndarray, scene: Scene, style: OverlayStyle) -> None:
    """Draw into a uint8 BGR image, in place. Farther persons first, so that nearer ones stay on top."""
    boxes = sorted(scene.boxes, key=lambda b: b.box_px[3])
    if style.blur != "nobody":
        spared = scene.focus if style.blur == "others" else None
        blur(image, [b for b in boxes if b.person != spared])
    focused = next((b for b in boxes if b.person == scene.focus), None)
    if focused and style.highlight_strength:
        _darken_around(image, focused, style.highlight_strength)
    scale = max(image.shape[0] / 720, 0.4)
    line = max(1, round(2 * scale * style.thickness))
    letters = max(6, round(11 * scale))
    if style.zones and scene.zones:
        _draw_zones(image, scene.zones, line, letters)
    for person, pieces in scene.trails_px.items():
        _draw_trail(image, pieces, _colour(person, scene, style), line)
    # whom everybody looks for is never covered
    boxes.sort(key=lambda b: b.person == scene.focus)
    if style.boxes:
        for box in boxes:
            _draw_box(image, box, _colour(box.person, scene, style), line * (1 + (box.person == scene.focus)))
    if style.labels:
        _draw_names(image, boxes, scene, style, letters)


def blur(image: np.ndarray, boxes: Sequence[LabelledBox]) -> None:
    """Make these unrecognisable, in place: of each only a few patches of colour are left."""
    height, width = image.shape[:2]
    for box in boxes:
        x1, y1, x2, y2 = box.box_px
        mx, my = _BLUR_MARGIN * (x2 - x1), _BLUR_MARGIN * (y2 - y1)
        left, top = max(0, int(x1 - mx)), max(0, int(y1 - my))
        right, bottom = min(width, int(x2 + mx) + 1), min(height, int(y2 + my) + 1)
        if left < right and top < bottom:
            blur_part(image[top:bottom, left:right])


def blur_part(part: np.ndarray) -> None:
    cells = cv2.resize(part, _CELLS, interpolation=cv2.INTER_AREA)
    part[:] = cv2.resize(cells, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _colour(person: UUID, scene: Scene, style: OverlayStyle) -> tuple[int, int, int]:
    if person == scene.focus:
        return bgr(style.highlight_colour)
    return colour_of(person) if style.colour == BY_PERSON else bgr(style.colour)


def _darken_around(image: np.ndarray, focused: LabelledBox, strength: float) -> None:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (round(v) for v in focused.box_px)
    rows, columns = slice(max(0, y1), min(height, y2)), slice(max(0, x1), min(width, x2))
    kept = image[rows, columns].copy()
    cv2.convertScaleAbs(image, dst=image, alpha=1 - _MOST_DARK * strength)
    image[rows, columns] = kept


def _draw_box(image: np.ndarray, box: LabelledBox, colour: tuple[int, int, int], line: int) -> None:
    x1, y1, x2, y2 = (round(v) for v in box.box_px)
    cv2.rectangle(image, (x1, y1), (x2, y2), colour, line)


def _draw_names(
    image: np.ndarray, boxes: Sequence[LabelledBox], scene: Scene, style: OverlayStyle, letters: int
) -> None:
    taken: list[tuple[int, int, int, int]] = []
    height, width = image.shape[:2]
    # the nearest chooses its place first
    for box in reversed(boxes):
        x1, y1, x2, y2 = (round(v) for v in box.box_px)
        if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
            continue
        name = short_name(box.person)
        spot = place_tag(tag_size(name, letters), (x1, y1, x2, y2), taken, (width, height))
        taken.append(spot)
        draw_tag(image, name, spot[:2], letters, _colour(box.person, scene, style))


def _draw_trail(
    image: np.ndarray, pieces: Sequence[np.ndarray], colour: tuple[int, int, int], line: int
) -> None:
    """Ways fade in: thin where they begin, and full where the person stands."""
    total = sum(len(piece) for piece in pieces)
    drawn = 0
    for piece in pieces:
        step = max(4, -(-len(piece) // _SHADES))
        for a in range(0, len(piece) - 1, step):
            part = piece[a : a + step + 1]
            share = (drawn + a + len(part)) / total
            shade = tuple(int(c * (0.45 + 0.55 * share)) for c in colour)
            points = np.round(part * 8).astype(np.int32)
            cv2.polylines(image, [points], False, shade, max(1, round(line * (0.5 + share))), cv2.LINE_AA, 3)
        drawn += len(piece)


def _draw_zones(image: np.ndarray, zones: Sequence[DrawnZone], line: int, letters: int) -> None:
    height, width = image.shape[:2]
    outlines = [np.round(zone.outline_px).astype(np.int32) for zone in zones]
    colours = [bgr(ZONE_COLOURS.get(zone.kind, _ZONE_COLOUR)) for zone in zones]
    tinted = image.copy()
    for outline, colour in zip(outlines, colours, strict=True):
        cv2.fillPoly(tinted, [outline], colour)
    cv2.addWeighted(tinted, _ZONE_OPACITY, image, 1 - _ZONE_OPACITY, 0, dst=image)
    for outline, colour in zip(outlines, colours, strict=True):
        cv2.polylines(image, [outline], True, colour, max(1, line // 2), cv2.LINE_AA)
    for zone, colour in zip(zones, colours, strict=True):
        w, h = tag_size(zone.name, letters)
        x, y = zone.outline_px.clip(0, (width, height)).mean(0)
        draw_tag(image, zone.name, (round(x - w / 2), round(y - h / 2)), letters, (28, 24, 22), colour)
