"""The scores agree with motmetrics, the field's reference implementation."""

import numpy as np
import pytest

from workers.evaluation import evaluate


def random_tracks(seed: int):
    """Three persons walking for 40 frames; a tracker that misses, invents and confuses some."""
    rng = np.random.default_rng(seed)
    truth, tracks = {}, {}
    names = {0: 10, 1: 11, 2: 12}
    for frame in range(40):
        points = np.array([[frame * 0.3, p * 3.0] for p in range(3)]) + rng.normal(0, 0.05, (3, 2))
        truth[frame] = ([0, 1, 2], points)
        if rng.random() < 0.08:
            a, b = rng.choice(3, 2, replace=False)
            names[int(a)], names[int(b)] = names[int(b)], names[int(a)]
        seen = rng.random(3) < 0.85
        found = [names[p] for p in range(3) if seen[p]]
        places = points[seen] + rng.normal(0, 0.2, (int(seen.sum()), 2))
        if rng.random() < 0.2:
            found, places = [*found, 99], np.vstack([places, [50.0, 50.0]])
        tracks[frame] = (found, places)
    return truth, tracks


@pytest.mark.parametrize("seed", range(6))
def test_same_values_as_motmetrics(seed, monkeypatch):
    # motmetrics 1.4 still calls what NumPy 2 removed
    monkeypatch.setattr(np, "asfarray", lambda a, dtype=float: np.asarray(a, dtype), raising=False)
    mm = pytest.importorskip("motmetrics")
    truth, tracks = random_tracks(seed)
    accumulator = mm.MOTAccumulator(auto_id=True)
    for frame in sorted(truth):
        (a, p), (b, q) = truth[frame], tracks[frame]
        distance = np.linalg.norm(p[:, None] - q[None], axis=2)
        distance[distance > 1.0] = np.nan
        accumulator.update(a, b, distance)
    names = ["mota", "idf1", "num_switches", "num_false_positives", "num_misses"]
    expected = mm.metrics.create().compute(accumulator, metrics=names, name="x").iloc[0]
    ours = evaluate(truth, tracks, most=1.0, kind="points")
    assert ours.mota == pytest.approx(expected["mota"])
    assert ours.idf1 == pytest.approx(expected["idf1"])
    assert ours.switches == expected["num_switches"]
    assert (ours.false_positives, ours.misses) == (expected["num_false_positives"], expected["num_misses"])


def test_perfect_tracks_score_one():
    truth, _ = random_tracks(0)
    quality = evaluate(truth, truth, most=1.0, kind="points")
    assert (quality.mota, quality.idf1, quality.switches) == (1.0, 1.0, 0)


def test_nothing_tracked_scores_zero():
    truth, _ = random_tracks(0)
    quality = evaluate(truth, {}, most=1.0, kind="points")
    assert (quality.mota, quality.idf1) == (0.0, 0.0)


def test_boxes_match_by_overlap():
    truth = {0: (["a"], np.array([[0, 0, 10, 20.0]]))}
    near = {0: ([1], np.array([[1, 0, 11, 20.0]]))}
    far = {0: ([1], np.array([[8, 0, 18, 20.0]]))}
    assert evaluate(truth, near, most=0.5, kind="boxes").misses == 0
    assert evaluate(truth, far, most=0.5, kind="boxes").misses == 1
