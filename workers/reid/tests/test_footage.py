"""How well people are known again on real footage: one camera, small dark figures, 30 frames apart."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from workers.detection.base import pairwise_iou
from workers.reid import build_embedder
from workers.sources import SourcePolicy, open_source
from workers.types import Embedder

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
pytestmark = pytest.mark.skipif(not (SHARED / "footage").exists(), reason="needs ../shared")


def rank_1_and_auc(embedder: Embedder) -> tuple[float, float]:
    """Share of sightings whose nearest is of the same person, and how well similarity tells pairs apart."""
    truth: dict[int, list[list[float]]] = {}
    with open(SHARED / "groundtruth/pets09_s2l1_frames_0000_0399.csv") as file:
        for row in csv.DictReader(file):
            columns = ("id", "x1", "y1", "x2", "y2")
            truth.setdefault(int(row["frame"]), []).append([float(row[key]) for key in columns])
    features, identities, frames = [], [], []
    footage = str(SHARED / "footage/pets09_s2l1_view001_480x360.avi")
    with open_source(footage, policy=SourcePolicy((SHARED,))) as source:
        for frame in source.frames(0.0, 40.0, stride=10):
            rows = np.array(truth[frame.index])
            overlap = pairwise_iou(rows[:, 1:], rows[:, 1:]) - np.eye(len(rows))
            rows = rows[overlap.max(1) < 0.3]  # hidden people are no test of appearance
            features.append(embedder.embed(frame.image, rows[:, 1:]))
            identities += rows[:, 0].tolist()
            frames += [frame.index] * len(rows)
    similarity = np.concatenate(features) @ np.concatenate(features).T
    same = np.equal.outer(identities, identities)
    apart = np.abs(np.subtract.outer(frames, frames)) > 30
    again = (same & apart).any(1)
    nearest = np.where(apart, similarity, -np.inf).argmax(1)
    rank_1 = same[np.arange(len(same)), nearest][again].mean()
    ours, others = similarity[same & apart], similarity[~same & apart]
    auc = np.searchsorted(np.sort(others), ours).mean() / len(others)
    return float(rank_1), float(auc)


def test_descriptor_without_weights():
    rank_1, auc = rank_1_and_auc(build_embedder("descriptor", models_dir=None))
    assert rank_1 > 0.64  # measured 0.70
    assert auc > 0.81  # measured 0.83


def test_osnet():
    rank_1, auc = rank_1_and_auc(build_embedder("onnx:osnet_x0_25_msmt17.onnx", models_dir=SHARED / "models"))
    assert rank_1 > 0.70  # measured 0.73
    assert auc > 0.92  # measured 0.93
