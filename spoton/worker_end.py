"""A worker that ends is gone soon, whatever it still waits for; its supervisor starts it again."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any

from celery import bootsteps
from celery.platforms import EX_FAILURE

from spoton.services.processes import WORKER_STOP_SECONDS

log = logging.getLogger(__name__)

# It cannot go on, for example since Redis refuses to write: its loop does not run any more, so nobody fetches what the
# pool's process has done meanwhile, and for that Celery would wait 30 s while messages wait in the worker's own queue.
# Nothing is lost: whatever was not acknowledged is done again.
FAILED_SECONDS = 1.0


class EndInTime(bootsteps.StartStopStep):
    """Kills the worker when Celery's own way to end takes too long."""

    def close(self, worker: Any) -> None:
        """Called first of all when a worker ends."""
        seconds = FAILED_SECONDS if worker.exitcode == EX_FAILURE else WORKER_STOP_SECONDS
        timer = threading.Timer(seconds, _kill, (seconds,))
        timer.daemon = True
        timer.start()


def _kill(seconds: float) -> None:
    log.error("still there %.0f s after it should have ended: killed", seconds)
    os.kill(os.getpid(), signal.SIGKILL)
