"""The tracker of one processing task: observations of all cameras in, identities on the map out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from calibration import CameraModel
from workers.mapping.plane import GroundPlane, ImagePlane, Plane
from workers.mapping.smoothing import smooth
from workers.observations import Observations
from workers.tracking import state as wire
from workers.tracking.ground import GroundTracker
from workers.tracking.identities import TRUSTED_WEIGHT, Person, PersonBook
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import SimilarityScale
from workers.tracking.tracks import Tracks, unit_rows
from workers.tracking.views import View

MAP = "map"
# a smoothed trajectory is written at the latest after this many instants, so that the state stays small
TRAJECTORY_INSTANTS = 600


@dataclass(frozen=True)
class CameraView:
    """What the tracker must know of a camera."""

    camera: str
    image_size: tuple[int, int]
    model: CameraModel | None


@dataclass
class BatchTracks:
    """What one batch adds. Rows as tuples, in a fixed order; `person` is the number within the task.

    Attributes:
        detections: (instant, frame, captured_at, camera, track_id, person, box_px (4), score, position_m or None).
        positions: (instant, time_s, person, x_m, y_m, vx, vy, sigma_m).
        trajectories: (person, instants, times_s, positions_m (n, 2)), smoothed, of tracks that closed.
        persons: those seen in this batch.
    """

    detections: list[tuple] = field(default_factory=list)
    positions: list[tuple] = field(default_factory=list)
    trajectories: list[tuple] = field(default_factory=list)
    persons: list[Person] = field(default_factory=list)


class MultiCameraTracker:
    """Deterministic and serialisable: `state` after a batch and `restore` before the next change nothing.

    Calibrated cameras share one plane, the map. A camera without calibration has a plane of its own; its
    people are joined to the others by appearance alone.
    """

    def __init__(self, cameras: Sequence[CameraView], settings: TrackerSettings | None = None) -> None:
        self.settings = settings or TrackerSettings()
        self.cameras = {view.camera: view for view in sorted(cameras, key=lambda view: view.camera)}
        self._planes: dict[str, Plane] = {
            name: GroundPlane(view.model) if view.model else ImagePlane(view.image_size)
            for name, view in self.cameras.items()
        }
        self._plane_of = {
            name: MAP if view.model else f"image of {name}" for name, view in self.cameras.items()
        }
        self.scale = SimilarityScale()
        self.book = PersonBook(self.settings, self.scale)
        self._trackers = {
            plane: GroundTracker(self.settings, self.scale) for plane in sorted(set(self._plane_of.values()))
        }
        self._next_track = 0
        # per camera: the tracklet of each track, and the next tracklet's id
        self._tracklets: dict[str, dict[int, tuple[int, float]]] = {name: {} for name in self.cameras}
        self._next_tracklet = dict.fromkeys(self.cameras, 1)
        # per track on the map: (instant, time_s, x, y, variance) of every shown position, for smoothing
        self._paths: dict[int, list[tuple[int, float, float, float, float]]] = {}

    # -- running ---------------------------------------------------------------------------------------------

    def process(
        self, observations: Sequence[Observations], instants: Sequence[int], times_s: Sequence[float]
    ) -> BatchTracks:
        """Associate one batch.

        Args:
            observations: one per camera, in any order.
            instants: numbers of the batch's instants, ascending; times_s: their UNIX times.
        """
        by_camera = {o.camera: o for o in observations}
        result = BatchTracks()
        touched: set[int] = set()
        for instant, time_s in zip(instants, times_s, strict=True):
            self._instant(by_camera, instant, time_s, result, touched)
        self.book.forget(times_s[-1] if len(times_s) else 0.0)
        result.persons = [self.book.persons[n] for n in sorted(touched) if n in self.book.persons]
        return result

    def finish(self) -> BatchTracks:
        """The smoothed trajectories of all tracks still open, at the end of the task."""
        result = BatchTracks()
        for number in sorted(self._paths):
            self._close_path(number, result)
        return result

    # -- state -----------------------------------------------------------------------------------------------

    def state(self) -> bytes:
        """Everything that the future depends on."""
        return wire.pack(
            {
                "scale": self.scale.to_state(),
                "persons": [p.to_state() for p in self.book.persons.values()],
                "person_count": self.book.count,
                "planes": {
                    name: {
                        "tracks": tracker.tracks.to_state(),
                        "time_s": tracker.time_s,
                        "close_pairs": [[*pair, seconds] for pair, seconds in tracker.close_pairs.items()],
                    }
                    for name, tracker in self._trackers.items()
                },
                "next_track": self._next_track,
                "tracklets": {
                    name: [[n, *value] for n, value in tracklets.items()]
                    for name, tracklets in self._tracklets.items()
                },
                "next_tracklet": self._next_tracklet,
                "paths": {str(n): np.array(path, float) for n, path in self._paths.items()},
            }
        )

    def restore(self, data: bytes) -> None:
        """Go on from `state`.

        Raises:
            ValueError: not a state of a tracker with these cameras.
        """
        state = wire.unpack(data)
        if set(state["next_tracklet"]) != set(self.cameras):
            raise ValueError("the checkpoint belongs to other cameras")
        self.scale.restore(state["scale"])
        self.book.persons = {p["number"]: Person.from_state(p) for p in state["persons"]}
        self.book.count = state["person_count"]
        for name, plane in state["planes"].items():
            tracker = self._trackers[name]
            tracker.tracks = Tracks(**{k: v.copy() for k, v in plane["tracks"].items()})
            tracker.time_s = plane["time_s"]
            tracker.close_pairs = {(a, b): seconds for a, b, seconds in plane["close_pairs"]}
        self._next_track = state["next_track"]
        self._tracklets = {
            name: {n: (tracklet, seen_s) for n, tracklet, seen_s in rows}
            for name, rows in state["tracklets"].items()
        }
        self._next_tracklet = dict(state["next_tracklet"])
        self._paths = {
            int(n): [(int(row[0]), *map(float, row[1:])) for row in path]
            for n, path in state["paths"].items()
        }

    # -- one instant -----------------------------------------------------------------------------------------

    def _instant(
        self,
        by_camera: Mapping[str, Observations],
        instant: int,
        time_s: float,
        result: BatchTracks,
        touched: set[int],
    ) -> None:
        views, sources = self._views(by_camera, instant)
        for plane, tracker in self._trackers.items():
            chosen = [view for view in views if self._plane_of[view.camera] == plane]
            assigned, self._next_track = tracker.step(time_s, chosen, self._next_track)
            self._confirm(plane, tracker, time_s)
            person_of = dict(zip(tracker.tracks.number.tolist(), tracker.tracks.person.tolist(), strict=True))
            for view, numbers in zip(chosen, assigned, strict=True):
                observed, frame = sources[view.camera]
                self._record_view(view, numbers, person_of, instant, time_s, observed, frame, result)
            self._record_positions(plane, tracker, instant, time_s, result, touched)
            for closed in tracker.prune():
                if closed.person >= 0:
                    self._close_path(closed.number, result, closed.person)
                    self.book.left(closed.person, closed.number)
                for tracklets in self._tracklets.values():
                    tracklets.pop(closed.number, None)

    def _views(
        self, by_camera: Mapping[str, Observations], instant: int
    ) -> tuple[list[View], dict[str, tuple[Observations, int]]]:
        views, sources = [], {}
        for name, camera in self.cameras.items():
            observed = by_camera.get(name)
            frame = None if observed is None else observed.frame_of(instant)
            if frame is None:
                continue
            rows = observed.rows_of(frame)
            embeddings = observed.embeddings[rows].astype(float)
            views.append(
                View.of(
                    name,
                    self._planes[name],
                    camera.image_size,
                    observed.boxes_px[rows],
                    observed.scores[rows],
                    embeddings,
                )
            )
            self.scale.learn_different(embeddings)
            sources[name] = (observed, frame)
        return views, sources

    def _confirm(self, plane: str, tracker: GroundTracker, time_s: float) -> None:
        tracks = tracker.tracks
        ready = ~tracks.confirmed & (tracks.evidence >= self.settings.confirm_evidence)
        for i in np.flatnonzero(ready):
            tracks.person[i] = self.book.identify(
                track=int(tracks.number[i]),
                plane=plane,
                time_s=time_s,
                born_s=float(tracks.born_s[i]),
                position_m=tracks.mean[i, :2],
                appearance=tracks.appearance[i],
                weight=float(tracks.weight[i]),
            )

    def _record_view(self, view, numbers, person_of, instant, time_s, observed, frame, result) -> None:
        tracklets = self._tracklets[view.camera]
        on_map = self._plane_of[view.camera] == MAP
        for j, number in enumerate(numbers.tolist()):
            person = person_of.get(number, -1)
            if person < 0:
                continue
            tracklet, seen_s = tracklets.get(number, (None, 0.0))
            if tracklet is None or time_s - seen_s > self.settings.tracklet_gap_s:
                tracklet = self._next_tracklet[view.camera]
                self._next_tracklet[view.camera] += 1
            tracklets[number] = (tracklet, time_s)
            result.detections.append(
                (
                    instant,
                    int(observed.frames[frame]),
                    float(observed.captured_at[frame]),
                    view.camera,
                    tracklet,
                    person,
                    tuple(view.boxes_px[j].tolist()),
                    float(view.scores[j]),
                    tuple(view.positions_m[j].tolist()) if on_map else None,
                )
            )

    def _record_positions(
        self,
        plane: str,
        tracker: GroundTracker,
        instant: int,
        time_s: float,
        result: BatchTracks,
        touched: set[int],
    ) -> None:
        tracks = tracker.tracks
        looks = unit_rows(tracks.appearance)
        self.scale.learn_strangers(looks[tracks.confirmed & (tracks.weight >= TRUSTED_WEIGHT)])
        for i in np.flatnonzero(tracks.confirmed & (time_s - tracks.seen_s <= self.settings.show_s)):
            person, number = int(tracks.person[i]), int(tracks.number[i])
            x, y, vx, vy = tracks.mean[i].tolist()
            if tracks.seen_s[i] == time_s:
                touched.add(person)
                self.book.seen(
                    person,
                    time_s=time_s,
                    plane=plane,
                    position_m=tracks.mean[i, :2],
                    appearance=looks[i] * tracks.weight[i],
                    weight=float(tracks.weight[i]),
                )
            if plane != MAP:
                continue
            variance = float(np.linalg.eigvalsh(tracks.covariance[i, :2, :2])[-1])
            result.positions.append((instant, time_s, person, x, y, vx, vy, variance**0.5))
            path = self._paths.setdefault(number, [])
            path.append((instant, time_s, x, y, variance))
            if len(path) >= TRAJECTORY_INSTANTS:
                self._close_path(number, result, person)

    def _close_path(self, number: int, result: BatchTracks, person: int | None = None) -> None:
        path = self._paths.pop(number, [])
        if person is None:
            person = self._person_of_path(number)
        if not path or person is None:
            return
        instants = [row[0] for row in path]
        values = np.array([row[1:] for row in path])
        noises = np.eye(2) * np.maximum(values[:, 3], 1e-4)[:, None, None]
        result.trajectories.append(
            (
                person,
                instants,
                values[:, 0],
                smooth(values[:, 0], values[:, 1:3], noises, self.settings.acceleration),
            )
        )

    def _person_of_path(self, number: int) -> int | None:
        return next((p.number for p in self.book.persons.values() if number in p.tracks), None)
