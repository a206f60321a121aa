"""Full updates out of `/ws/tracking`'s delta mode."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_ONLY_IN_DELTAS = ("delta", "base_seq")
_CHANGES = ("added", "changed", "removed")


def applied(base: Mapping[str, Any], delta: Mapping[str, Any]) -> dict[str, Any]:
    """The full payload that `delta` tells as changes of the full payload `base`; neither is changed."""
    passed_s = _seconds(delta) - _seconds(base)
    cameras = {
        name: _camera(base["cameras"].get(name, {"tracks": []})["tracks"], camera, passed_s)
        for name, camera in delta["cameras"].items()
    }
    return {**{key: delta[key] for key in delta if key not in _ONLY_IN_DELTAS}, "cameras": cameras}


def _camera(before: list[dict[str, Any]], camera: Mapping[str, Any], passed_s: float) -> dict[str, Any]:
    changed = {track["track_id"]: track for track in camera["changed"]}
    gone = set(camera["removed"])
    kept = [
        _later(track, changed.get(track["track_id"], {}), passed_s)
        for track in before
        if track["track_id"] not in gone
    ]
    rest = {key: value for key, value in camera.items() if key not in _CHANGES}
    return {**rest, "tracks": [*kept, *camera["added"]]}


def _later(track: dict[str, Any], changes: Mapping[str, Any], passed_s: float) -> dict[str, Any]:
    later = {**track, **changes}
    # deltas do not tell it: it grows with the time, and with a first detection that turns out to be an earlier one
    if "tracking_duration" in track:
        if "detection_time" in changes:
            passed_s += _moment(track["detection_time"]) - _moment(changes["detection_time"])
        later["tracking_duration"] = round(max(0.0, track["tracking_duration"] + passed_s), 3)
    return later


def _seconds(payload: Mapping[str, Any]) -> float:
    return _moment(payload["timestamp_captured_utc"])


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
