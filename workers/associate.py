"""Associate: observations of all cameras and the state before, to rows and the state after."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from calibration import CameraModel
from workers.observations import Observations
from workers.tracking import BatchTracks, MultiCameraTracker
from workers.tracking.tracker import CameraView


@dataclass(frozen=True)
class Associated:
    """A batch's rows, the tracker's state after it, and what each camera contributed.

    Attributes:
        cameras: per camera {"frames", "detections", "problems", "timings_ms"}.
    """

    rows: BatchTracks
    state: bytes
    cameras: dict[str, dict[str, Any]]
    associate_ms: float


def associate(
    *,
    cameras: Sequence[Mapping[str, Any]],
    state: bytes | None,
    observations: Sequence[bytes],
    instants: Sequence[int],
    times_s: Sequence[float],
    last: bool,
) -> Associated:
    """Associate one batch; pure but for the clock it reads.

    Args:
        cameras: the task's planned cameras: `camera`, `image_size`, `calibration`.
        state: after the batch before, None at the beginning.
        observations: one per camera, as `Observations.to_bytes`.
        last: no batch follows: open tracks close.
    """
    begun = time.perf_counter()
    observed = [Observations.from_bytes(data) for data in observations]
    tracker = tracker_for(cameras, state)
    tracks = tracker.process(observed, instants, times_s)
    if last:
        rest = tracker.finish()
        tracks.corrected += rest.corrected
        tracks.trajectories += rest.trajectories
    return Associated(
        rows=tracks,
        state=tracker.state(),
        cameras={o.camera: _report(o) for o in observed},
        associate_ms=(time.perf_counter() - begun) * 1e3,
    )


def tracker_for(cameras: Sequence[Mapping[str, Any]], state: bytes | None) -> MultiCameraTracker:
    """A tracker for a task's planned cameras, going on from `state`."""
    tracker = MultiCameraTracker([_camera_view(entry) for entry in cameras])
    if state is not None:
        tracker.restore(state)
    return tracker


def _camera_view(entry: Mapping[str, Any]) -> CameraView:
    size = tuple(entry["image_size"])
    model = CameraModel.from_mapping(entry["calibration"]).scaled_to(size) if entry["calibration"] else None
    return CameraView(entry["camera"], size, model)


def _report(observed: Observations) -> dict[str, Any]:
    return {
        "frames": len(observed.instants),
        "detections": len(observed.scores),
        "problems": list(observed.problems),
        "timings_ms": dict(observed.timings_ms),
    }
