"""Boxes that do not jitter: where the person is, and how the camera's boxes have lain around them lately.

What a detector sees of a person changes from frame to frame, with strides, neighbours and luck; the person who is
tracked moves smoothly. What stays between box and figure (a bag, a slouch, an error of the calibration) is kept, what
comes and goes within a few frames is not. Of a box that holds two people nothing is believed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from workers.mapping.kalman import SEEN
from workers.tracking.cameras import CameraBank
from workers.tracking.tracks import Tracks
from workers.tracking.views import View

# What differs from the figure for shorter than this (s) is the detector's jitter. Longer, and a box comes late where
# the calibration is off by more from one place to the next.
STEADY_S = 0.2
# so much later nothing is left of how boxes lay
FORGOTTEN_S = 2.0
# a box that ends this much (share of the figure's height) above the feet does so because something hides them
HIDDEN = 0.1
# a box that is so many times wider or higher than the figure is of two people, if it also holds this share of somebody
# whom the camera shows in no box of their own
TOO_LARGE, HELD = 1.5, 0.5


class Lie(NamedTuple):
    """How a track's boxes lie around the figure, as shares of the figure's height.

    Attributes:
        time_s: as of when.
        right, down: by how much the box's middle is off the figure's.
        width, height: of the box.
    """

    time_s: float
    right: float
    down: float
    width: float
    height: float


class SteadyBoxes:
    """How the boxes of every camera's tracks lie."""

    def __init__(self, sizes: Mapping[str, tuple[int, int]]) -> None:
        """Take each camera's (width, height) in pixels."""
        self._sizes = {camera: (float(width), float(height)) for camera, (width, height) in sizes.items()}
        self._lies: dict[str, dict[int, Lie]] = {camera: {} for camera in sizes}

    def of_views(
        self,
        bank: CameraBank,
        tracks: Tracks,
        views: Sequence[View],
        assigned: Sequence[np.ndarray],
        time_s: float,
    ) -> list[list[tuple[float, ...]]]:
        """For every view the boxes of its detections, in their order; those of nobody as they are.

        Args:
            assigned: for every view the (n,) track number of each detection, -1 where it has none.
        """
        row = {number: i for i, number in enumerate(tracks.number.tolist())}
        sights = bank.sights(np.array([view.index for view in views], int), tracks.mean[:, SEEN])
        figures, in_view, scales = (
            values.tolist() for values in (sights.boxes_px, sights.inside, sights.scale_px)
        )
        somebody = [(number, i) for number, i in row.items() if tracks.confirmed[i]]
        result = []
        for v, (view, numbers) in enumerate(zip(views, assigned, strict=True)):
            found, boxes = set(numbers.tolist()), []
            without = [figures[v][i] for number, i in somebody if number not in found and in_view[v][i]]
            for number, box in zip(numbers.tolist(), view.boxes_px.tolist(), strict=True):
                i = row.get(number)
                if i is not None and in_view[v][i]:
                    if is_of_two(box, figures[v][i], without):
                        box = figures[v][i]
                    else:
                        box = self.steady(view.camera, number, time_s, box, figures[v][i], scales[v][i])
                boxes.append(tuple(box))
            result.append(boxes)
        return result

    def steady(
        self,
        camera: str,
        number: int,
        time_s: float,
        box_px: Sequence[float],
        figure_px: Sequence[float],
        scale_px: float,
    ) -> tuple[float, float, float, float]:
        """(4,) xyxy of track `number`, within the image.

        Args:
            box_px: (4,) what the detector found; figure_px: (4,) where the tracked person should show, both cut at the
                image's borders; scale_px: how high the whole figure is.
        """
        # spelled out: this is done for every box, and NumPy or a loop over four values takes several times as long
        left, top, right, bottom = box_px
        x1, y1, x2, y2 = figure_px
        # not so the head: who bends is shorter for a while, and nobody stands on air
        bottom = y2 if y2 - bottom > HIDDEN * scale_px else bottom
        now = Lie(
            time_s,
            (left + right - x1 - x2) / 2 / scale_px,
            (top + bottom - y1 - y2) / 2 / scale_px,
            (right - left) / scale_px,
            (bottom - top) / scale_px,
        )
        last = self._lies[camera].get(number)
        if last is not None:
            kept = math.exp(-max(time_s - last.time_s, 0.0) / STEADY_S)
            now = Lie(
                time_s,
                now.right + kept * (last.right - now.right),
                now.down + kept * (last.down - now.down),
                now.width + kept * (last.width - now.width),
                now.height + kept * (last.height - now.height),
            )
        self._lies[camera][number] = now
        # sizes are means of sizes and the middle is within the image: the box cannot turn inside out
        W, H = self._sizes[camera]
        x = min(max((x1 + x2) / 2 + scale_px * now.right, 0.0), W)
        y = min(max((y1 + y2) / 2 + scale_px * now.down, 0.0), H)
        across, along = scale_px * now.width / 2, scale_px * now.height / 2
        return max(x - across, 0.0), max(y - along, 0.0), min(x + across, W), min(y + along, H)

    def forget(self, time_s: float) -> None:
        """Let go of what is of no use any more."""
        for camera, lies in self._lies.items():
            self._lies[camera] = {n: lie for n, lie in lies.items() if time_s - lie.time_s < FORGOTTEN_S}

    def to_state(self) -> dict[str, Any]:
        return {camera: [[n, *lie] for n, lie in lies.items()] for camera, lies in self._lies.items()}

    def restore(self, state: dict[str, Any]) -> None:
        self._lies = {camera: {n: Lie(*lie) for n, *lie in rows} for camera, rows in state.items()}


def is_of_two(
    box_px: Sequence[float], figure_px: Sequence[float], without: Sequence[Sequence[float]]
) -> bool:
    """Whether a detector took its person and somebody else for one.

    Args:
        box_px: (4,) xyxy as found; figure_px: (4,) where its person should show.
        without: (4,) where the others should show who have no box of their own.
    """
    left, top, right, bottom = box_px
    x1, y1, x2, y2 = figure_px
    if right - left <= TOO_LARGE * (x2 - x1) and bottom - top <= TOO_LARGE * (y2 - y1):
        return False
    for x1, y1, x2, y2 in without:
        width, height = min(right, x2) - max(left, x1), min(bottom, y2) - max(top, y1)
        if width > 0 and height > 0 and width * height >= HELD * (x2 - x1) * (y2 - y1):
            return True
    return False
