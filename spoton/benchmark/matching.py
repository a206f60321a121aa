"""How many people are found again in another task: rendered scenes, each cut into two tasks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from fixtures.scene import Scene, Truth, load_truth
from spoton.benchmark.rendered import SCENES, Perceived, perceive, rendered, track
from tracking.matching import match, special
from tracking.reappearance import LEAST_WEIGHT
from workers.benchmark.report import Report
from workers.evaluation import box_costs
from workers.reid import choose_embedder
from workers.scene_scores import LEAST_IOU


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
    for name, scene in rendered(scenes):
        rows.append({"scene": name, **_compared(*_halves(scene, embedder, models_dir))})
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
    batches = list(perceive(scene, embedder, models_dir))
    who = _who(load_truth(scene.truth_path))
    middle = len(batches) // 2
    return _tracked(scene, batches[:middle], who), _tracked(scene, batches[middle:], who)


def _tracked(scene: Scene, batches: Sequence[Perceived], who: Callable) -> _Seen:
    rows, last = track(scene, batches)
    looks = {person.number: person for person in rows.looks}
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
        variation=last.variation,
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
