"""Cutting persons out of frames and storing the pictures, once each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from uuid import uuid5

import numpy as np
from django.db import transaction
from django.db.models.functions import Coalesce

from tracking import picture_files
from tracking.crop_wishes import BETTER, CropRef
from tracking.crops import CROP_QUALITY, cut_out, quality_of
from tracking.frames import StoredFrame
from tracking.identity import lock_for_writing
from tracking.models import Detection, LeftPicture, ProcessingTask, StoredCrop
from tracking.planning import utc
from tracking.rendering import Look, decoded, encoded


def crops_store(
    *, task_id: str, refs: Iterable[CropRef], frame_of: Callable[[str, int], StoredFrame | None]
) -> int:
    """Store pictures of persons, unless there are about as good ones of them by that camera in this task.

    A repeated call changes nothing. Where the frame or the detection is gone, nothing is stored.

    Args:
        frame_of: gives the frame of a camera at an instant; None when it is gone.

    Returns:
        How many were stored.
    """
    task = ProcessingTask.objects.filter(pk=task_id).first()
    if task is None:
        return 0
    stored = 0
    # neighbours share a frame
    for (camera, instant), together in groupby(sorted(refs, key=_place), key=_place):
        wanted = [d for d in (_wanted(task, ref) for ref in together) if d is not None]
        frame = frame_of(camera, instant) if wanted else None
        if frame is not None:
            image = decoded(frame, Look())
            stored += sum(_crop_store(task, detection, image) for detection in wanted)
    return stored


def _place(ref: CropRef) -> tuple[str, int]:
    return ref.camera, ref.instant


def _wanted(task: ProcessingTask, ref: CropRef) -> Detection | None:
    """The detection, if its picture would be clearly better than those that are stored."""
    entry = next((entry for entry in task.plan["cameras"] if entry["camera"] == ref.camera), None)
    if entry is None:
        return None
    key = {"task": task, "camera_id": entry["camera_id"]}
    moment = {"captured_at": utc(ref.captured_s), "track_id": ref.track_id}
    detection = Detection.objects.select_related("camera").filter(**key, **moment).first()
    if detection is None:
        return None
    stored = StoredCrop.objects.annotate(whom=Coalesce("origin_id", "person_id")).filter(
        **key, whom=detection.origin_id or detection.person_id
    )
    return None if stored.filter(quality__gt=_quality(detection) / BETTER).exists() else detection


def _quality(detection: Detection) -> float:
    box = (detection.x1, detection.y1, detection.x2, detection.y2)
    return quality_of(
        box, detection.confidence, (detection.camera.image_width, detection.camera.image_height)
    )


def _crop_store(task: ProcessingTask, detection: Detection, image: np.ndarray) -> bool:
    cut = cut_out(image, detection)
    if cut is None:
        return False
    look, moment = Look(quality=CROP_QUALITY), detection.captured_at.timestamp()
    picture = encoded(cut, look=look, index=detection.frame, captured_at=moment)
    name = f"{detection.camera_id}/{detection.instant}/{detection.track_id}"
    crop = StoredCrop(
        id=uuid5(task.pk, name),
        task=task,
        camera_id=detection.camera_id,
        track_id=detection.track_id,
        instant=detection.instant,
        frame=detection.frame,
        captured_at=detection.captured_at,
        quality=_quality(detection),
        width=picture.width,
        height=picture.height,
    )
    crop.file = picture_files.write(f"crops/{task.pk}/{crop.pk}.jpg", picture.data)
    with transaction.atomic():
        lock_for_writing(task.environment_id)
        # until the end nobody says that this detection shows somebody else without seeing the crop
        now = Detection.objects.select_for_update(no_key=True).filter(pk=detection.pk).first()
        if now is None:
            LeftPicture.objects.create(file=crop.file)
            return False
        crop.person_id, crop.origin_id = now.person_id, now.origin_id
        StoredCrop.objects.bulk_create([crop], ignore_conflicts=True)
    return True
