"""Pictures inside updates: whole frames and crops of persons, as data that a page can show without another request."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from tracking import frames
from tracking.models import ProcessingTask
from tracking.overlay_scene import camera_entry
from tracking.picture_threads import in_picture_thread
from tracking.rendering import Look, rendered
from tracking.sockets.instants import Instant
from tracking.sockets.levels import Level

# everybody's crop is sent again after so long, newcomers' at once
CROPS_EVERY_S = 2.0
# crops are for lists and cards
CROP_HEIGHT = 192
CROP_QUALITY = 75


@dataclass(frozen=True)
class Wanted:
    """What a viewer wants to see in updates; equal wishes are met once."""

    cameras: tuple[str, ...]
    images: bool
    crops: bool
    level: Level


async def with_pictures(task: ProcessingTask, instant: Instant, wanted: Wanted) -> Instant:
    """The instant with the pictures that are there; where one is missing its field stays empty."""
    return await in_picture_thread(lambda: _illustrated(task, instant, wanted))


def _illustrated(task: ProcessingTask, instant: Instant, wanted: Wanted) -> Instant:
    payload = instant.payload()
    cameras = dict(payload["cameras"])
    for name in wanted.cameras:
        stored = frames.get(task_id=task.pk, camera=name, instant=instant.index)
        if stored is None:
            continue
        camera = dict(cameras[name])
        if wanted.images:
            look = Look(width=wanted.level.width, quality=wanted.level.quality)
            image = rendered(task=task, camera=name, instant=instant.index, look=look)
            camera["frame_image_base64"] = base64.b64encode(image.data).decode()
        tracks = [t for t in camera["tracks"] if _due(task, instant.index, t)]
        if wanted.crops and tracks:
            camera["cropped_persons"] = _crops(task, name, stored.jpeg, tracks)
        cameras[name] = camera
    return Instant({**payload, "cameras": cameras})


def _due(task: ProcessingTask, index: int, track: dict[str, Any]) -> bool:
    """By the instant alone, so that all viewers are sent the same ones."""
    return index % max(1, round(CROPS_EVERY_S * task.fps)) == 0 or track["tracking_duration"] < 1.5 / task.fps


def _crops(task: ProcessingTask, camera: str, jpeg: bytes, tracks: list[dict[str, Any]]) -> dict[str, str]:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    scale = np.array([*image.shape[1::-1]]) / camera_entry(task, camera)["image_size"]
    crops = {}
    for track in tracks:
        left, top, right, bottom = (np.array(track["bbox_xyxy"]) * [*scale, *scale]).astype(int)
        crop = image[max(0, top) : max(0, bottom + 1), max(0, left) : max(0, right + 1)]
        if crop.size == 0:
            continue
        factor = min(1.0, CROP_HEIGHT / crop.shape[0])
        if factor < 1:
            crop = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, CROP_QUALITY])[1].tobytes()
        crops[track["global_id"]] = "data:image/jpeg;base64," + base64.b64encode(data).decode()
    return crops
