"""Scores of tracks against a synthetic scene's exact truth: per camera, across cameras, and on the map."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from workers.evaluation import Frames, Quality, box_costs, evaluate

# persons less visible than this are neither asked for nor held against the tracker
LEAST_VISIBLE = 0.3
LEAST_IOU = 0.5
MAP_METRES = 1.0


def camera_scores(
    truth: Any, detections: Iterable[tuple], cameras: Iterable[str]
) -> tuple[dict[str, Quality], Quality]:
    """Scores per camera, and across cameras (the same person must have one identity in all views).

    Args:
        truth: rows with `frame`, `camera`, `person`, `boxes_px`, `visibility` arrays.
        detections: (frame, camera, identity, box_px) of the tracker.
    """
    tracked: dict[tuple[str, int], tuple[list, list]] = {}
    for frame, camera, identity, box in detections:
        names, boxes = tracked.setdefault((camera, int(frame)), ([], []))
        names.append(identity)
        boxes.append(box)
    wanted: dict[tuple[str, int], tuple[list, np.ndarray]] = {}
    found: dict[tuple[str, int], tuple[list, np.ndarray]] = {}
    keys = np.array([f"{c}|{f}" for c, f in zip(truth.camera, truth.frame, strict=True)])
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.r_[True, keys[order][1:] != keys[order][:-1]]) if len(order) else []
    groups = {keys[rows[0]]: rows for rows in np.split(order, starts[1:])} if len(order) else {}
    for camera in cameras:
        frames = {f for c, f in tracked if c == camera} | {
            int(f) for f in truth.frame[truth.camera == camera]
        }
        for frame in frames:
            rows = groups.get(f"{camera}|{frame}", np.empty(0, int))
            clear = truth.visibility[rows] >= LEAST_VISIBLE
            names, boxes = tracked.get((camera, frame), ([], []))
            kept = _without_ignored(np.array(boxes, float).reshape(-1, 4), truth.boxes_px[rows], clear)
            wanted[camera, frame] = (truth.person[rows[clear]].tolist(), truth.boxes_px[rows[clear]])
            found[camera, frame] = (
                [n for n, k in zip(names, kept, strict=True) if k],
                np.array(boxes, float).reshape(-1, 4)[kept],
            )
    per_camera = {camera: _score(_of(wanted, camera), _of(found, camera)) for camera in cameras}
    return per_camera, _score(wanted, found)


def map_score(truth: Iterable[tuple], positions: Iterable[tuple]) -> Quality:
    """Score on the map.

    Args:
        truth, positions: (frame, identity, x_m, y_m).
    """
    return evaluate(_points(truth), _points(positions), most=MAP_METRES, kind="points")


def _score(truth: Frames, tracks: Frames) -> Quality:
    return evaluate(truth, tracks, most=1 - LEAST_IOU, kind="boxes")


def _of(frames: Frames, camera: str) -> Frames:
    return {key: value for key, value in frames.items() if key[0] == camera}


def _without_ignored(boxes: np.ndarray, truth_boxes: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """(n,) bool: boxes that do not belong to a person too hidden to count."""
    if len(boxes) == 0 or clear.all():
        return np.ones(len(boxes), bool)
    iou = 1 - box_costs(boxes, truth_boxes)
    hidden = iou[:, ~clear].max(1)
    counted = iou[:, clear].max(1) if clear.any() else np.zeros(len(boxes))
    return ~((hidden >= LEAST_IOU) & (hidden > counted))


def _points(rows: Iterable[tuple]) -> Frames:
    frames: dict[int, tuple[list, list]] = {}
    for frame, identity, x, y in rows:
        names, points = frames.setdefault(int(frame), ([], []))
        names.append(identity)
        points.append((x, y))
    return {frame: (names, np.array(points)) for frame, (names, points) in frames.items()}
