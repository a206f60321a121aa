"""Feeds one live task: frames of its cameras to the frame store, and a batch for every instant."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from django.db import close_old_connections, connections

from tracking import frames, schedule
from tracking.live import live_counts_set
from tracking.log_context import bind
from tracking.messages import from_seconds
from tracking.models import ProcessingTask
from tracking.stores import STORES_AWAY, brief
from workers.detection import needs_background
from workers.edge.degradation import Degradation
from workers.edge.live_background import LiveBackground
from workers.edge.media import stored_live_frame
from workers.jpeg import DamagedJpegError
from workers.sources import Source, open_source
from workers.sources.synchroniser import FrameSet, Synchroniser
from workers.types import EngineError, SourceFrame

log = logging.getLogger(__name__)

# counts and troubles are told at least this often, else they would be forgotten
REPORT_EVERY_S = 2.0
# pictures are encoded by so many threads at most
ENCODERS = 4


class LiveTask(threading.Thread):
    """Feeds one live task until it ends. The newest frames win; what nobody could take is counted."""

    def __init__(self, task: ProcessingTask, policy: Any) -> None:
        super().__init__(name=f"live-{task.pk}", daemon=True)
        self.task, self.task_id = task, str(task.pk)
        self.stopping = threading.Event()
        self.cameras: dict[str, Source] = {}
        self.problems: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.dropped: Counter[str] = Counter()
        self.backgrounds: dict[str, LiveBackground] = {}
        self._offsets_s: dict[str, float] = {}
        self._changed = threading.Event()
        # the trouble told last, by what the connection said and how often it had been made again
        self._told: dict[str, tuple[int, str]] = {}
        self._reported = 0.0
        self._policy = policy
        for entry in task.plan["cameras"]:
            self._offsets_s[entry["camera"]] = entry.get("clock_offset_s", 0.0)
        # what a camera delivers late bears too late a time: its offset is negative
        delays_s = {camera: -offset_s for camera, offset_s in self._offsets_s.items()}
        self._synchroniser = Synchroniser(delays_s, task.fps, task.start.timestamp())
        self._degradation = Degradation()

    def run(self) -> None:
        bind(task=self.task_id)
        try:
            with ThreadPoolExecutor(ENCODERS, thread_name_prefix="encode") as self._encoders:
                self._run()
        except Exception:
            # the loop of `run_ingest` sees the dead thread and starts another
            log.exception("ingest of task %s broke off", self.task_id)
        finally:
            for source in self.cameras.values():
                source.close()
            connections.close_all()

    def _open(self) -> None:
        learn = needs_background(self.task.choices["detector"]["chosen"])
        for turn, entry in enumerate(self.task.plan["cameras"]):
            camera = entry["camera"]
            try:
                self.cameras[camera] = open_source(entry["uri"], policy=self._policy)
                self.cameras[camera].on_change = self._changed.set
            except EngineError as error:
                self._problem(camera, str(error))
            if learn:
                self.backgrounds[camera] = LiveBackground(self.task_id, camera, turn=turn)

    def _run(self) -> None:
        self._open()
        while not self.stopping.is_set():
            wait_s = self._synchroniser.wait_s(time.time())
            self._changed.wait(REPORT_EVERY_S / 4 if wait_s is None else min(wait_s, REPORT_EVERY_S / 4))
            self._changed.clear()
            try:
                self._collect()
                if (found := self._synchroniser.take(time.time())) is not None:
                    self._hand_on(found)
                if time.time() - self._reported > REPORT_EVERY_S:
                    self._report()
            except STORES_AWAY as error:
                # cameras stay connected and what was learned stays known; only these frames are lost
                log.warning("live task %s loses frames: %s", self.task_id, brief(error))
                close_old_connections()

    def _collect(self) -> None:
        """Take what has arrived, once the camera's background is known."""
        for camera, source in self.cameras.items():
            self._watch_connection(camera, source)
            frame = source.latest(timeout_s=0.0)
            if frame is None:
                continue
            arrived_s = frame.time_s
            frame = replace(frame, time_s=arrived_s + self._offsets_s[camera])
            background = self.backgrounds.get(camera)
            try:
                if background is None or background.learn(frame):
                    self._synchroniser.add(camera, frame, arrived_s)
            except DamagedJpegError:
                self.dropped[camera] += 1

    def _hand_on(self, found: FrameSet) -> None:
        """One instant: reserve its batch, store its pictures, ask for its perception."""
        if not self._degradation.takes(found.instant):
            self.dropped.update(found.frames.keys())
            return
        try:
            number, in_flight = schedule.live_batch_open(
                task_id=self.task_id, instant=found.instant, time_s=found.time_s
            )
        except STORES_AWAY:
            self.dropped.update(found.frames.keys())
            raise
        self._degradation.observe(in_flight, number is not None, found.time_s)
        if number is None:
            self.dropped.update(found.frames.keys())
            return
        encoded = self._encoders.map(partial(self._encoded, found.instant), found.frames.values())
        kept = [(camera, frame) for camera, frame in zip(found.frames, encoded, strict=True) if frame]
        self.dropped.update(found.frames.keys() - {camera for camera, _ in kept})
        frames.put_all(task_id=self.task_id, frames=kept)
        schedule.live_batch_send(task=self.task, number=number, instant=found.instant)

    def _encoded(self, instant: int, frame: SourceFrame) -> frames.StoredFrame | None:
        """None for a picture that is damaged."""
        quality = self._degradation.quality
        with suppress(DamagedJpegError):
            return stored_live_frame(frame, instant, width=quality.width, quality=quality.jpeg)
        return None

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
        # what gave way to newer frames in the source, in the synchroniser, and here
        dropped = self.dropped + self._synchroniser.dropped
        dropped += Counter({name: source.status.frames_dropped for name, source in self.cameras.items()})
        names = sorted(set(self.cameras) | set(self.problems))
        live_counts_set(
            self.task_id,
            cameras={name: {"dropped": dropped[name], "problems": self.problems[name]} for name in names},
            degradation=self._degradation.level,
        )
