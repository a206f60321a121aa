"""The Celery edge of the engine: messages in, calls of the engine and of tracking's services.

Nothing heavy is imported here, so that starting a worker is quick and workers of other queues stay light.
"""

from __future__ import annotations

import logging
import time
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from celery import Task, shared_task
from django.conf import settings

from tracking import frames, observations, schedule, services, tracing
from tracking.backgrounds import background
from tracking.reloading import models_generation
from tracking.stores import STORES_AWAY, brief, waits_out

if TYPE_CHECKING:
    from workers.associate import Associator
    from workers.batch_work import BatchFrame
    from workers.batches import FrameBatch
    from workers.perceive import Perceiver

log = logging.getLogger(__name__)

PREVIEW_WIDTH = 960
PREVIEW_QUALITY = 75


@shared_task(name="workers.prepare_task", bind=True, max_retries=2, time_limit=300, soft_time_limit=280)
@waits_out
def prepare_task(self: Task, task_id: str) -> None:
    """Choose detector and embedder on this device, load them, and let the task begin."""
    from tracking.models import ProcessingTask
    from workers.choices import choose_models
    from workers.types import EngineError

    if not services.task_initializing(task_id=task_id):
        return
    task = ProcessingTask.objects.get(pk=task_id)
    try:
        detector, embedder = choose_models(
            task.detector, task.embedder, models_dir=settings.ENV.models_dir, device=settings.ENV.device
        )
        perceiver().warm(detector["chosen"], embedder["chosen"])
    except EngineError as error:
        services.task_fail(task_id=task_id, code="model_unavailable", message=str(error))
        return
    except STORES_AWAY:
        raise
    except Exception as error:
        if self.request.retries >= self.max_retries:
            log.exception("task %s could not be prepared", task_id)
            message = f"The models could not be loaded: {type(error).__name__}. See the worker's log."
            services.task_fail(task_id=task_id, code="internal_error", message=message)
            return
        raise self.retry(exc=error, countdown=1) from error
    services.task_prepared(
        task_id=task_id, detector=services.Choice(**detector), embedder=services.Choice(**embedder)
    )


@shared_task(name="workers.perceive", bind=True, max_retries=2, time_limit=300, soft_time_limit=280)
@waits_out
def perceive(self: Task, messages: list[dict[str, Any]]) -> None:
    """Perceive some cameras' shares of a batch and hand their observations to association."""
    from workers.batches import FrameBatch
    from workers.types import EngineError

    batches = [FrameBatch.from_message(message) for message in messages]
    task_id, number, live = batches[0].task_id, batches[0].number, batches[0].live
    task_cameras = services.batch_wanted(task_id=task_id, number=number)
    if not task_cameras:
        return
    mine = observations.lease(
        task_id=task_id, number=number, cameras=[b.camera for b in batches], owner=self.request.id
    )
    batches = [batch for batch in batches if batch.camera in mine]
    if batches:
        place = {"task_id": task_id, "number": number, "cameras": mine}
        try:
            watched = not live and frames.is_watched(task_id)
            observed = perceiver().perceive_all(batches, on_frame=_FrameSink(place, watched))
        except EngineError as error:
            services.task_fail(task_id=task_id, code="perception_failed", message=str(error))
            return
        except STORES_AWAY:
            raise
        except Exception as error:
            observations.end_lease(**place)
            if self.request.retries >= self.max_retries:
                names = ", ".join(mine)
                log.exception("batch %d of %s failed for good", number, names)
                message = f"{names} could not be processed: {type(error).__name__}. See the worker's log."
                services.task_fail(task_id=task_id, code="internal_error", message=message)
                return
            raise self.retry(exc=error, countdown=1) from error
        observations.store(task_id=task_id, number=number, data={o.camera: o.to_bytes() for o in observed})
        for o in observed:
            tracing.perceived(task_id=task_id, number=number, camera=o.camera, timings_ms=o.timings_ms)
    # also for a duplicate: association may have missed the first one's notice
    if observations.complete(task_id=task_id, number=number, cameras=task_cameras):
        schedule.associate_later(task_id, live=live)


@shared_task(name="workers.associate", bind=True, max_retries=3)
@waits_out
def associate(self: Task, task_id: str) -> None:
    """Associate and record whatever is ready; close what was stopped."""
    from tracking.commit import close_task, commit_ready_batches
    from workers import associate as engine

    try:
        committed = commit_ready_batches(
            task_id=task_id,
            associate=lambda batch: associator().associate(
                task_id=task_id,
                number=batch.number,
                cameras=batch.task.plan["cameras"],
                known=batch.known,
                observations=batch.observations,
                instants=batch.instants,
                times_s=batch.times_s,
                looks=batch.looks,
                last=batch.last,
            ),
        )
        if committed:
            # it was running; if it ends now, another message comes of that
            schedule.associated_by(task_id, settings.ENV.associate_queue)
        else:
            close_task(
                task_id=task_id,
                finish=lambda task, known: engine.tracker_after(task.plan["cameras"], known).finish(),
            )
    except STORES_AWAY:
        associator().forget(task_id)
        raise
    except Exception as error:
        # its tracker has gone ahead of what was committed
        associator().forget(task_id)
        if self.request.retries >= self.max_retries:
            log.exception("task %s could not be associated", task_id)
            message = f"Association failed: {type(error).__name__}. See the worker's log."
            services.task_fail(task_id=task_id, code="internal_error", message=message)
            return
        raise self.retry(exc=error, countdown=1) from error


@shared_task(name="workers.fetch_frame", time_limit=120, soft_time_limit=110)
def fetch_frame(task_id: str, camera: str, instant: int, reply_to: str) -> None:
    """Decode one frame of a recording for somebody who waits for it, and keep it in the frame store."""
    from workers.edge.media import decode_frame

    frames.reply(reply_to=reply_to, frame=decode_frame(task_id, camera, instant))


@shared_task(name="workers.prefetch_frames", time_limit=120, soft_time_limit=110)
def prefetch_frames(task_id: str, camera: str, first: int, end: int) -> None:
    """Decode some seconds of a recording for those who play it back, before they ask for every frame."""
    from workers.edge.media import decode_frames

    decode_frames(task_id, camera, range(first, end))


@shared_task(name="workers.store_crops")
@waits_out
def store_crops(task_id: str, refs: list[list[Any]]) -> int | None:
    """Cut persons out of frames and keep the pictures; see `tracking.crop_wishes`."""
    from tracking.crop_storing import crops_store
    from tracking.crop_wishes import CropRef
    from workers.edge.media import frame_at

    return crops_store(
        task_id=task_id,
        refs=[CropRef(*ref) for ref in refs],
        frame_of=lambda camera, instant: frame_at(task_id, camera, instant),
    )


@shared_task(name="workers.embed_picture", time_limit=60, soft_time_limit=50)
def embed_picture(name: str, box_px: list[float], embedder: str) -> None:
    """Tell somebody who waits how the person in a picture looks."""
    from workers.edge.media import tell_look

    tell_look(name, box_px, embedder)


@shared_task(name="workers.probe_recording", time_limit=1200, soft_time_limit=1180)
@waits_out
def probe_recording(recording_id: str) -> None:
    """Read a recording's length, rate, size and troubles, and a preview for its camera."""
    from workers.edge.media import probe

    probe(recording_id)


@cache
def associator() -> Associator:
    """The one associator of this process."""
    from workers.associate import Associator

    return Associator()


def perceiver() -> Perceiver:
    """The one perceiver of this process; its models stay loaded until somebody wants them read again."""
    return perceiver_of(models_generation())


@lru_cache(maxsize=1)
def perceiver_of(generation: bytes) -> Perceiver:
    """Another generation's is let go with all its models, and those are loaded when they are needed."""
    from workers.edge.live import live_frames
    from workers.perceive import Perceiver

    return Perceiver(
        policy=source_policy(),
        models_dir=settings.ENV.models_dir,
        device=settings.ENV.device,
        cached_background=background,
        live_frames=live_frames,
    )


def load_usual_models() -> None:
    """Load the models that tasks take when they ask for none; whoever asks for others waits for those once."""
    from workers.choices import choose_models
    from workers.types import EngineError

    env = settings.ENV
    try:
        chosen = choose_models(env.detector, env.embedder, models_dir=env.models_dir, device=env.device)
        perceiver().warm(*(choice["chosen"] for choice in chosen))
    except STORES_AWAY as error:
        log.warning("the usual models are not loaded ahead: %s", brief(error))
    except EngineError as error:
        # tasks that name others may still run here; those that do not are told
        log.warning("the usual models cannot be loaded: %s", error)


def source_policy() -> Any:
    """Which sources may be read, from the settings."""
    from workers.sources import SourcePolicy

    env = settings.ENV
    return SourcePolicy(
        allowed_roots=(env.footage_dir, *env.media_roots),
        allowed_hosts=env.stream_hosts,
        allow_webcams=env.allow_webcams,
    )


class _FrameSink:
    """Takes every perceived frame: keeps the lease of a slow batch, and pictures for those who watch."""

    def __init__(self, place: dict[str, Any], watched: bool) -> None:
        self._place, self._watched = place, watched
        self._renewed = time.monotonic()

    def __call__(self, batch: FrameBatch, frame: BatchFrame) -> None:
        if time.monotonic() - self._renewed > observations.LEASE_SECONDS / 4:
            observations.renew_lease(**self._place)
            self._renewed = time.monotonic()
        if self._watched:
            from workers.edge.media import stored_frame

            kept = stored_frame(frame, width=PREVIEW_WIDTH, quality=PREVIEW_QUALITY)
            frames.put(task_id=batch.task_id, camera=batch.camera, frame=kept)
