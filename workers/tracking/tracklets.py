"""Tracklets: one person followed by one camera without a long break; short breaks are bridged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np


class Sighting(NamedTuple):
    """The last detection of a tracklet.

    Attributes:
        tracklet: unique within the camera.
        instant, time_s: when.
        box_px: (4,) xyxy.
        person: the person's number.
    """

    tracklet: int
    instant: int
    time_s: float
    box_px: tuple[float, ...]
    person: int


class Bridged(NamedTuple):
    """A box between two sightings of one tracklet, where the detector found nothing."""

    instant: int
    frame: int
    captured_at: float
    box_px: tuple[float, ...]


class Tracklets:
    """The tracklets of all cameras."""

    def __init__(self, cameras: Iterable[str], gap_s: float, bridge_s: float) -> None:
        """
        Args:
            gap_s: a tracklet ends when its camera has not seen the person for this long.
            bridge_s: breaks of up to this long are bridged, on a straight line.
        """
        self.gap_s, self.bridge_s = gap_s, bridge_s
        self._next = dict.fromkeys(cameras, 1)
        # per camera: track number to the last sighting
        self._last: dict[str, dict[int, Sighting]] = {camera: {} for camera in self._next}
        # per camera: track number to the tracklet of boxes that were drawn before it was ever detected
        self._drawn: dict[str, dict[int, int]] = {camera: {} for camera in self._next}
        # per camera: (instant, frame, captured_at, time_s) of the frames of the last `bridge_s` seconds
        self._frames: dict[str, list[tuple[int, int, float, float]]] = {camera: [] for camera in self._next}

    def frame(self, camera: str, instant: int, frame: int, captured_at: float, time_s: float) -> None:
        """A camera has a frame at this instant."""
        recent = [f for f in self._frames[camera] if time_s - f[3] <= self.bridge_s]
        self._frames[camera] = [*recent, (instant, frame, captured_at, time_s)]

    def seen(
        self, camera: str, number: int, person: int, instant: int, time_s: float, box_px: tuple[float, ...]
    ) -> tuple[int, list[Bridged]]:
        """The tracklet that a detection of track `number` belongs to, and what it bridges."""
        last = self._last[camera].get(number)
        if last is None and number in self._drawn[camera]:
            tracklet, bridged = self._drawn[camera].pop(number), []
        elif last is None or time_s - last.time_s > self.gap_s or last.person != person:
            tracklet, bridged = self._next[camera], []
            self._next[camera] += 1
        else:
            tracklet, bridged = last.tracklet, self._bridge(camera, last, instant, time_s, box_px)
        self._last[camera][number] = Sighting(tracklet, instant, time_s, box_px, person)
        return tracklet, bridged

    def _bridge(
        self, camera: str, last: Sighting, instant: int, time_s: float, box_px: tuple[float, ...]
    ) -> list[Bridged]:
        if instant - last.instant < 2 or time_s - last.time_s > self.bridge_s:
            return []
        before, after = np.array(last.box_px), np.array(box_px)
        result = []
        for i, frame, captured_at, at_s in self._frames[camera]:
            if last.instant < i < instant:
                share = (at_s - last.time_s) / (time_s - last.time_s)
                box = tuple((before + share * (after - before)).tolist())
                result.append(Bridged(i, frame, captured_at, box))
        return result

    def renamed(self, number: int, person: int) -> None:
        """Track `number` is another person than was thought."""
        for sightings in self._last.values():
            if number in sightings:
                sightings[number] = sightings[number]._replace(person=person)

    def late(self, camera: str, number: int) -> int:
        """The tracklet of a box of an earlier instant: the one that the camera follows the track by."""
        last = self._last[camera].get(number)
        if last is not None:
            return last.tracklet
        if number not in self._drawn[camera]:
            self._drawn[camera][number] = self._next[camera]
            self._next[camera] += 1
        return self._drawn[camera][number]

    def ended(self, number: int) -> None:
        """Nothing comes of the track any more."""
        for known in (*self._last.values(), *self._drawn.values()):
            known.pop(number, None)

    def skip_numbers(self, count: int) -> None:
        """Leave out the next `count` track ids of every camera."""
        for camera in self._next:
            self._next[camera] += count

    def to_state(self) -> dict[str, Any]:
        return {
            "next": self._next,
            "last": {
                camera: [[n, *sighting] for n, sighting in sightings.items()]
                for camera, sightings in self._last.items()
            },
            "drawn": self._drawn,
            "frames": self._frames,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Raises ValueError when the state is of other cameras."""
        if set(state["next"]) != set(self._next):
            raise ValueError("the checkpoint belongs to other cameras")
        self._next = dict(state["next"])
        self._last = {
            camera: {n: Sighting(t, i, s, tuple(box), person) for n, t, i, s, box, person in rows}
            for camera, rows in state["last"].items()
        }
        self._drawn = {camera: dict(drawn) for camera, drawn in state["drawn"].items()}
        self._frames = {camera: [tuple(f) for f in frames] for camera, frames in state["frames"].items()}
