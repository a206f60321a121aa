"""Bounds of what clients may have kept for them as JSON. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

# deeper than any sensible client nests, far from what parsers can bear
MOST_DEPTH = 16


def json_problem(value: Any, *, most_bytes: int, most_depth: int = MOST_DEPTH) -> str | None:
    """What is wrong with a parsed JSON value, in words; None when it can be kept.

    Args:
        most_bytes: of its compact text in UTF-8.
        most_depth: objects and lists within each other; `{}` is 1 deep.
    """
    waiting = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, dict | list) and depth > most_depth:
            return f"Nested too deeply; at most {most_depth} levels are kept."
        if isinstance(item, dict):
            waiting += [(key, depth) for key in item] + [(inner, depth + 1) for inner in item.values()]
        elif isinstance(item, list):
            waiting += [(inner, depth + 1) for inner in item]
        elif isinstance(item, str) and not _can_be_stored(item):
            return "Text must be valid Unicode without null characters."
        elif isinstance(item, float) and not math.isfinite(item):
            return "Numbers must be finite."
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    if size > most_bytes:
        return f"Too large: {size} bytes as JSON; at most {most_bytes} are kept."
    return None


def scalars_problem(value: Mapping[str, Any], *, most_keys: int, most_characters: int) -> str | None:
    """What is wrong with an object that may hold only booleans, numbers and short strings; None if nothing."""
    if len(value) > most_keys:
        return f"Has {len(value)} fields; at most {most_keys} are kept."
    for key, item in value.items():
        if not isinstance(item, bool | int | float | str):
            return f"`{key[:most_characters]}` must be true or false, a number or a string."
        if len(key) > most_characters or (isinstance(item, str) and len(item) > most_characters):
            return f"`{key[:most_characters]}` is too long; at most {most_characters} characters."
    return None


def merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`before` with its top-level keys replaced; those that become null are removed."""
    return {key: value for key, value in {**before, **changes}.items() if value is not None}


def _can_be_stored(text: str) -> bool:
    # PostgreSQL's jsonb takes neither null characters nor halves of surrogate pairs
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
