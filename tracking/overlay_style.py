"""How what was found is drawn onto pictures: a small, validated value that has one text form."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from environments.errors import ValidationFailedError

Blur = Literal["nobody", "others", "everyone"]
BLURS: tuple[Blur, ...] = ("nobody", "others", "everyone")
# every second of trail is ten rows per person to read
MOST_TRAIL_S = 30.0
THICKNESS = (0.5, 4.0)
# a colour of its own for every person
BY_PERSON = "person"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class OverlayStyle:
    """What is drawn.

    Attributes:
        boxes, labels, zones: whether they are drawn.
        trails_seconds: how long the ways that people came are; 0: none.
        colour: `person` (each has their own), or one `#rrggbb` for all.
        thickness: of lines, as a factor.
        highlight_colour: `#rrggbb` of the focused person.
        highlight_strength: 0 to 1, how much everything around the focused person is darkened.
        blur: whose pictures are made unrecognisable; `others`: all but the focused person.

    Raises:
        ValidationFailedError: details name each wrong field.
    """

    boxes: bool = True
    labels: bool = True
    trails_seconds: float = 0.0
    zones: bool = False
    colour: str = BY_PERSON
    thickness: float = 1.0
    highlight_colour: str = "#ffd23f"
    highlight_strength: float = 0.5
    blur: Blur = "nobody"

    def __post_init__(self) -> None:
        problems: dict[str, list[str]] = {}
        for name in ("boxes", "labels", "zones"):
            if not isinstance(getattr(self, name), bool):
                problems[name] = ["Must be true or false."]
        ranges = {
            "trails_seconds": (0.0, MOST_TRAIL_S),
            "thickness": THICKNESS,
            "highlight_strength": (0.0, 1.0),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                problems[name] = [f"Must be a number from {low:g} to {high:g}."]
        if self.colour != BY_PERSON and not _is_colour(self.colour):
            problems["colour"] = ['Must be "person" or a colour such as #3fa7ff.']
        if not _is_colour(self.highlight_colour):
            problems["highlight_colour"] = ["Must be a colour such as #ffd23f."]
        if self.blur not in BLURS:
            problems["blur"] = [f"Must be one of {', '.join(BLURS)}."]
        if problems:
            raise ValidationFailedError(
                "Some fields of the overlay style are wrong; see details.", details={"fields": problems}
            )

    @classmethod
    def from_json(cls, values: Mapping[str, Any], base: OverlayStyle | None = None) -> Self:
        """`base` (the defaults) with these fields changed. Raises ValidationFailedError, also for unknown ones."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ValidationFailedError(
                "The overlay style has no such fields; see details.",
                details={"fields": {name: ["There is no such field."] for name in unknown}},
            )
        return cls(**{**(asdict(base) if base else {}), **values})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def key(self) -> str:
        """The same text for the same style, for caches."""
        values = {name: float(v) if type(v) is int else v for name, v in self.to_json().items()}
        return json.dumps(values, sort_keys=True, separators=(",", ":"))


def bgr(colour: str) -> tuple[int, int, int]:
    """`#rrggbb` as OpenCV's channels."""
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return b, g, r


def _is_colour(value: Any) -> bool:
    return isinstance(value, str) and bool(_COLOUR.fullmatch(value))
