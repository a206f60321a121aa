"""Small worlds for tests: an environment with recordings, tasks, and an association that needs no pictures."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgpack
import numpy as np
from django.contrib.auth import get_user_model

from environments.models import Camera, Environment, Role
from environments.redis import redis_client
from environments.services import environment_load, membership_set, recording_register
from tracking import observations, services
from tracking.commit import BatchInput, Known
from tracking.models import ProcessingTask
from tracking.queues import lists_of

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
FPS = 10.0
IMAGE_SIZE = (640, 360)
# 1 px is 1 cm: positions are easily checked
HOMOGRAPHY = {"homography_image_to_map": [[0.01, 0, 0], [0, 0.01, 0], [0, 0, 1]], "width": 640, "height": 360}
CHOICE = services.Choice("motion", "motion", "asked for")
EMBEDDER = services.Choice("descriptor", "descriptor", "asked for")


def yard(slug: str = "yard", **fields: Any) -> Environment:
    """Two calibrated cameras and two zones: the door at x 0 to 2 m, the lane at x 2 to 6 m."""
    cameras = [
        {
            "slug": name,
            "name": name.upper(),
            "image_size": list(IMAGE_SIZE),
            "fps": FPS,
            "calibration": HOMOGRAPHY,
        }
        for name in ("c01", "c02")
    ]
    zones = [
        {"slug": "door", "name": "Door", "kind": "entrance", "polygon_m": [[0, 0], [2, 0], [2, 4], [0, 4]]},
        {"slug": "lane", "name": "Lane", "kind": "walkway", "polygon_m": [[2, 0], [6, 0], [6, 4], [2, 4]]},
    ]
    definition = {
        "slug": slug,
        "name": slug.title(),
        "bounds_m": [0, 0, 8, 4],
        "cameras": cameras,
        "zones": zones,
    }
    return environment_load(definition={**definition, **fields})


def record(camera: Camera, seconds: float = 10.0, *, at_s: float = 0.0, uri: str = "") -> Any:
    """Footage of the camera from `at_s` after START; nothing reads the file."""
    return recording_register(
        camera=camera,
        uri=uri or f"/footage/{camera.slug}-{at_s:g}.mp4",
        started_at=START + timedelta(seconds=at_s),
        duration_s=seconds,
        fps=FPS,
    )


def person(name: str, environment: Environment | None = None, role: Role | None = None, **fields: Any) -> Any:
    # without a password: hashing one takes longer than most tests
    user = get_user_model().objects.create_user(name, f"{name}@example.org", **fields)
    if role is not None:
        membership_set(user=user, environment=environment, role=role)
    return user


def queued(*queues: str) -> list[tuple[str, list[Any]]]:
    """(task name, arguments) of the messages that wait in the broker's queues, oldest first."""
    found = []
    for queue in queues:
        for raw in [raw for step in lists_of(queue) for raw in reversed(redis_client().lrange(step, 0, -1))]:
            message = json.loads(raw)
            args, kwargs, _ = json.loads(base64.b64decode(message["body"]))
            found.append((message["headers"]["task"], [*args, *kwargs.values()]))
    return found


def asked_for(*queues: str) -> list[tuple[int, str]]:
    """(batch, camera) of the perceive messages that wait."""
    asked = [args[0] for name, args in queued(*queues or ("cpu.0",)) if name == "workers.perceive"]
    return [(message["number"], message["camera"]) for messages in asked for message in messages]


def prepared(task: ProcessingTask) -> ProcessingTask:
    """The task, as after a device worker has chosen its models."""
    services.task_prepared(task_id=str(task.pk), detector=CHOICE, embedder=EMBEDDER)
    task.refresh_from_db()
    return task


# -- an association whose result is known --------------------------------------------------------------------


@dataclass
class Person:
    number: int
    first_s: float
    last_s: float
    appearance: np.ndarray
    weight: float = 1.0


@dataclass
class Rows:
    detections: list[tuple] = field(default_factory=list)
    positions: list[tuple] = field(default_factory=list)
    trajectories: list[tuple] = field(default_factory=list)
    persons: list[Person] = field(default_factory=list)
    bridged: list[tuple] = field(default_factory=list)
    renamed: list[tuple] = field(default_factory=list)
    variation: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def looks(self) -> list[Person]:
        """Everybody's look is told with every batch."""
        return self.persons


@dataclass
class Output:
    rows: Rows
    state: Callable[[], bytes]
    cameras: dict[str, dict[str, Any]]
    associate_ms: float = 1.0


LOOKS = {1: np.array([3.0, 4.0]), 2: np.array([0.0, 2.0])}


def walk(batch: BatchInput) -> Output:
    """Two persons walk through both cameras at 1 m/s; each camera's observations are passed on as its report.

    The state counts the instants seen, so that a batch that was left out or counted twice shows in the rows.
    """
    seen = seen_before(batch.known())
    rows = Rows()
    for instant, time_s in zip(batch.instants, batch.times_s, strict=True):
        for number in LOOKS:
            x, y = 0.5 + seen / FPS, float(number)
            for camera in batch.task.cameras:
                box = (100 * x - 20, 100 * y - 80, 100 * x + 20, 100 * y)
                rows.detections.append((instant, instant, time_s, camera, number, number, box, 0.9, (x, y)))
            rows.positions.append((instant, time_s, number, x, y, 1.0, 0.0, 0.1))
        seen += 1
    first, last = batch.task.start.timestamp(), batch.times_s[-1]
    rows.persons = [Person(number, first, last, looks) for number, looks in LOOKS.items()]
    if batch.last:
        rows.trajectories = trajectories(batch.task, seen)
    cameras = {
        name: {"frames": len(batch.instants), "detections": 2, "problems": [], "timings_ms": {"detect": 1.0}}
        for name in batch.task.cameras
    }
    return Output(rows, lambda: msgpack.packb(seen), cameras)


def seen_before(known: Known) -> int:
    """The state of `walk`: instants counted up to the checkpoint, and those since."""
    counted = msgpack.unpackb(known.state) if known.state else 0
    return counted + sum(len(batch.instants) for batch in known.since)


def trajectories(task: ProcessingTask, instants: int) -> list[tuple]:
    """The paths of `walk`, from the first instant on."""
    times = task.start.timestamp() + np.arange(instants) / FPS
    xs = 0.5 + np.arange(instants) / FPS
    return [
        (number, list(range(instants)), times, np.column_stack([xs, np.full(instants, float(number))]))
        for number in LOOKS
    ]


def finish(task: ProcessingTask, known: Known) -> Rows:
    """What `walk` has left open, for `close_task`."""
    return Rows(trajectories=trajectories(task, seen_before(known)))


def perceived(task: ProcessingTask, *numbers: int, cameras: tuple[str, ...] = ()) -> None:
    """Observations of these batches have arrived."""
    for number in numbers:
        seen = dict.fromkeys(cameras or task.cameras, b"seen")
        observations.store(task_id=str(task.pk), number=number, data=seen)


# -- answers over REST ---------------------------------------------------------------------------------------

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def assert_error(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The answer is an error in the one documented shape; its `error` part."""
    body = answer.json()
    assert (answer.status_code, body["success"], body["error"]["code"]) == (status, False, code)
    assert set(body) == {"success", "error", "timestamp", "request_id"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert MOMENT.fullmatch(body["timestamp"])
    assert answer["X-Request-ID"] == body["request_id"]
    assert body["error"]["message"]
    return body["error"]
