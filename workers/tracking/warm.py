"""Compiles the tracker's loops, or loads them, before somebody waits for them."""

from __future__ import annotations

import numpy as np

from calibration import CameraModel
from workers.observations import Observations
from workers.tracking.tracker import CameraView, MultiCameraTracker

SIZE = (640, 480)
# two cameras 8 m above the ground that look at the same place from opposite sides
SOUTH = [[500.0, 320.0, 0.0, 4000.0], [0.0, 0.0, -560.0, 4480.0], [0.0, 1.0, -0.25, 12.0]]
NORTH = [[-500.0, -320.0, 0.0, 4000.0], [0.0, 0.0, -560.0, 4480.0], [0.0, -1.0, -0.25, 12.0]]


def warm() -> None:
    """Track some people once, so that everything has run."""
    models = {
        name: CameraModel.from_projection(np.array(P), SIZE) for name, P in (("n", NORTH), ("s", SOUTH))
    }
    tracker = MultiCameraTracker([CameraView(name, SIZE, model) for name, model in models.items()])
    instants, people = np.arange(4, dtype=np.int32), np.array([[0.0, 0.0], [0.4, 0.2], [2.0, 1.0]])
    observed = []
    for name, model in models.items():
        boxes = np.concatenate([model.person_boxes(people + 0.05 * i, 1.7) for i in instants])
        n = len(boxes)
        looks = np.tile(np.eye(len(people), 8), (len(instants), 1))
        observed.append(
            Observations(
                camera=name,
                number=0,
                instants=instants,
                frames=instants,
                captured_at=instants / 10.0,
                counts=np.full(len(instants), len(people), np.int32),
                boxes_px=boxes.astype(np.float32),
                scores=np.full(n, 0.9, np.float32),
                embeddings=looks.astype(np.float16),
            )
        )
    tracker.process(observed, instants.tolist(), (instants / 10.0).tolist())
    tracker.finish()
