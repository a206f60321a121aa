"""One flat message per camera, as the old client draws it."""

from __future__ import annotations

from typing import Any

from spoton.compat.frames import placed
from spoton.compat.persons import shown_id
from tracking.models import ProcessingTask
from tracking.overlay_scene import camera_entry

TRAIL_POINTS = 30
# the client takes over the list of people when the index is a multiple of this
LISTED_EVERY = 10


def detection_id(track_id: int) -> str:
    return f"track_{track_id:03d}"


class Translator:
    """Makes the messages of one viewer.

    Their index rises with every instant, also when the playback goes back: that client drops whatever is not newer.
    """

    def __init__(self, task: ProcessingTask) -> None:
        self._sizes = {name: camera_entry(task, name)["image_size"] for name in task.cameras}
        self._trails: dict[str, list[dict[str, float]]] = {}
        self._fps, self._instant = task.fps, -1
        self._index = -1

    def messages(self, payload: dict[str, Any], *, still: bool = False) -> list[dict[str, Any]]:
        """Of one `tracking_update` payload, in the cameras' order.

        Args:
            still: no other follows soon, so this one must be of those whose list of people the client takes over.
        """
        self._index += 1
        if still:
            self._index = -(-self._index // LISTED_EVERY) * LISTED_EVERY
        self._remember(payload)
        return [self._message(name, camera, payload) for name, camera in payload["cameras"].items()]

    def _message(self, name: str, camera: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
        tracks = [self._track(name, track) for track in camera["tracks"]]
        return {
            "type": "tracking_update",
            "mode": "detection_streaming",
            "camera_id": name,
            "global_frame_index": self._index,
            "timestamp_processed_utc": payload["timestamp_processed_utc"],
            "camera_data": {"tracks": tracks},
            "detection_data": {"detections": [_detection(track) for track in tracks]},
            "future_pipeline_data": {
                "mapping_coordinates": [self._place(track) for track in tracks if track["map_coords"]]
            },
        }

    def _track(self, camera: str, track: dict[str, Any]) -> dict[str, Any]:
        return {
            "track_id": track["track_id"],
            "global_id": shown_id(track["global_id"]),
            "detection_id": detection_id(track["track_id"]),
            "bbox_xyxy": placed(track["bbox_xyxy"], self._sizes[camera]),
            "confidence": track["confidence"],
            "map_coords": track["map_coords"],
            "is_focused": track["is_focused"],
        }

    def _place(self, track: dict[str, Any]) -> dict[str, Any]:
        x, y = track["map_coords"]
        return {
            "detection_id": track["detection_id"],
            "map_x": x,
            "map_y": y,
            "projection_successful": True,
            "trail": self._trails.get(track["global_id"], []),
        }

    def _remember(self, payload: dict[str, Any]) -> None:
        before, self._instant = self._instant, payload["global_frame_index"]
        if not 0 <= self._instant - before <= self._fps:
            # nobody walked from where they were before a seek to where they are after it
            self._trails = {}
        here = {shown_id(person["global_id"]): person["map_coords"] for person in payload["persons"]}
        self._trails = {
            person: [*self._trails.get(person, [])[1 - TRAIL_POINTS :], {"x": x, "y": y}]
            for person, (x, y) in here.items()
        }


def _detection(track: dict[str, Any]) -> dict[str, Any]:
    x1, y1, x2, y2 = track["bbox_xyxy"]
    return {
        **{key: track[key] for key in ("detection_id", "track_id", "global_id", "confidence")},
        "bbox": {
            "x1": x1,
            "y1": y1,
            "x2": x2,
            "y2": y2,
            "width": round(x2 - x1, 2),
            "height": round(y2 - y1, 2),
        },
    }


def focus_payload(task: ProcessingTask, focus: dict[str, Any]) -> dict[str, Any]:
    """Of today's focus entity. Who was in no camera yet has no details: the client then keeps what it shows."""
    if not focus["is_active"]:
        return {"is_active": False, "focused_person_id": None, "person_details": None}
    history = focus["person_details"]["position_history"]
    return {
        "is_active": True,
        "focused_person_id": shown_id(focus["focused_person_id"]),
        "person_details": _focus_details(task, history[-1]) if history else None,
    }


def _focus_details(task: ProcessingTask, last: dict[str, Any]) -> dict[str, Any]:
    x1, y1, x2, y2 = placed(last["bbox"], camera_entry(task, last["camera"])["image_size"])
    return {
        "camera_id": last["camera"],
        "current_camera": last["camera"],
        "track_id": last["track_id"],
        "detection_id": detection_id(last["track_id"]),
        "bbox": {"x1": x1, "y1": y1, "x2": x2, "y2": y2},
    }
