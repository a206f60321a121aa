"""What changed from one instant to another, for viewers who have the first."""

from __future__ import annotations

from typing import Any

# of these a delta says everything: they are small, or new at every instant
_WHOLE = (
    "global_frame_index",
    "scene_id",
    "timestamp_processed_utc",
    "timestamp_captured_utc",
    "person_count_per_camera",
    "persons",
    "focus_person_id",
)
# follows from `detection_time` and the instant's own time: telling it would make every track a changed one
_DERIVED = "tracking_duration"


def delta(base: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The payload `now` as changes of the payload `base`.

    Per camera: `added` tracks in full, `changed` ones with `track_id` and the fields that differ, and the `track_id`s
    that are `removed`. A track whose fields are all the same is not named. `tracking_duration` is left out of changes:
    it is the time since `detection_time`.
    """
    cameras = {}
    for name, camera in now["cameras"].items():
        before = {t["track_id"]: t for t in base["cameras"].get(name, {"tracks": []})["tracks"]}
        here = {t["track_id"]: t for t in camera["tracks"]}
        changes = ((t, _changes(before[i], t)) for i, t in here.items() if i in before)
        cameras[name] = {
            "image_source": camera["image_source"],
            "frame_image_base64": camera["frame_image_base64"],
            "cropped_persons": camera["cropped_persons"],
            "added": [t for i, t in here.items() if i not in before],
            "changed": [{"track_id": t["track_id"], **changed} for t, changed in changes if changed],
            "removed": [i for i in before if i not in here],
        }
    return {**{key: now[key] for key in _WHOLE}, "delta": True, "cameras": cameras}


def _changes(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in now.items() if key != _DERIVED and before.get(key) != value}
