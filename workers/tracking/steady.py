"""Boxes that do not jitter: where the person is, and how the camera's boxes have lain around them lately.

What a detector sees of a person changes from frame to frame, with strides, neighbours and luck; the person who is
tracked moves smoothly. What stays between box and figure (a bag, a slouch, an error of the calibration) is kept, what
comes and goes within a few frames is not. Of a box that holds two people nothing is believed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from workers.compiled import compiled, compiled_lean
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
# a box of a track that had none before in this camera
NEW = -2


class Shown(NamedTuple):
    """What V cameras should see of the T tracks of one plane.

    Attributes:
        boxes_px: (V, T, 4) xyxy, cut at the image's borders; scale_px: (V, T) how high the whole figure is.
        inside: (V, T) bool, who is in view.
    """

    boxes_px: np.ndarray
    scale_px: np.ndarray
    inside: np.ndarray


class SteadyBoxes:
    """How the boxes of every camera's tracks lie around their figures, as shares of the figures' heights.

    Attributes:
        keys: (n, 2) camera (row of `sizes`) and track number, ascending.
        lies: (n, 5) as of when (s), by how much the middle is off the figure's to the right and down, width, height.
    """

    def __init__(self, sizes: Mapping[str, tuple[int, int]]) -> None:
        """Take each camera's (width, height) in pixels."""
        self._row = {camera: row for row, camera in enumerate(sizes)}
        self._sizes = np.array([*sizes.values()], float).reshape(-1, 2)
        self.keys, self.lies = np.zeros((0, 2), np.int64), np.zeros((0, 5))

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
        if not views:
            return []
        sights = bank.sights(np.array([view.index for view in views], int), tracks.mean[:, SEEN])
        cameras = np.array([self._row[view.camera] for view in views])
        starts = np.array([0, *itertools.accumulate(len(view) for view in views)])
        boxes_px = np.concatenate([view.boxes_px for view in views])
        shown = Shown(sights.boxes_px, sights.scale_px, sights.inside)
        rows = find_tracks(starts, np.concatenate(assigned), tracks.number, shown)
        take_apart(starts, boxes_px, rows, tracks.confirmed, shown)
        self.settle(time_s, starts, cameras, boxes_px, rows, tracks.number, shown)
        boxes = [tuple(box) for box in boxes_px.tolist()]
        return [boxes[a:b] for a, b in itertools.pairwise(starts.tolist())]

    def settle(
        self,
        time_s: float,
        starts: np.ndarray,
        cameras: np.ndarray,
        boxes_px: np.ndarray,
        rows: np.ndarray,
        numbers: np.ndarray,
        shown: Shown,
    ) -> None:
        """Change (M, 4) boxes in place: they lie around their figures as they did lately.

        Args:
            starts: (V + 1,) where each view's boxes begin; cameras: (V,) whose they are.
            rows: (M,) the track of each box, or -1; numbers: (T,) of the tracks.
        """
        lasting = self._with(cameras.repeat(np.diff(starts)), rows, numbers)
        _settle(time_s, starts, cameras, boxes_px, rows, lasting, self.lies, shown, self._sizes)

    def _with(self, cameras: np.ndarray, rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """(M,) rows of `lies` that belong to boxes, new ones where there were none; -1 for boxes of nobody."""
        found = _find(self.keys, cameras, rows, numbers)
        if (found == NEW).any():
            new = np.unique(np.stack([cameras, numbers[rows]], 1)[found == NEW], axis=0)
            keys = np.concatenate([self.keys, new])
            lies = np.concatenate([self.lies, np.full((len(new), 5), -np.inf)])
            order = np.lexsort(keys.T[::-1])
            self.keys, self.lies = keys[order], lies[order]
            found = _find(self.keys, cameras, rows, numbers)
        return found

    def forget(self, time_s: float) -> None:
        """Let go of what is of no use any more."""
        kept = time_s - self.lies[:, 0] < FORGOTTEN_S
        self.keys, self.lies = self.keys[kept], self.lies[kept]

    def to_state(self) -> dict[str, Any]:
        return {"keys": self.keys, "lies": self.lies}

    def restore(self, state: dict[str, Any]) -> None:
        # changed in place
        self.keys, self.lies = state["keys"].copy(), state["lies"].copy()


@compiled
def find_tracks(starts: np.ndarray, numbers: np.ndarray, tracks: np.ndarray, shown: Shown) -> np.ndarray:
    """(M,) row of each box's track among (T,) ascending ones; -1 where it has none, or none that is in view."""
    rows = np.full(len(numbers), -1)
    for v in range(len(starts) - 1):
        for j in range(starts[v], starts[v + 1]):
            i = np.searchsorted(tracks, numbers[j])
            if i < len(tracks) and tracks[i] == numbers[j] and shown.inside[v, i]:
                rows[j] = i
    return rows


@compiled
def take_apart(
    starts: np.ndarray, boxes_px: np.ndarray, rows: np.ndarray, confirmed: np.ndarray, shown: Shown
) -> None:
    """Boxes of two become, in place, what should show of the one whose box it is; nothing else is told by them.

    Args:
        rows: (M,) the track of each box, or -1, which it becomes for boxes of two.
        confirmed: (T,) bool, who may be the other one.
    """
    V, T = shown.inside.shape
    without = np.empty(T, np.bool_)
    for v in range(V):
        for i in range(T):
            without[i] = confirmed[i] and shown.inside[v, i]
        for j in range(starts[v], starts[v + 1]):
            if rows[j] >= 0:
                without[rows[j]] = False
        for j in range(starts[v], starts[v + 1]):
            if rows[j] >= 0 and is_of_two(boxes_px[j], shown.boxes_px[v], rows[j], without):
                boxes_px[j] = shown.boxes_px[v, rows[j]]
                rows[j] = -1


@compiled_lean
def is_of_two(box_px: np.ndarray, figures_px: np.ndarray, i: int, without: np.ndarray) -> bool:
    """Whether a detector took its person and somebody else for one.

    Args:
        box_px: (4,) xyxy as found; figures_px: (T, 4) where everybody should show; i: whose it is.
        without: (T,) bool, who has no box of their own.
    """
    x1, y1, x2, y2 = figures_px[i]
    left, top, right, bottom = box_px
    if right - left <= TOO_LARGE * (x2 - x1) and bottom - top <= TOO_LARGE * (y2 - y1):
        return False
    for o in range(len(without)):
        if without[o]:
            x1, y1, x2, y2 = figures_px[o]
            width, height = min(right, x2) - max(left, x1), min(bottom, y2) - max(top, y1)
            if width > 0 and height > 0 and width * height >= HELD * (x2 - x1) * (y2 - y1):
                return True
    return False


@compiled
def _find(keys, cameras, rows, numbers) -> np.ndarray:
    """(M,) row of each box's camera and track among (n, 2) ascending keys; NEW where there is none, -1 of nobody."""
    found = np.full(len(rows), -1)
    for j in range(len(rows)):
        if rows[j] < 0:
            continue
        camera, number = cameras[j], numbers[rows[j]]
        low, high = 0, len(keys)
        while low < high:
            middle = (low + high) // 2
            if keys[middle, 0] < camera or (keys[middle, 0] == camera and keys[middle, 1] < number):
                low = middle + 1
            else:
                high = middle
        there = low < len(keys) and keys[low, 0] == camera and keys[low, 1] == number
        found[j] = low if there else NEW
    return found


@compiled_lean
def _settle(time_s, starts, cameras, boxes_px, rows, lasting, lies, shown, sizes) -> None:
    """See `SteadyBoxes.settle`; `lasting`: (M,) row of each box in (n, 5) `lies`."""
    for v in range(len(cameras)):
        size = sizes[cameras[v]]
        for j in range(starts[v], starts[v + 1]):
            if rows[j] >= 0:
                figure, scale = shown.boxes_px[v, rows[j]], shown.scale_px[v, rows[j]]
                _settle_one(time_s, boxes_px[j], lies[lasting[j]], figure, scale, size)


@compiled_lean
def _settle_one(time_s, box_px, lie, figure_px, scale_px, size) -> None:
    left, top, right, bottom = box_px
    x1, y1, x2, y2 = figure_px
    # not so the head: who bends is shorter for a while, and nobody stands on air
    if y2 - bottom > HIDDEN * scale_px:
        bottom = y2
    kept = np.exp(-max(time_s - lie[0], 0.0) / STEADY_S)
    middle, height = (left + right - x1 - x2) / 2, (top + bottom - y1 - y2) / 2
    _follow(lie, 1, middle / scale_px, kept)
    _follow(lie, 2, height / scale_px, kept)
    _follow(lie, 3, (right - left) / scale_px, kept)
    _follow(lie, 4, (bottom - top) / scale_px, kept)
    lie[0] = time_s
    # sizes are means of sizes and the middle is within the image: the box cannot turn inside out
    x = min(max((x1 + x2) / 2 + scale_px * lie[1], 0.0), size[0])
    y = min(max((y1 + y2) / 2 + scale_px * lie[2], 0.0), size[1])
    across, along = scale_px * lie[3] / 2, scale_px * lie[4] / 2
    box_px[0], box_px[1] = max(x - across, 0.0), max(y - along, 0.0)
    box_px[2], box_px[3] = min(x + across, size[0]), min(y + along, size[1])


@compiled_lean
def _follow(lie, k, now, kept) -> None:
    """Keep a share of what was known before, if anything was."""
    lie[k] = now + kept * (lie[k] - now) if lie[0] > -np.inf else now
