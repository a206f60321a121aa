"""How many people are found again in another task: rendered scenes, each cut into two tasks."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from fixtures.definitions import load_definition
from fixtures.scene import Scene, Truth, demo_config, generate_scene, load_truth
from tracking.matching import match, special
from tracking.reappearance import LEAST_WEIGHT
from workers.associate import associate, tracker_for
from workers.batches import FrameBatch, Segment
from workers.benchmark.report import Report
from workers.evaluation import box_costs
from workers.perceive import Perceiver
from workers.reid import choose_embedder
from workers.scene_scores import LEAST_IOU
from workers.sources import SourcePolicy
from workers.tracking.batch import BatchTracks, rename_rows

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
BATCH_INSTANTS = 10


@dataclass(frozen=True)
class _Seen:
    """What one task made of its half of a scene.

    Attributes:
        looks: (n, d) unit looks of the persons who were seen well enough to be compared.
        truth: (n,) who they are, the person that most of their boxes show; -1: nobody.
        apart: indices of two persons whom one camera showed at once.
        variation: see `BatchTracks.variation`.
    """

    looks: np.ndarray
    truth: np.ndarray
    apart: list[tuple[int, int]]
    variation: tuple[np.ndarray, np.ndarray] | None


def matching(scenes: Sequence[tuple] = SCENES, models_dir: Path | None = None) -> Report:
    """With the re-identification network in `models_dir`, otherwise with the descriptor."""
    embedder = choose_embedder(models_dir).spec
    rows = []
    for environment, seed, people, seconds in scenes:
        with tempfile.TemporaryDirectory() as folder:
            config = replace(demo_config(environment), seed=seed, people=people, duration_s=seconds)
            scene = generate_scene(load_definition(environment), config, Path(folder) / "scene")
            halves = _halves(scene, embedder, models_dir)
        rows.append({"scene": f"{environment}, seed {seed}", **_compared(*halves)})
    rows.append({"scene": "all", **{k: sum(row[k] for row in rows) for k in rows[0] if k != "scene"}})
    return Report(
        f"People found again in the second of two tasks, by {embedder.rpartition('/')[2]}",
        rows,
        note="looks as they are, and what is special about them; wrong: somebody else",
    )


def _compared(before: _Seen, after: _Seen) -> dict[str, int]:
    both = set(before.truth.tolist()) & set(after.truth.tolist()) - {-1}
    result = {"in both": len(both)}
    looks = np.vstack([before.looks, after.looks])
    own = special(looks, *after.variation) if after.variation else looks
    for name, rows in (("as they are", looks), ("special", own)):
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        mine, theirs = rows[len(before.looks) :], rows[: len(before.looks)]
        different = [
            side[a] @ side[b] for side, seen in ((theirs, before), (mine, after)) for a, b in seen.apart
        ]
        possible = np.ones((len(mine), len(theirs)), bool)
        found = match(mine, theirs, possible=possible, different=np.array(different))
        right = sum(after.truth[m.mine] == before.truth[m.theirs] for m in found)
        result |= {name: int(right), f"{name}: wrong": len(found) - int(right)}
    return result


def _halves(scene: Scene, embedder: str, models_dir: Path | None) -> tuple[_Seen, _Seen]:
    batches = list(_batches(scene, embedder, models_dir))
    definition, size = load_definition(scene.environment), scene.config.image_size
    plan = [
        {
            "camera": c,
            "image_size": size,
            "calibration": definition.camera(c).model().scaled_to(size).to_mapping(),
        }
        for c in sorted(scene.videos)
    ]
    who = _who(load_truth(scene.truth_path))
    middle = len(batches) // 2
    return _tracked(plan, batches[:middle], who), _tracked(plan, batches[middle:], who)


def _batches(
    scene: Scene, embedder: str, models_dir: Path | None
) -> Iterator[tuple[list[int], list[float], list[bytes]]]:
    """Instants, their times and all cameras' observations."""
    perceiver = Perceiver(policy=SourcePolicy(allowed_roots=(scene.folder,)), models_dir=models_dir)
    size, start_s = scene.config.image_size, scene.started_at.timestamp()
    definition = load_definition(scene.environment)
    for first in range(0, scene.frame_count, BATCH_INSTANTS):
        instants = range(first, min(first + BATCH_INSTANTS, scene.frame_count))
        times_s = tuple(i / scene.fps for i in instants)
        observed = []
        for number, (camera, video) in enumerate(sorted(scene.videos.items())):
            segment = Segment(str(video), start_s, scene.duration_s, tuple(instants), times_s)
            batch = FrameBatch(
                task_id="",
                number=number,
                camera=camera,
                segments=(segment,),
                tolerance_s=0.5 / scene.fps,
                image_size=size,
                calibration=definition.camera(camera).model().scaled_to(size).to_mapping(),
                detector="motion",
                embedder=embedder,
                score_threshold=None,
                queued_at=0.0,
            )
            observed.append(perceiver.perceive(batch).to_bytes())
        yield list(instants), [start_s + t for t in times_s], observed
    perceiver.close()


def _tracked(plan: list[dict[str, Any]], batches: Sequence[tuple], who: Callable) -> _Seen:
    tracker, rows, looks = tracker_for(plan, None), BatchTracks(), {}
    for k, (instants, times_s, observed) in enumerate(batches):
        last = k == len(batches) - 1
        done = associate(
            tracker=tracker, observations=observed, instants=instants, times_s=times_s, last=last
        ).rows
        for since, old, new, cameras in done.renamed:
            rename_rows(rows, since, old, new, cameras, on_map=True)
        rows.detections += done.detections
        looks |= {person.number: person for person in done.looks}
    people: dict[int, Counter[int]] = defaultdict(Counter)
    together: dict[tuple, set[int]] = defaultdict(set)
    for instant, _, _, camera, _, person, box, *_ in rows.detections:
        people[person][who(camera, instant, box)] += 1
        together[camera, instant].add(person)
    known = sorted(n for n, person in looks.items() if n in people and person.weight >= LEAST_WEIGHT)
    index = {number: i for i, number in enumerate(known)}
    pairs = {pair for seen in together.values() for pair in combinations(sorted(seen & index.keys()), 2)}
    vectors = np.stack([looks[number].appearance for number in known]).astype(float)
    return _Seen(
        looks=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        truth=np.array([people[number].most_common(1)[0][0] for number in known]),
        apart=sorted((index[a], index[b]) for a, b in pairs),
        variation=done.variation,
    )


def _who(truth: Truth) -> Callable[[str, int, Sequence[float]], int]:
    """Whom a box in a camera shows at an instant; -1: nobody."""
    rows: dict[tuple[str, int], list[int]] = defaultdict(list)
    for i, (camera, frame) in enumerate(zip(truth.camera.tolist(), truth.frame.tolist(), strict=True)):
        rows[camera, frame].append(i)

    def who(camera: str, instant: int, box_px: Sequence[float]) -> int:
        there = rows[camera, instant]
        if not there:
            return -1
        overlap = 1 - box_costs(np.array([box_px], float), truth.boxes_px[there])[0]
        return int(truth.person[there[overlap.argmax()]]) if overlap.max() >= LEAST_IOU else -1

    return who
