"""A person's colour and short name: pure functions of the id, the same as the console's `colours.js`."""

from __future__ import annotations

import math
from functools import lru_cache
from uuid import UUID

_HUES = 36
# all are readable under dark ink and stand out on footage
_LIGHTNESS = (0.84, 0.75, 0.66)
_WORD = 0xFFFFFFFF


def short_name(person: UUID) -> str:
    """What people call a person on screen."""
    return f"P-{person.hex[:4].upper()}"


@lru_cache(maxsize=4096)
def colour_of(person: UUID) -> tuple[int, int, int]:
    """BGR; the same person has the same colour everywhere."""
    h = _hash(str(person))
    r, g, b = _oklch(_LIGHTNESS[h // _HUES % len(_LIGHTNESS)], 0.15, h % _HUES * 360 / _HUES)
    return b, g, r


def _hash(text: str) -> int:
    """32-bit FNV-1a, its low bits mixed."""
    h = 0x811C9DC5
    for letter in text:
        h = (h ^ ord(letter)) * 0x01000193 & _WORD
    h = (h ^ h >> 15) * 0x2C1B3C6D & _WORD
    return h ^ h >> 13


def _oklch(lightness: float, chroma: float, hue_deg: float) -> tuple[int, int, int]:
    """RGB of an OKLCH colour; chroma is reduced until sRGB can show it."""
    while True:
        linear = _linear(lightness, chroma, hue_deg)
        if chroma == 0 or all(-0.001 <= v <= 1.001 for v in linear):
            return tuple(_encoded(v) for v in linear)
        chroma = max(0.0, chroma - 0.01)


def _linear(L: float, c: float, hue_deg: float) -> tuple[float, float, float]:
    """Björn Ottosson's OKLab, https://bottosson.github.io/posts/oklab/"""
    a, b = c * math.cos(math.radians(hue_deg)), c * math.sin(math.radians(hue_deg))
    l_ = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3
    return (
        4.0767416621 * l_ - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l_ + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l_ - 0.7034186147 * m + 1.707614701 * s,
    )


def _encoded(value: float) -> int:
    x = min(1.0, max(0.0, value))
    return round(255 * (12.92 * x if x <= 0.0031308 else 1.055 * x ** (1 / 2.4) - 0.055))
