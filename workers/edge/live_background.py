"""The slowly renewed background of one live camera, kept in Redis for the perceive workers."""

from __future__ import annotations

import contextlib
import threading
from collections import deque

from tracking.stores import STORES_AWAY
from workers.detection.background import learn_background, to_working_size
from workers.edge.live import BackgroundStore
from workers.types import SourceFrame

# first learned from this long a look, soon again without those who stood there just then, and then now and again from
# samples of the last minute
FIRST_LOOK_S = 4.0
SAMPLE_EVERY_S = 2.0
LEARN_EVERY_S, LEARN_AT_LEAST_EVERY_S = 20.0, 60.0
SAMPLES = 31


class LiveBackground:
    """Learns from the frames it is shown."""

    def __init__(self, task_id: str, camera: str, *, turn: int = 0) -> None:
        """
        Args:
            turn: the camera's number within its task: not all learn at the same time.
        """
        self._shift_s = (turn * 3.0) % LEARN_EVERY_S
        self._times_learned = 0
        self._store = BackgroundStore(task_id, camera)
        self._samples: deque = deque(maxlen=SAMPLES)
        # after a pause, or when another process takes over: known for as long as it is kept
        self._data: bytes | None = self._store.data()
        self._began: float | None = None
        self._sampled = self._learned = 0.0
        self._thread: threading.Thread | None = None

    def learn(self, frame: SourceFrame) -> bool:
        """Take a sample when it is time; whether there is a background yet."""
        now = frame.time_s
        self._began = self._began or now
        if self._data is not None and not self._learned:
            self._learned, self._times_learned = now, 1
        every = SAMPLE_EVERY_S if self._learned else FIRST_LOOK_S / 20
        if now - self._sampled >= every:
            # as large as it is learned from: dozens of large pictures would take gigabytes
            self._samples.append(to_working_size(frame.image))
            self._sampled = now
            self._keep()
        due = self._began + FIRST_LOOK_S
        if self._times_learned:
            due = self._learned + min(LEARN_EVERY_S * self._times_learned, LEARN_AT_LEAST_EVERY_S)
        if self._times_learned == 1:
            due += self._shift_s
        if now >= due and (self._thread is None or not self._thread.is_alive()):
            # beside the reading: a median over dozens of frames takes longer than one frame lasts
            self._thread = threading.Thread(target=self._learn, args=(list(self._samples), now), daemon=True)
            self._thread.start()
        return self._learned > 0

    def _learn(self, samples: list, now: float) -> None:
        # not at a lower priority: this thread would wait for the processor while it holds Python's lock, and all
        # cameras with it
        self._data = learn_background(samples).to_bytes()
        with contextlib.suppress(*STORES_AWAY):
            self._store.put(self._data)
        self._learned = now
        self._times_learned += 1

    def _keep(self) -> None:
        """A restarted Redis has lost the background: tell it again, rather than learn anew."""
        if self._data is not None:
            self._store.keep(self._data)
