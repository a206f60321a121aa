"""The messages of the tracking sockets, as API.md promises them. Built here, for all viewers at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from typing_extensions import TypedDict

from tracking.identity import Identities
from tracking.models import ProcessingTask
from tracking.record import TrackRows


class Track(TypedDict):
    track_id: int
    global_id: str
    bbox_xyxy: list[float]
    confidence: float
    map_coords: list[float] | None
    is_focused: bool
    detection_time: str
    tracking_duration: float


class CameraUpdate(TypedDict):
    image_source: str
    frame_image_base64: None
    cropped_persons: dict[str, str]
    tracks: list[Track]


class TrackingUpdate(TypedDict):
    """One synchronised instant."""

    global_frame_index: int
    scene_id: str
    timestamp_processed_utc: str
    timestamp_captured_utc: str
    cameras: dict[str, CameraUpdate]
    person_count_per_camera: dict[str, int]
    persons: list[dict[str, Any]]
    focus_person_id: str | None


def isoformat(moment: datetime) -> str:
    """ISO 8601 UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_seconds(seconds: float) -> str:
    return isoformat(datetime.fromtimestamp(seconds, UTC))


def tracking_updates(
    *,
    task: ProcessingTask,
    rows: TrackRows,
    who: Identities,
    instants: list[int],
    captured_s: list[float],
    processed_at: datetime,
) -> list[TrackingUpdate]:
    """One update per instant, also for instants at which nobody was seen. Persons are called as in the rows.

    Args:
        captured_s: UNIX capture time of each instant.

    A track's `map_coords` are the person's position from all cameras together; where a camera is not
    calibrated they are null.
    """
    first_seen = {p.number: p.first_s for p in rows.persons}
    positions = {(instant, person): values for instant, _, person, *values in rows.positions}
    detections: dict[int, list[tuple]] = defaultdict(list)
    for row in rows.detections:
        detections[row[0]].append(row)
    persons: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for instant, time_s, person, *state in who.surest(rows.positions)[0]:
        persons[instant].append(shown_person(who.person(person, time_s), *state))
    updates = []
    for instant, time_s in zip(instants, captured_s, strict=True):
        cameras = _cameras(task, detections[instant], positions, who, first_seen)
        updates.append(
            TrackingUpdate(
                global_frame_index=instant,
                scene_id=task.environment.slug,
                timestamp_processed_utc=isoformat(processed_at),
                timestamp_captured_utc=from_seconds(time_s),
                cameras=cameras,
                person_count_per_camera={name: len(camera["tracks"]) for name, camera in cameras.items()},
                persons=persons[instant],
                focus_person_id=None,
            )
        )
    return updates


def camera_updates(task: ProcessingTask) -> dict[str, CameraUpdate]:
    """Of every camera of the task, with nobody in view."""
    return {
        name: CameraUpdate(image_source="", frame_image_base64=None, cropped_persons={}, tracks=[])
        for name in task.cameras
    }


def track(
    *,
    track_id: int,
    person: UUID,
    box_px: Sequence[float],
    score: float,
    place_m: Sequence[float] | None,
    since_s: float,
    captured_s: float,
) -> Track:
    """One person in one camera; times are UNIX seconds."""
    return Track(
        track_id=track_id,
        global_id=str(person),
        bbox_xyxy=[round(v, 2) for v in box_px],
        confidence=round(score, 4),
        map_coords=[round(v, 3) for v in place_m] if place_m else None,
        is_focused=False,
        detection_time=from_seconds(since_s),
        tracking_duration=round(max(0.0, captured_s - since_s), 3),
    )


def shown_person(person: UUID, x: float, y: float, vx: float, vy: float, sigma: float) -> dict[str, Any]:
    """Somebody on the map: metres, metres per second."""
    return {
        "global_id": str(person),
        "map_coords": [round(x, 3), round(y, 3)],
        "velocity_m_s": [round(vx, 3), round(vy, 3)],
        "sigma_m": round(sigma, 3),
    }


def _cameras(
    task: ProcessingTask,
    rows: list[tuple],
    positions: dict[tuple[int, int], list[float]],
    who: Identities,
    first_seen: dict[int, float],
) -> dict[str, CameraUpdate]:
    cameras = camera_updates(task)
    for instant, frame, captured_at, camera, track_id, person, box, score, position in rows:
        fused = positions.get((instant, person)) if position is not None else None
        cameras[camera]["image_source"] = str(frame)
        cameras[camera]["tracks"].append(
            track(
                track_id=track_id,
                person=who.person(person, captured_at),
                box_px=box,
                score=score,
                place_m=fused[:2] if fused else position,
                since_s=first_seen.get(person, captured_at),
                captured_s=captured_at,
            )
        )
    return cameras
