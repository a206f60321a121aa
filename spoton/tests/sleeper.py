"""A worker's application with a message that takes as long as a test wants."""

import time

from spoton.celery import app


@app.task(name="tests.sleep")
def sleep(seconds: float) -> None:
    print(f"asleep for {seconds} s")
    time.sleep(seconds)
