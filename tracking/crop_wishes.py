"""Of whom pictures are to be stored while a live task runs, before its frames are gone.

Everybody is shown once by every camera soon after they came, and again whenever a camera shows them clearly better.
Who associates remembers what it asked for; where somebody else goes on, a few pictures are asked for twice, and
stored once (`stored_pictures.crops_store`).
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from celery import current_app
from django.conf import settings

from tracking.crops import quality_of
from tracking.models import ProcessingTask
from tracking.queues import WATCHED
from tracking.stores import STORES_AWAY, brief

log = logging.getLogger(__name__)

STORE = "workers.store_crops"
# clearly better: by this factor
BETTER = 1.4
# people come in at the edge: the best picture of the first moment is taken
FIRST_AFTER_S = 1.0
# a person is shown by a camera at most once in this time; frames stay in the store for longer
EVERY_S = 5.0
# further ones wait for the next batch
MOST_PER_BATCH = 8
# who was not seen for this long is somebody new
FORGET_S = 30.0
MOST_TASKS = 64


class CropRef(NamedTuple):
    """A detection of which a picture is to be stored. `captured_s`: UNIX seconds."""

    camera: str
    track_id: int
    instant: int
    captured_s: float


@dataclass
class _Known:
    """What is known of a person in a camera.

    Attributes:
        asked: quality of the best picture that was asked for.
        best, quality: the clearly better one since, to be asked for at `due_s`.
    """

    due_s: float
    seen_s: float
    asked: float = 0.0
    best: CropRef | None = None
    quality: float = 0.0


class CropWishes:
    """The memory of one task."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], _Known] = {}

    def due(
        self, detections: Sequence[tuple], sizes: Mapping[str, Sequence[float]], now_s: float
    ) -> list[CropRef]:
        """Take note of a batch's detections, see `record.TrackRows`; the pictures to be asked for now.

        Args:
            sizes: (width, height) of the cameras' images.
            now_s: UNIX capture time of the batch's end.
        """
        for instant, _, captured_s, camera, track_id, number, box, score, _ in detections:
            new = _Known(due_s=captured_s + FIRST_AFTER_S, seen_s=captured_s)
            known = self._known.setdefault((number, camera), new)
            known.seen_s = captured_s
            quality = quality_of(box, score, sizes[camera])
            if quality > known.quality and quality >= BETTER * known.asked:
                known.best, known.quality = CropRef(camera, track_id, instant, captured_s), quality
        waiting = [known for known in self._known.values() if known.best and known.due_s <= now_s]
        waiting = sorted(waiting, key=lambda known: known.due_s)[:MOST_PER_BATCH]
        refs = [known.best for known in waiting]
        for known in waiting:
            known.asked, known.due_s, known.best = known.quality, now_s + EVERY_S, None
        gone = [key for key, known in self._known.items() if now_s - known.seen_s > FORGET_S]
        for key in gone:
            del self._known[key]
        return refs


_wishes: OrderedDict[Any, CropWishes] = OrderedDict()


def batch_committed(
    *, task: ProcessingTask, detections: Sequence[tuple], captured_s: Sequence[float]
) -> None:
    """Ask for pictures of those whom a committed batch of a live task shows first, or clearly better.

    No round trip when there are none, else one message. Failing here loses pictures, never a row.
    """
    if task.mode != ProcessingTask.Mode.LIVE or not captured_s or not settings.ENV.store_crops:
        return
    wishes = _wishes.setdefault(task.pk, CropWishes())
    _wishes.move_to_end(task.pk)
    if len(_wishes) > MOST_TASKS:
        _wishes.popitem(last=False)
    sizes = {entry["camera"]: entry["image_size"] for entry in task.plan["cameras"]}
    if refs := wishes.due(detections, sizes, captured_s[-1]):
        try:
            ask(str(task.pk), refs, priority=WATCHED, expires_s=settings.ENV.frame_ttl_seconds)
        except STORES_AWAY as error:
            log.warning("%d pictures are not stored: %s", len(refs), brief(error))


def ask(task_id: str, refs: Sequence[CropRef], *, priority: int, expires_s: float) -> None:
    """Send a media worker for pictures."""
    args = [task_id, [list(ref) for ref in refs]]
    current_app.send_task(STORE, args=args, queue="media", priority=priority, expires=expires_s)
