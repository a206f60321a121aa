"""How well people are followed in rendered scenes, whose truth is known: what `manage.py demo` reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fixtures.scene import Scene, load_truth, load_truth_map
from spoton.benchmark.rendered import DETECTOR, SCENES, perceive, rendered, track
from workers.benchmark.report import Report
from workers.evaluation import Quality
from workers.reid import choose_embedder
from workers.scene_scores import camera_scores, map_score
from workers.tracking.batch import BatchTracks


def scenes(which: Sequence[tuple] = SCENES, models_dir: Path | None = None) -> Report:
    """With the re-identification network in `models_dir`, otherwise with the descriptor."""
    embedder = choose_embedder(models_dir).spec
    rows = []
    for name, scene in rendered(which):
        tracked, _ = track(scene, list(perceive(scene, embedder, models_dir)))
        rows.append({"scene": name} | _columns(quality(scene, tracked)))
    count = len(rows)
    mean = {key: sum(row[key] for row in rows) / count for key in rows[0] if key != "scene"}
    return Report(
        f"People followed in rendered scenes, {DETECTOR} detector, {embedder.rpartition('/')[2]}",
        [*rows, {"scene": "mean", **mean}],
        goal="IDF1 95 across cameras and on the map",
        note="boxes across cameras at IoU 0.5; the map at 1 m, live and as corrected by the following second",
    )


def quality(scene: Scene, rows: BatchTracks) -> dict[str, Quality]:
    """Scores across cameras, on the map as shown live, and as corrected."""
    boxes = [(row[0], row[3], row[5], row[6]) for row in rows.detections + rows.bridged]
    _, across = camera_scores(load_truth(scene.truth_path), boxes, sorted(scene.videos))
    frames, persons, points = load_truth_map(scene.truth_map_path)
    truth = list(zip(frames.tolist(), persons.tolist(), points[:, 0], points[:, 1], strict=True))
    live, corrected = (
        map_score(truth, [(row[0], row[2], row[3], row[4]) for row in places])
        for places in (rows.positions, rows.corrected)
    )
    return {"across": across, "live": live, "corrected": corrected}


def _columns(found: dict[str, Quality]) -> dict[str, float]:
    columns = {}
    for where, scores in found.items():
        columns |= {f"{where} MOTA": 100 * scores.mota, f"{where} IDF1": 100 * scores.idf1}
    return columns
