"""Associate: observations of all cameras and the state before, to rows and the state after."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from calibration import CameraModel
from workers.observations import Observations
from workers.tracking import BatchTracks, MultiCameraTracker
from workers.tracking.tracker import CameraView

# trackers of the tasks that this process worked for last are kept, so that they need not be read from their states
MOST_TRACKERS = 8
# more people and tracks than appear between two stored states
SKIPPED_NUMBERS = 10_000


@dataclass(frozen=True)
class Associated:
    """A batch's rows, the tracker's state after it, and what each camera contributed.

    Attributes:
        state: gives the state; to be called before the tracker's next batch.
        cameras: per camera {"frames", "detections", "problems", "timings_ms"}.
    """

    rows: BatchTracks
    state: Callable[[], bytes]
    cameras: dict[str, dict[str, Any]]
    associate_ms: float


class Seen(Protocol):
    """A batch that was associated before: what is needed to do it again. See `tracking.commit.Seen`."""

    observations: Sequence[bytes | None]
    instants: Sequence[int]
    times_s: Sequence[float]


class Known(Protocol):
    """A state, and the batches since. See `tracking.commit.Known`."""

    state: bytes | None
    since: Sequence[Seen]


class Associator:
    """Associates the batches of many tasks, each in order; one per worker process.

    A tracker that goes on and one that is made from the state before give the same, so it does not matter which
    process had the task's last batch; the former is merely quicker.
    """

    def __init__(self) -> None:
        # by task: the batch that its tracker waits for, and the tracker
        self._trackers: OrderedDict[str, tuple[int, MultiCameraTracker]] = OrderedDict()

    def associate(
        self,
        *,
        task_id: str,
        number: int,
        cameras: Sequence[Mapping[str, Any]],
        known: Callable[[], Known],
        observations: Sequence[bytes],
        instants: Sequence[int],
        times_s: Sequence[float],
        looks: bool,
        last: bool,
    ) -> Associated:
        """Associate batch `number`; see `associate`.

        Args:
            cameras: the task's planned cameras: `camera`, `image_size`, `calibration`.
            known: what goes before; only called when it is not at hand.
        """
        begun = time.perf_counter()
        # taken out: should anything fail from here on, the next attempt begins with what was committed
        waits_for, tracker = self._trackers.pop(task_id, (None, None))
        if waits_for != number:
            tracker = tracker_after(cameras, known())
        done = associate(
            tracker=tracker,
            observations=observations,
            instants=instants,
            times_s=times_s,
            looks=looks,
            last=last,
        )
        self._trackers[task_id] = (number + 1, tracker)
        while len(self._trackers) > MOST_TRACKERS:
            self._trackers.popitem(last=False)
        return replace(done, associate_ms=(time.perf_counter() - begun) * 1e3)

    def forget(self, task_id: str) -> None:
        """Begin again with what is known: a batch was associated but not committed."""
        self._trackers.pop(task_id, None)


def associate(
    *,
    tracker: MultiCameraTracker,
    observations: Sequence[bytes],
    instants: Sequence[int],
    times_s: Sequence[float],
    last: bool,
    looks: bool = True,
) -> Associated:
    """Associate one batch; pure but for the tracker, which goes on, and the clock.

    Args:
        observations: one per camera, as `Observations.to_bytes`.
        last: no batch follows: open tracks close.
        looks: whether to tell what people look like.
    """
    begun = time.perf_counter()
    observed = [Observations.from_bytes(data) for data in observations]
    tracks = tracker.process(observed, instants, times_s, looks=looks or last)
    if last:
        rest = tracker.finish()
        tracks.corrected += rest.corrected
        tracks.trajectories += rest.trajectories
        tracks.variation = rest.variation
    return Associated(
        rows=tracks,
        state=tracker.state,
        cameras={o.camera: _report(o) for o in observed},
        associate_ms=(time.perf_counter() - begun) * 1e3,
    )


def tracker_after(cameras: Sequence[Mapping[str, Any]], known: Known) -> MultiCameraTracker:
    """The tracker as it was after the last batch: the state before, and what was seen since, once more."""
    tracker, incomplete = tracker_for(cameras, known.state), False
    for seen in known.since:
        # observations that were lost meanwhile are as frames that were never captured
        observed = [Observations.from_bytes(data) for data in seen.observations if data is not None]
        lost = {entry["camera"] for entry in cameras} - {o.camera for o in observed}
        observed += [Observations.nothing(camera, 0) for camera in sorted(lost)]
        tracker.process(observed, seen.instants, seen.times_s, looks=False)
        incomplete |= bool(lost) or not seen.instants
    if incomplete:
        # people and tracks whose rows are written may be unknown now: their numbers are not given to others
        tracker.skip_numbers(SKIPPED_NUMBERS)
    return tracker


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
