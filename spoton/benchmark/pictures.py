"""How long a picture with everything drawn on it takes: from the frame store to the encoded answer."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import cv2
import numpy as np
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from environments.models import Camera
from environments.redis import redis_client
from fixtures.definitions import load_definition
from fixtures.scene import SceneConfig, generate_scene
from spoton.benchmark.instance import Instance
from spoton.sites import site_load
from tracking import frames
from tracking.models import Batch, Detection, Person, ProcessingTask
from tracking.overlay_style import OverlayStyle
from tracking.rendering import Look, rendered
from workers.benchmark.report import Report
from workers.types import EngineError

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
SIZE, FPS, PEOPLE, TRAIL_S = (1280, 720), 10.0, 20, 5.0
STYLES = {
    "boxes and names": OverlayStyle(),
    "trails, zones, highlight too": OverlayStyle(trails_seconds=TRAIL_S, zones=True),
    "everybody blurred": OverlayStyle(blur="everyone"),
}


def pictures(count: int = 60) -> Report:
    """In an instance of its own.

    Args:
        count: different frames for each row.
    """
    with Instance() as instance:
        found = instance.measure("pictures", "--count", str(count))
    return Report(
        f"Pictures: {SIZE[0]}x{SIZE[1]}, {PEOPLE} people, JPEG quality 80, ms",
        found,
        goal="about 15 ms with boxes and names",
        note="one viewer after the other; REST through Django's test client, without a server in between",
    )


def rows(count: int) -> list[dict[str, Any]]:
    """Times of the pictures of `count` frames, by what is drawn and how they are asked for."""
    task, focus = _task(count)
    user = get_user_model().objects.create_superuser("benchmark")
    client = APIClient(headers={"host": "localhost"})
    client.force_authenticate(user)
    camera, first = task.cameras[0], int(TRAIL_S * FPS)
    instants = range(first, first + count)

    def render(style: OverlayStyle, instant: int, focus: UUID | None) -> None:
        rendered(task=task, camera=camera, instant=instant, look=Look(style=style), focus=focus)

    def ask(instant: int, suffix: str = "") -> None:
        t = (
            (START + timedelta(seconds=instant / FPS))
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z")
        )
        answer = client.get(f"/api/v1/media/frames/{task.pk}/{camera}{suffix}", {"t": t})
        if answer.status_code != 200:
            raise EngineError(f"a picture was answered with {answer.status_code}: {answer.content[:300]}")

    ways: dict[str, Callable[[int], None]] = {
        f"rendered: {name}": lambda i, style=style: render(style, i, focus if style.zones else None)
        for name, style in STYLES.items()
    }
    result = [_row(name, instants, way) for name, way in ways.items()]
    _forget_made()
    result.append(_row("REST: boxes and names", instants, ask))
    result.append(_row("REST: the same for the next viewer", instants, ask))
    return [*result, _row("REST: as captured", instants, lambda i: ask(i, "/raw"))]


def _row(name: str, instants: range, way: Callable[[int], None]) -> dict[str, Any]:
    way(instants[0])
    spent = []
    for instant in instants[1:]:
        begun = time.perf_counter()
        way(instant)
        spent.append(1e3 * (time.perf_counter() - begun))
    return {"what": name, "median": float(np.median(spent)), "p95": float(np.percentile(spent, 95))}


def _forget_made() -> None:
    """Pictures that were shared with earlier rows."""
    redis_client().delete(*redis_client().scan_iter("spoton:made*"))


def _task(count: int) -> tuple[ProcessingTask, UUID]:
    """A processed task of one camera, its frames in the frame store, and one of its people."""
    definition = load_definition("campus")
    with tempfile.TemporaryDirectory() as folder:
        config = SceneConfig(seed=7, people=PEOPLE, duration_s=1.0, cameras=("c01",), image_size=SIZE)
        video = cv2.VideoCapture(str(generate_scene(definition, config, Path(folder)).videos["c01"]))
        _, image = video.read()
    jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    environment = site_load("campus")
    camera = environment.cameras.get(slug="c01")
    entry = {
        "camera": camera.slug,
        "camera_id": camera.pk,
        "image_size": SIZE,
        "calibration": camera.model.scaled_to(SIZE).to_mapping(),
    }
    instants = count + int(TRAIL_S * FPS)
    task = ProcessingTask.objects.create(
        environment=environment,
        mode=ProcessingTask.Mode.RECORDED,
        start=START,
        end=START + timedelta(seconds=instants / FPS),
        fps=FPS,
        detector="motion",
        embedder="descriptor",
        plan={"batch_instants": instants, "cameras": [entry]},
    )
    Batch.objects.create(task=task, number=0, instants=instants, committed_at=START, cameras={}, stages={})
    people = Person.objects.bulk_create(
        Person(id=uuid4(), environment=environment, first_seen_at=START, last_seen_at=task.end)
        for _ in range(PEOPLE)
    )
    Detection.objects.bulk_create(_walks(task, camera, people, instants))
    kept = [
        (camera.slug, frames.StoredFrame(i, i, START.timestamp() + i / FPS, *SIZE, jpeg))
        for i in range(instants - count, instants)
    ]
    frames.put_all(task_id=task.pk, frames=kept)
    return task, people[0].pk


def _walks(
    task: ProcessingTask, camera: Camera, people: Sequence[Person], instants: int
) -> Iterator[Detection]:
    """Boxes of people who cross the picture, near ones larger than far ones."""
    rng = np.random.default_rng(1)
    for track, (person, foot_y) in enumerate(
        zip(people, rng.uniform(0.3, 1.0, PEOPLE) * SIZE[1], strict=True)
    ):
        height, begin, speed = foot_y / 3, rng.uniform(0, SIZE[0]), rng.uniform(-4, 4)
        for instant in range(instants):
            x = (begin + speed * instant) % SIZE[0]
            yield Detection(
                task=task, captured_at=START + timedelta(seconds=instant / FPS), camera=camera, track_id=track,
                person=person, instant=instant, frame=instant, x1=x - height / 5, y1=foot_y - height,
                x2=x + height / 5, y2=foot_y, confidence=0.9,
            )  # fmt: skip
