"""Rendered scenes through the engine alone: perceived, tracked, and what came of it. No servers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from fixtures.definitions import load_definition
from fixtures.scene import Scene, demo_config, generate_scene
from workers.associate import associate, tracker_for
from workers.batches import FrameBatch, Segment
from workers.perceive import Perceiver
from workers.sources import SourcePolicy
from workers.tracking.batch import BatchTracks

# environment, seed, people, seconds
SCENES = (
    ("campus", 7, 14, 60.0),
    ("campus", 31, 20, 40.0),
    ("campus", 53, 20, 40.0),
    ("campus", 61, 20, 60.0),
    ("campus", 71, 20, 40.0),
    ("campus", 72, 16, 60.0),
    ("factory", 32, 14, 40.0),
    ("factory", 54, 14, 60.0),
    ("factory", 73, 14, 60.0),
    ("factory", 74, 18, 40.0),
)
DETECTOR, EMBEDDER = "motion", "descriptor"
BATCH_INSTANTS = 10


class Perceived(NamedTuple):
    """A batch: its instants, their UNIX times, and every camera's observations as `Observations.to_bytes`."""

    instants: list[int]
    times_s: list[float]
    observations: list[bytes]


def rendered(which: Sequence[tuple[str, int, int, float]]) -> Iterator[tuple[str, Scene]]:
    """A demo site with other people, one scene after the other, each gone when the next is asked for; and its name."""
    for environment, seed, people, seconds in which:
        config = replace(demo_config(environment), seed=seed, people=people, duration_s=seconds)
        with tempfile.TemporaryDirectory() as folder:
            scene = generate_scene(load_definition(environment), config, Path(folder) / "scene")
            yield f"{environment}, seed {seed}", scene


def perceive(scene: Scene, embedder: str = EMBEDDER, models_dir: Path | None = None) -> Iterator[Perceived]:
    """What the motion detector and the embedder see, batch by batch."""
    policy = SourcePolicy(allowed_roots=(scene.folder,))
    with closing(Perceiver(policy=policy, models_dir=models_dir)) as perceiver:
        for number, first in enumerate(range(0, scene.frame_count, BATCH_INSTANTS)):
            instants = range(first, min(first + BATCH_INSTANTS, scene.frame_count))
            asked = [_batch(scene, camera, number, instants, embedder) for camera in sorted(scene.videos)]
            observed = [perceiver.perceive(batch).to_bytes() for batch in asked]
            start_s = scene.started_at.timestamp()
            yield Perceived(list(instants), [start_s + i / scene.fps for i in instants], observed)


def track(scene: Scene, batches: Sequence[Perceived]) -> tuple[BatchTracks, BatchTracks]:
    """All rows, as they are once all decisions are final, and what the last batch added."""
    size, definition = scene.config.image_size, load_definition(scene.environment)
    plan = [
        {
            "camera": camera,
            "image_size": size,
            "calibration": definition.camera(camera).model().scaled_to(size).to_mapping(),
        }
        for camera in sorted(scene.videos)
    ]
    tracker, rows = tracker_for(plan, None), BatchTracks()
    for k, (instants, times_s, observed) in enumerate(batches):
        added = associate(
            tracker=tracker,
            observations=observed,
            instants=instants,
            times_s=times_s,
            last=k == len(batches) - 1,
        ).rows
        rows.follow(added, on_map=True)
        known = {person.number: person for person in (*rows.looks, *added.looks)}
        rows.looks = list(known.values())
    return rows, added


def _batch(scene: Scene, camera: str, number: int, instants: Sequence[int], embedder: str) -> FrameBatch:
    times_s = tuple(i / scene.fps for i in instants)
    video, start_s = str(scene.videos[camera]), scene.started_at.timestamp()
    size = scene.config.image_size
    model = load_definition(scene.environment).camera(camera).model().scaled_to(size)
    return FrameBatch(
        task_id="",
        number=number,
        camera=camera,
        segments=(Segment(video, start_s, scene.duration_s, tuple(instants), times_s),),
        tolerance_s=0.5 / scene.fps,
        image_size=size,
        calibration=model.to_mapping(),
        detector=DETECTOR,
        embedder=embedder,
        score_threshold=None,
        queued_at=0.0,
        fps=scene.fps,
    )
