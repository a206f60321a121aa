"""The slowly renewed background of one live camera, kept in Redis for the perceive workers."""

from __future__ import annotations

import threading
from collections import deque

from tracking.redis import redis_client
from workers.detection.background import learn_background, to_working_size
from workers.edge.live import background_key
from workers.types import SourceFrame

# first learned from this long a look, then again and again from samples of the last minutes
FIRST_LOOK_S = 4.0
SAMPLE_EVERY_S = 2.0
LEARN_EVERY_S = 20.0
SAMPLES = 45
TTL_S = 600


class LiveBackground:
    """Learns from the frames it is shown."""

    def __init__(self, task_id: str, camera: str) -> None:
        self._key = background_key(task_id, camera)
        self._samples: deque = deque(maxlen=SAMPLES)
        self._began: float | None = None
        self._sampled = self._learned = 0.0
        self._thread: threading.Thread | None = None

    def learn(self, frame: SourceFrame) -> bool:
        """Take a sample when it is time; whether there is a background yet."""
        now = frame.time_s
        self._began = self._began or now
        every = SAMPLE_EVERY_S if self._learned else FIRST_LOOK_S / 20
        if now - self._sampled >= every:
            # as large as it is learned from: dozens of large pictures would take gigabytes
            self._samples.append(to_working_size(frame.image))
            self._sampled = now
        due = self._began + FIRST_LOOK_S if not self._learned else self._learned + LEARN_EVERY_S
        if now >= due and (self._thread is None or not self._thread.is_alive()):
            # beside the reading: a median over dozens of frames takes longer than one frame lasts
            self._thread = threading.Thread(target=self._store, args=(list(self._samples), now), daemon=True)
            self._thread.start()
        return self._learned > 0

    def _store(self, samples: list, now: float) -> None:
        redis_client().set(self._key, learn_background(samples).to_bytes(), ex=TTL_S)
        self._learned = now
