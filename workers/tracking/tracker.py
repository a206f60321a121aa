"""The tracker of one processing task: observations of all cameras in, identities on the map out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration import CameraModel
from workers.mapping.kalman import Motion, largest_deviations
from workers.mapping.projection import PersonProjection
from workers.mapping.smoothing import Step
from workers.observations import Observations
from workers.tracking import state as wire
from workers.tracking.batch import BatchTracks, rename_rows
from workers.tracking.filling import Box, Filling
from workers.tracking.ground import GroundTracker
from workers.tracking.identities import PersonBook, Renamed
from workers.tracking.settings import TrackerSettings
from workers.tracking.similarity import SimilarityScale
from workers.tracking.steady import SteadyBoxes
from workers.tracking.tracklets import Tracklets
from workers.tracking.trajectories import Trajectories
from workers.tracking.views import Seen, add_looks
from workers.tracking.visits import Person

MAP = "map"
# how fast a person's height may change (m per square root of a second): hardly on the map (bending, hats), but in
# an image that has no map whoever comes nearer grows
HEIGHT_DRIFT, HEIGHT_DRIFT_IN_IMAGE = 0.01, 0.3
# so many instants one camera teaches how alike different people are, then the next: all at once teach the same
TURN = 10
# of a newcomer at an image's upper border: in an image, no hidden feet move them by metres
BIRTH_SHARE_IN_IMAGE = 1e-4


@dataclass(frozen=True)
class CameraView:
    """What the tracker must know of a camera."""

    camera: str
    image_size: tuple[int, int]
    model: CameraModel | None


class MultiCameraTracker:
    """Deterministic and serialisable: `state` after a batch and `restore` before the next change nothing.

    Calibrated cameras share one plane, the map. A camera without calibration has a plane of its own; its
    people are joined to the others by appearance alone.
    """

    def __init__(self, cameras: Sequence[CameraView], settings: TrackerSettings | None = None) -> None:
        self.settings = settings or TrackerSettings()
        self.cameras = {view.camera: view for view in sorted(cameras, key=lambda view: view.camera)}
        self._plane_of = {
            name: MAP if view.model else f"image of {name}" for name, view in self.cameras.items()
        }
        self.scale = SimilarityScale()
        self.book = PersonBook(self.settings, self.cameras)
        # the cameras of each plane, in the order of their names
        self._members: dict[str, list[str]] = {}
        for name, plane in self._plane_of.items():
            self._members.setdefault(plane, []).append(name)
        self._trackers = {plane: self._tracker(plane) for plane in sorted(self._members)}
        self._next_track = 0
        # whose looks were not told yet
        self._untold: set[int] = set()
        self._tracklets = Tracklets(self.cameras, self.settings.tracklet_gap_s, self.settings.bridge_s)
        self._steady = SteadyBoxes({name: view.image_size for name, view in self.cameras.items()})
        self._filling = {plane: Filling() for plane in self._trackers}
        # per plane, confirmed tracks that ended within the lag: their person and when they were last seen
        self._closed: dict[str, dict[int, tuple[int, float]]] = {plane: {} for plane in self._trackers}
        self._trajectories = Trajectories()

    def _tracker(self, plane: str) -> GroundTracker:
        settings, cameras = self.settings, [self.cameras[name] for name in self._members[plane]]
        if plane == MAP:
            projection = PersonProjection.of_map(
                [camera.model for camera in cameras], settings.height_m, settings.height_sigma_m
            )
        else:
            projection = PersonProjection.of_image(cameras[0].image_size, settings.height_m)
            settings = replace(settings, birth_share=BIRTH_SHARE_IN_IMAGE)
        drift = HEIGHT_DRIFT if plane == MAP else HEIGHT_DRIFT_IN_IMAGE
        motion = Motion(settings.speed, settings.turn_s, drift)
        return GroundTracker(projection, motion, settings, self.scale)

    # -- running ---------------------------------------------------------------------------------------------

    def process(
        self,
        observations: Sequence[Observations],
        instants: Sequence[int],
        times_s: Sequence[float],
        *,
        looks: bool = True,
    ) -> BatchTracks:
        """Associate one batch.

        Args:
            observations: one per camera, in any order.
            instants: numbers of the batch's instants, ascending; times_s: their UNIX times.
            looks: whether to tell now what people look like; else a later batch does.
        """
        by_camera = {o.camera: o for o in observations}
        result = BatchTracks()
        touched: set[int] = set()
        for instant, time_s in zip(instants, times_s, strict=True):
            self._instant(by_camera, instant, time_s, result, touched)
        # also of those who are forgotten now: rows of this batch may be theirs
        result.persons = self.book.known(sorted(touched))
        if len(times_s):
            self.book.forget(times_s[-1])
            self._steady.forget(times_s[-1])
        self._untold |= touched
        if looks:
            result.looks = self._tell_looks()
        return result

    def _tell_looks(self) -> list[Person]:
        told, self._untold = self.book.known(sorted(self._untold)), set()
        return told

    def finish(self) -> BatchTracks:
        """What is still to come at the end of the task: the last corrected positions, the open trajectories."""
        result = BatchTracks()
        for plane, tracker in self._trackers.items():
            while len(tracker.history):
                self._correct(plane, tracker, result)
        self._trajectories.close_all()
        result.trajectories += self._trajectories.take()
        result.looks = self._tell_looks()
        result.variation = self.book.variation()
        return result

    def skip_numbers(self, count: int) -> None:
        """Leave out the next `count` numbers of tracks and persons: they may have been given away."""
        self._next_track += count
        self.book.count += count
        self._tracklets.skip_numbers(count)

    # -- state -----------------------------------------------------------------------------------------------

    def state(self) -> bytes:
        """Everything that the future depends on."""
        return wire.pack(
            {
                "scale": self.scale.to_state(),
                "book": self.book.to_state(),
                "planes": {name: tracker.to_state() for name, tracker in self._trackers.items()},
                "filling": {plane: filling.to_state() for plane, filling in self._filling.items()},
                "next_track": self._next_track,
                "untold": sorted(self._untold),
                "tracklets": self._tracklets.to_state(),
                "steady": self._steady.to_state(),
                "paths": self._trajectories.to_state(),
                "closed": {
                    plane: [[n, *value] for n, value in closed.items()]
                    for plane, closed in self._closed.items()
                },
            }
        )

    def restore(self, data: bytes) -> None:
        """Go on from `state`.

        Raises:
            ValueError: not a state of a tracker with these cameras.
        """
        state = wire.unpack(data)
        self._tracklets.restore(state["tracklets"])
        self._steady.restore(state["steady"])
        self.scale.restore(state["scale"])
        self.book.restore(state["book"])
        for name, plane in state["planes"].items():
            self._trackers[name].restore(plane)
        for name, filling in state["filling"].items():
            self._filling[name].restore(filling)
        self._next_track = state["next_track"]
        self._untold = set(state["untold"])
        self._trajectories.restore(state["paths"])
        self._closed = {
            plane: {n: (person, seen_s) for n, person, seen_s in rows}
            for plane, rows in state["closed"].items()
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
        for plane, tracker in self._trackers.items():
            seen, sources = self._seen(plane, by_camera, instant)
            views, assigned, self._next_track = tracker.step(instant, time_s, seen, self._next_track)
            self._resume(plane, tracker)
            self._see(tracker, views, assigned, instant, time_s, touched)
            self._confirm(plane, tracker, views, assigned, instant, time_s, touched)
            self._rename(self.book.decide(time_s), result, touched)
            person_of = dict(zip(tracker.tracks.number.tolist(), tracker.tracks.person.tolist(), strict=True))
            self._filling[plane].begin(instant)
            steady = self._steady.of_views(tracker.bank, tracker.tracks, views, assigned, time_s)
            for view, numbers, boxes in zip(views, assigned, steady, strict=True):
                observed, frame = sources[view.camera]
                self._record_view(view, numbers, boxes, person_of, instant, time_s, observed, frame, result)
            self._record_positions(plane, tracker, instant, time_s, result)
            self._end(plane, tracker)
            while time_s - tracker.history.steps[0].time_s >= self.settings.lag_s:
                self._correct(plane, tracker, result)
                if not len(tracker.history):
                    break

    def _seen(
        self, plane: str, by_camera: Mapping[str, Observations], instant: int
    ) -> tuple[list[Seen], dict[str, tuple[Observations, int]]]:
        seen, sources = [], {}
        for index, name in enumerate(self._members[plane]):
            observed = by_camera.get(name)
            frame = None if observed is None else observed.frame_of(instant)
            if frame is None:
                continue
            rows = observed.rows_of(frame)
            columns = (observed.boxes_px, observed.scores, observed.looks)
            seen.append(Seen(name, index, *(values[rows] for values in columns)))
            sources[name] = (observed, frame)
        if seen:
            self.scale.learn_different(seen[instant // TURN % len(seen)].embeddings)
        return seen, sources

    def _end(self, plane: str, tracker: GroundTracker) -> None:
        for closed in tracker.prune():
            if closed.person >= 0:
                self._closed[plane][closed.number] = (closed.person, closed.seen_s)
                if closed.never:
                    self.book.withdrawn(closed.number)
                else:
                    self.book.ended(closed.number)

    def _resume(self, plane: str, tracker: GroundTracker) -> None:
        """Tracks that were gone are back, because another belief has become the likeliest."""
        tracks = tracker.tracks
        for number in tracks.number[tracks.confirmed].tolist():
            if not self.book.follows(number):
                self._closed[plane].pop(number, None)
                if not self.book.resume(number):
                    # the person is somebody else by now: this is confirmed anew
                    tracker.rename(number, -1)

    def _see(
        self, tracker: GroundTracker, views, assigned, instant: int, time_s: float, touched: set[int]
    ) -> None:
        """Tell the book of everybody who is seen now."""
        tracks, width = tracker.tracks, tracker.tracks.appearance.shape[1]
        looks, weights = np.zeros((len(tracks), width), np.float32), np.zeros(len(tracks))
        by: dict[int, str] = {}
        for view, numbers in zip(views, assigned, strict=True):
            if len(view):
                self.book.crops(view.camera, tracks.number, numbers, view.embeddings, view.quality)
                rows = add_looks(tracks.number, numbers, view.embeddings, view.quality, looks, weights)
                by.update(dict.fromkeys(rows.tolist(), view.camera))
        places, persons = tracks.mean[:, :2].tolist(), tracks.person.tolist()
        numbers, weights = tracks.number.tolist(), weights.tolist()
        for i, camera in by.items():
            if persons[i] >= 0:
                self.book.seen(
                    numbers[i], instant=instant, time_s=time_s, position_m=places[i], camera=camera,
                    look=looks[i], weight=weights[i],
                )  # fmt: skip
                touched.add(persons[i])

    def _confirm(self, plane, tracker, views, assigned, instant, time_s: float, touched: set[int]) -> None:
        tracks = tracker.tracks
        ready = ~tracks.confirmed & (tracks.evidence >= self.settings.confirm)
        for i in np.flatnonzero(ready):
            number = int(tracks.number[i])
            by = [view.camera for view, mine in zip(views, assigned, strict=True) if number in mine]
            born_s = float(tracks.born_s[i])
            tracks.person[i] = self.book.begin(
                track=number,
                plane=plane,
                camera=by[0] if by else self._members[plane][0],
                time_s=time_s,
                born_s=born_s,
                born_instant=min(
                    (s.instant for s in tracker.history.steps if s.time_s >= born_s), default=instant
                ),
                position_m=tracks.mean[i, :2],
                look=tracks.appearance[i],
                weight=float(tracks.weight[i]),
            )
            touched.add(int(tracks.person[i]))

    def _rename(self, changes: list[Renamed], result: BatchTracks, touched: set[int]) -> None:
        """Live tracks go on under another person's number, and so do rows that were not handed out yet."""
        for change in changes:
            cameras = tuple(self._members[change.plane])
            self._trackers[change.plane].rename(change.track, change.new)
            self._tracklets.renamed(change.track, change.new)
            closed = self._closed[change.plane]
            for number, (person, seen_s) in closed.items():
                if person == change.old:
                    closed[number] = (change.new, seen_s)
            if change.plane == MAP:
                self._trajectories.rename(change.track, change.since, change.old, change.new)
                result.trajectories += self._trajectories.take()
            rename_rows(result, change.since, change.old, change.new, cameras, on_map=change.plane == MAP)
            touched.add(change.new)
            result.renamed.append((change.since, change.old, change.new, cameras))

    def _record_view(self, view, numbers, boxes, person_of, instant, time_s, observed, frame, result) -> None:
        on_map = self._plane_of[view.camera] == MAP
        shot = int(observed.frames[frame]), float(observed.captured_at[frame])
        filling = self._filling[self._plane_of[view.camera]]
        filling.shot(view.camera, view.index, *shot)
        self._tracklets.frame(view.camera, instant, *shot, time_s)
        columns = numbers.tolist(), boxes, view.scores.tolist(), view.persons[:, :2].tolist()
        for number, box, score, place in zip(*columns, strict=True):
            if number < 0:
                continue
            person, place = person_of.get(number, -1), tuple(place) if on_map else None
            filling.found(view.camera, number, Box(box, score, place, person >= 0))
            if person < 0:
                continue
            tracklet, bridged = self._tracklets.seen(view.camera, number, person, instant, time_s, box)
            for b in bridged:
                filling.bridged(view.camera, number, b.instant)
            result.detections.append((instant, *shot, view.camera, tracklet, person, box, score, place))
            result.bridged += [
                (b.instant, b.frame, b.captured_at, view.camera, tracklet, person, b.box_px, 0.0, None)
                for b in bridged
            ]

    def _record_positions(
        self,
        plane: str,
        tracker: GroundTracker,
        instant: int,
        time_s: float,
        result: BatchTracks,
    ) -> None:
        if plane != MAP:
            return
        tracks, shown = tracker.tracks, tracker.shown()
        sigmas = largest_deviations(tracks.covariance[shown]).tolist()
        persons, means = tracks.person[shown].tolist(), tracks.mean[shown, :4].tolist()
        for person, mean, sigma in zip(persons, means, sigmas, strict=True):
            result.positions.append((instant, time_s, person, *mean, sigma))

    # -- what the time after taught --------------------------------------------------------------------------

    def _correct(self, plane: str, tracker: GroundTracker, result: BatchTracks) -> None:
        """Write down the oldest instant that is remembered, and close the trajectories that ended before it."""
        step, means, covariances = tracker.history.oldest()
        closed = self._closed[plane]
        known = self._known(step, closed, tracker)
        there = [n in known for n in step.numbers.tolist()]
        late = self._filling[plane].oldest(
            tracker.bank if plane == MAP else None, step.numbers[there], means[there], covariances[there]
        )
        for row in late:
            tracklet = self._tracklets.late(row.camera, row.number)
            result.bridged.append(
                (
                    row.instant, row.frame, row.captured_at, row.camera, tracklet, known[row.number],
                    row.box_px, row.score, row.place_m,
                )
            )  # fmt: skip
        if plane == MAP:
            self._write_corrected(step, means, known, result)
        for number in sorted(closed.keys() - tracker.history.numbers()) if closed else ():
            del closed[number]
            self._tracklets.ended(number)
            self._trajectories.close(number)
        result.trajectories += self._trajectories.take()

    def _known(
        self, step: Step, closed: Mapping[int, tuple[int, float]], tracker: GroundTracker
    ) -> dict[int, int]:
        """Track number to person of those who were there at `step`, as is known now."""
        tracks = tracker.tracks
        # who was seen later was there; who was not was there if there is still no doubt about it now
        until = np.where(tracker.shown(), step.time_s, tracks.seen_s)
        live = zip(tracks.number.tolist(), tracks.person.tolist(), until.tolist(), strict=True)
        known = {**closed, **{number: (person, until_s) for number, person, until_s in live}}
        found = [(number, *known.get(number, (-1, 0.0))) for number in step.numbers.tolist()]
        there = {n: person for n, person, until_s in found if person >= 0 and step.time_s <= until_s}
        # nobody is at two places at once: where a track goes on before another has ended, the later one counts
        latest = {person: n for n, person in there.items()}
        return {n: person for n, person in there.items() if latest[person] == n}

    def _write_corrected(
        self, step: Step, means: np.ndarray, known: Mapping[int, int], result: BatchTracks
    ) -> None:
        for number, mean in zip(step.numbers.tolist(), means, strict=True):
            if number not in known:
                continue
            x, y = mean[:2].tolist()
            person = known[number]
            result.corrected.append((step.instant, step.time_s, person, x, y))
            self._trajectories.add(number, person, (step.instant, step.time_s, x, y))
