"""The overlay's style: validated, with one text form."""

from __future__ import annotations

import json
import math

import pytest

from environments.errors import ValidationFailedError
from tracking.overlay_style import OverlayStyle, bgr


def test_what_is_not_said_is_as_by_default_or_as_before():
    assert OverlayStyle.from_json({}) == OverlayStyle()
    base = OverlayStyle(zones=True)
    assert OverlayStyle.from_json({"blur": "others"}, base) == OverlayStyle(zones=True, blur="others")


def test_json_gives_the_same_style_again():
    style = OverlayStyle(trails_seconds=2.5, colour="#00ff00", blur="everyone")
    assert OverlayStyle.from_json(json.loads(json.dumps(style.to_json()))) == style


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("boxes", 1),
        ("labels", "yes"),
        ("trails_seconds", -1),
        ("trails_seconds", 31),
        ("trails_seconds", math.nan),
        ("trails_seconds", True),
        ("thickness", 0),
        ("highlight_strength", 1.5),
        ("colour", "red"),
        ("colour", "#12345"),
        ("colour", None),
        ("highlight_colour", "person"),
        ("blur", "all"),
        ("glow", True),
    ],
)
def test_wrong_fields_are_named(field, value):
    with pytest.raises(ValidationFailedError) as refused:
        OverlayStyle.from_json({field: value, "zones": True})
    assert list(refused.value.details["fields"]) == [field]


def test_the_key_is_the_same_for_the_same_style_only():
    assert OverlayStyle(trails_seconds=2).key == OverlayStyle.from_json({"trails_seconds": 2.0}).key
    styles = [
        OverlayStyle(),
        OverlayStyle(zones=True),
        OverlayStyle(blur="others"),
        OverlayStyle(thickness=2),
    ]
    assert len({style.key for style in styles}) == 4


def test_colours_as_opencv_has_them():
    assert bgr("#102030") == (0x30, 0x20, 0x10)
