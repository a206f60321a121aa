"""Ingest: reads live cameras for live tasks. Newest frame wins; what nobody could take is dropped and counted."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from collections import defaultdict, deque
from typing import Any

from django.db import close_old_connections, connections

from tracking import frames, schedule
from tracking.live import live_counts_set
from tracking.messages import from_seconds
from tracking.models import ProcessingTask
from tracking.redis import redis_client
from tracking.stores import STORES_AWAY, brief
from workers.detection import needs_background
from workers.detection.background import learn_background
from workers.edge.live import background_key
from workers.edge.media import stored_frame
from workers.perceive import BatchFrame
from workers.sources import Source, open_source
from workers.types import EngineError, SourceFrame

log = logging.getLogger(__name__)

# a batch holds this much time: latency against the cost of a message per camera
BATCH_SECONDS = 0.3
FRAME_WIDTH = 1920
FRAME_QUALITY = 88
# the background: first learned from this long a look, then again and again from samples of the last minutes
FIRST_LOOK_S = 4.0
SAMPLE_EVERY_S = 2.0
LEARN_EVERY_S = 20.0
SAMPLES = 45
BACKGROUND_TTL_S = 600
# a frame older than this is not of now: its camera has none at this instant
STALE_S = 1.0
# another host takes over a live task whose ingest process has been silent for this long
OWNER_TTL_S = 5
# counts and troubles are told at least this often, else they would be forgotten
REPORT_EVERY_S = 2.0


class LiveTask(threading.Thread):
    """Feeds one live task until it ends."""

    def __init__(self, task: ProcessingTask, policy: Any) -> None:
        super().__init__(name=f"live-{task.pk}", daemon=True)
        self.task_id = str(task.pk)
        self.fps = task.fps
        self.started_s = task.start.timestamp()
        self.stopping = threading.Event()
        self.cameras: dict[str, Source] = {}
        self.problems: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.dropped: dict[str, int] = defaultdict(int)
        self.backgrounds: dict[str, _Background] = {}
        learn = needs_background(task.choices["detector"]["chosen"])
        for entry in task.plan["cameras"]:
            camera = entry["camera"]
            try:
                self.cameras[camera] = open_source(entry["uri"], policy=policy)
            except EngineError as error:
                self._problem(camera, str(error))
            if learn:
                self.backgrounds[camera] = _Background(self.task_id, camera)
        self._last_taken: dict[str, float] = {}
        # the trouble told last, by what the connection said and how often it had been made again
        self._told: dict[str, tuple[int, str]] = {}
        self._reported = 0.0

    def run(self) -> None:
        try:
            self._run()
        except Exception:
            # the supervisor loop sees the dead thread and starts another
            log.exception("ingest of task %s broke off", self.task_id)
        finally:
            for source in self.cameras.values():
                source.close()
            connections.close_all()

    def _run(self) -> None:
        size = max(1, round(BATCH_SECONDS * self.fps))
        instant = self._next_instant()
        pending: list[int] = []
        while not self.stopping.wait(max(0.0, self._time_of(instant) - time.time())):
            try:
                if self._take(instant):
                    pending.append(instant)
                if len(pending) >= size:
                    opened, pending = pending, []
                    if schedule.live_batch_open(task_id=self.task_id, instants=opened) is None:
                        self._count_dropped(len(opened))
                    self._report()
                elif time.time() - self._reported > REPORT_EVERY_S:
                    self._report()
            except STORES_AWAY as error:
                # cameras stay connected and what was learned stays known; only these frames are lost
                log.warning("live task %s drops frames: %s", self.task_id, brief(error))
                self._count_dropped(size)
                close_old_connections()
            # late: the instants that have passed meanwhile are dropped, never queued
            following = max(instant + 1, self._next_instant())
            self._count_dropped(following - instant - 1)
            instant = following

    def _take(self, instant: int) -> bool:
        """Put every camera's newest frame into the store; whether the instant can be perceived."""
        ready = False
        for camera, source in self.cameras.items():
            frame = source.latest(timeout_s=0.0)
            self._watch_connection(camera, source)
            if (
                frame is None
                or time.time() - frame.time_s > STALE_S
                or frame.time_s == self._last_taken.get(camera)
            ):
                continue
            self._last_taken[camera] = frame.time_s
            background = self.backgrounds.get(camera)
            if background is not None and not background.learn(frame):
                continue
            kept = stored_frame(
                BatchFrame(instant, frame.index, frame.time_s, frame.image),
                width=FRAME_WIDTH,
                quality=FRAME_QUALITY,
            )
            frames.put(task_id=self.task_id, camera=camera, frame=kept)
            ready = True
        return ready

    def _count_dropped(self, frames_of_each: int) -> None:
        for camera, source in self.cameras.items():
            if source.status.state == "connected":
                self.dropped[camera] += frames_of_each

    def _watch_connection(self, camera: str, source: Source) -> None:
        status = source.status
        trouble = (status.reconnects, status.last_error)
        if status.state == "connected" or not status.last_error or self._told.get(camera) == trouble:
            return
        self._told[camera] = trouble
        self._problem(camera, status.last_error)

    def _problem(self, camera: str, message: str) -> None:
        log.warning("camera %s: %s", camera, message)
        self.problems[camera] = [
            *self.problems[camera][-9:],
            {"message": message, "at": from_seconds(time.time())},
        ]
        self._report()

    def _report(self) -> None:
        self._reported = time.time()
        names = set(self.cameras) | set(self.problems)
        live_counts_set(
            self.task_id,
            {
                name: {"dropped": self.dropped[name], "problems": self.problems[name]}
                for name in sorted(names)
            },
        )

    def _next_instant(self) -> int:
        return int((time.time() - self.started_s) * self.fps) + 1

    def _time_of(self, instant: int) -> float:
        return self.started_s + instant / self.fps


class _Background:
    """The slowly renewed background of one live camera, kept in Redis for the perceive workers."""

    def __init__(self, task_id: str, camera: str) -> None:
        self._key = background_key(task_id, camera)
        self._samples: deque = deque(maxlen=SAMPLES)
        self._data: bytes | None = None
        self._began: float | None = None
        self._sampled = self._learned = 0.0
        self._thread: threading.Thread | None = None

    def learn(self, frame: SourceFrame) -> bool:
        """Take a sample when it is time; whether there is a background yet."""
        now = frame.time_s
        self._began = self._began or now
        every = SAMPLE_EVERY_S if self._learned else FIRST_LOOK_S / 20
        if now - self._sampled >= every:
            self._samples.append(frame.image)
            self._sampled = now
            self._keep()
        due = self._began + FIRST_LOOK_S if not self._learned else self._learned + LEARN_EVERY_S
        if now >= due and (self._thread is None or not self._thread.is_alive()):
            # beside the reading: a median over dozens of frames takes longer than one frame lasts
            self._thread = threading.Thread(target=self._store, args=(list(self._samples), now), daemon=True)
            self._thread.start()
        return self._learned > 0

    def _store(self, samples: list, now: float) -> None:
        self._data = learn_background(samples).to_bytes()
        with contextlib.suppress(*STORES_AWAY):
            redis_client().set(self._key, self._data, ex=BACKGROUND_TTL_S)
        self._learned = now

    def _keep(self) -> None:
        """A restarted Redis has lost the background: tell it again, rather than learn anew."""
        if self._data is not None and not redis_client().exists(self._key):
            redis_client().set(self._key, self._data, ex=BACKGROUND_TTL_S)


def _own(task_id: str, me: str) -> bool:
    """Whether this process feeds the task: the first to ask does, until it stops asking."""
    key, client = f"spoton:ingest:{task_id}", redis_client()
    if client.set(key, me, nx=True, ex=OWNER_TTL_S):
        return True
    if client.get(key) != me.encode():
        return False
    client.expire(key, OWNER_TTL_S)
    return True


def run_ingest(*, policy: Any, stopping: threading.Event, look_every_s: float = 1.0) -> None:
    """Keep one thread per live task until told to stop."""
    running: dict[str, LiveTask] = {}
    me = uuid.uuid4().hex
    while not stopping.is_set():
        try:
            close_old_connections()
            wanted = {
                str(task.pk): task
                for task in ProcessingTask.objects.filter(
                    mode=ProcessingTask.Mode.LIVE, status=ProcessingTask.Status.PROCESSING
                )
            }
            for task_id in [t for t, thread in running.items() if t not in wanted or not thread.is_alive()]:
                running.pop(task_id).stopping.set()
            for task_id in list(running):
                if not _own(task_id, me):
                    running.pop(task_id).stopping.set()
            for task_id in filter(lambda t: _own(t, me), wanted.keys() - running.keys()):
                running[task_id] = LiveTask(wanted[task_id], policy)
                running[task_id].start()
        except STORES_AWAY as error:
            log.warning("looking for live tasks again in a moment: %s", brief(error))
        except Exception:
            log.exception("looking for live tasks failed, trying again")
        stopping.wait(look_every_s)
    for thread in running.values():
        thread.stopping.set()
    for thread in running.values():
        thread.join(timeout=5)
