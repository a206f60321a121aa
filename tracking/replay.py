"""The updates of instants that were processed earlier, from their rows: what playback shows.

The same messages as those published when the rows were written (`tracking.messages`), but for persons as they are
known by now.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID

import msgpack
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from environments.redis import redis_client
from tracking.messages import CameraUpdate, TrackingUpdate, camera_updates, from_seconds, shown_person, track
from tracking.models import Detection, Person, Position, ProcessingTask
from tracking.planning import instant_time
from tracking.publish import encoded
from tracking.reel import reel

# merges and splits of persons show in playback after this long at most
KEPT_SECONDS = 20


def block_size(task: ProcessingTask) -> int:
    """Instants that are read together: a second."""
    return max(1, round(task.fps))


def replayed_texts(*, task: ProcessingTask, block: int) -> list[str]:
    """JSON per instant of block number `block`, read once for all who watch the same moments."""
    key = f"spoton:replay:{task.pk}:{block}"
    kept = redis_client().get(key)
    if kept:
        return msgpack.unpackb(kept)
    size, runs = block_size(task), reel(task).runs
    first, end = block * size, (block + 1) * size
    texts = encoded(replayed_updates(task=task, first=first, end=end))
    if runs and end <= runs[-1][1]:
        # else it is still being filled
        redis_client().set(key, msgpack.packb(texts), ex=KEPT_SECONDS)
    return texts


def replayed_updates(*, task: ProcessingTask, first: int, end: int) -> list[TrackingUpdate]:
    """One update per instant of [first, end), also where nobody was seen."""
    positions: dict[int, dict[UUID, Position]] = defaultdict(dict)
    for place in Position.objects.filter(task=task, instant__gte=first, instant__lt=end):
        positions[place.instant][place.person_id] = place
    detections: dict[int, list[Detection]] = defaultdict(list)
    cameras = [entry["camera_id"] for entry in task.plan["cameras"]]
    rows = Detection.objects.filter(task=task, camera_id__in=cameras, instant__gte=first, instant__lt=end)
    for row in rows.order_by("instant", "camera_id", "track_id"):
        detections[row.instant].append(row)
    first_seen = _first_seen(task, {row.person_id for found in detections.values() for row in found})
    now = timezone.now()
    return [
        _update(task, instant, detections[instant], positions[instant], first_seen, now)
        for instant in range(first, end)
    ]


def _update(
    task: ProcessingTask,
    instant: int,
    rows: list[Detection],
    positions: dict[UUID, Position],
    first_seen: dict[UUID, float],
    now: Any,
) -> TrackingUpdate:
    names = {entry["camera_id"]: entry["camera"] for entry in task.plan["cameras"]}
    cameras: dict[str, CameraUpdate] = camera_updates(task)
    for row in rows:
        fused = positions.get(row.person_id) if row.map_x is not None else None
        captured_s = row.captured_at.timestamp()
        cameras[names[row.camera_id]]["image_source"] = str(row.frame)
        cameras[names[row.camera_id]]["tracks"].append(
            track(
                track_id=row.track_id,
                person=row.person_id,
                box_px=(row.x1, row.y1, row.x2, row.y2),
                score=row.confidence,
                place_m=(fused.x_m, fused.y_m) if fused else _place(row),
                since_s=first_seen.get(row.person_id, captured_s),
                captured_s=captured_s,
            )
        )
    persons = [
        shown_person(p.person_id, p.x_m, p.y_m, p.vx_m_s, p.vy_m_s, p.sigma_m) for p in positions.values()
    ]
    return TrackingUpdate(
        global_frame_index=instant,
        scene_id=task.environment.slug,
        timestamp_processed_utc=from_seconds(now.timestamp()),
        timestamp_captured_utc=from_seconds(instant_time(task, instant)),
        cameras=cameras,
        person_count_per_camera={name: len(camera["tracks"]) for name, camera in cameras.items()},
        persons=persons,
        focus_person_id=None,
    )


def _place(row: Detection) -> tuple[float, float] | None:
    return None if row.map_x is None else (row.map_x, row.map_y)


def _first_seen(task: ProcessingTask, persons: set[UUID]) -> dict[UUID, float]:
    """UNIX time at which each was first seen in the task: one look at the index for each."""
    seen = Detection.objects.filter(task=task, person_id=OuterRef("pk")).order_by("captured_at")
    found = Person.objects.filter(pk__in=persons).annotate(since=Subquery(seen.values("captured_at")[:1]))
    return {pk: since.timestamp() for pk, since in found.values_list("pk", "since") if since}
