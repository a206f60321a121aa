"""What the cameras of one plane are expected to show of the tracks, and what each camera's detector is like.

A detector's habits (boxes that are always a little too far to the right, people it overlooks) are learned while
it is used, from people about whom the other cameras leave no doubt.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.mapping.figures import depth_of, draw
from workers.mapping.projection import Noise, PersonProjection
from workers.tracking.habits import VISIBLE, Habits, rates_of, write_rates
from workers.tracking.settings import TrackerSettings

# feet are seen from this visible share on, and hidden up to that one
FEET_SEEN, FEET_HIDDEN = 0.75, 0.15
# of the habits: what a checkpoint holds
LEARNED = ("bias", "bias_weight", "spread", "spread_weight", "found", "tried")


class Sights(NamedTuple):
    """What V cameras should see of n persons.

    Attributes:
        inside: (V, n) bool, who is in view.
        edges: (V, n, 3) column of the middle, rows of feet and head, cut at the image's borders, in units of the
            figure's height; scale_px: (V, n) that height.
        jacobian: (V, n, 3, 3) derivative of the edges by x, y, height.
        variances: (V, n, 3) of boxes' edges.
        boxes_px: (V, n, 4) xyxy; depth: (V, n) grows with the distance.
        share: (V, n) 0..1 of the figure inside the image; visible: of it behind nobody.
        rate: (V, n) how probably the detector finds it; feet_cut: how probably the box ends above the feet.
    """

    inside: np.ndarray
    edges: np.ndarray
    scale_px: np.ndarray
    jacobian: np.ndarray
    variances: np.ndarray
    boxes_px: np.ndarray
    depth: np.ndarray
    share: np.ndarray
    visible: np.ndarray
    rate: np.ndarray
    feet_cut: np.ndarray

    @classmethod
    def empty(cls, V: int, n: int) -> Sights:
        """Still to be written."""
        return cls(
            inside=np.empty((V, n), bool),
            edges=np.empty((V, n, 3)),
            scale_px=np.empty((V, n)),
            jacobian=np.empty((V, n, 3, 3)),
            variances=np.empty((V, n, 3)),
            boxes_px=np.empty((V, n, 4)),
            depth=np.empty((V, n)),
            share=np.empty((V, n)),
            visible=np.empty((V, n)),
            rate=np.empty((V, n)),
            feet_cut=np.empty((V, n)),
        )

    def take(self, rows: np.ndarray) -> Sights:
        """Of some of the persons, perhaps several times."""
        return Sights(*(np.take(values, rows, axis=1) for values in self))


class Expected(NamedTuple):
    """What is expected of C detectors, by their habits.

    Attributes:
        rates: (C, 4) room for how probably they find people; see `CameraBank.rates`.
        noise_px, feet_cut, feet_cut_hidden: see `TrackerSettings`.
    """

    habits: Habits
    rates: np.ndarray
    noise_px: float
    feet_cut: float
    feet_cut_hidden: float


class CameraBank:
    """The cameras of one plane.

    Attributes:
        habits: what is learned of each.
    """

    def __init__(self, projection: PersonProjection, settings: TrackerSettings) -> None:
        self.projection = projection
        self.settings = settings
        self.noise = Noise(settings.noise_middle, settings.noise_feet, settings.noise_head, settings.noise_px)
        C = len(projection)
        usual = np.array([settings.noise_middle, settings.noise_feet, settings.noise_head]) ** 2
        self.habits = Habits(
            bias=np.zeros((C, 3)),
            bias_weight=np.zeros((C, 3)),
            spread=np.tile(usual, (C, 1)),
            spread_weight=np.full((C, 3), settings.noise_prior),
            found=np.zeros((C, len(VISIBLE))),
            tried=np.zeros((C, len(VISIBLE))),
            slipped=settings.slipped,
            slipped_scale=settings.slipped_scale,
        )

    def persons(self, cameras: np.ndarray, boxes_px: np.ndarray):
        """See `PersonProjection.persons`."""
        return self.projection.persons(cameras, boxes_px, self.noise, self.habits.bias[cameras])

    def sights(self, cameras: np.ndarray, persons: np.ndarray, starts: np.ndarray | None = None) -> Sights:
        """What each of (V,) cameras should see of (n, 3) persons, who hide one another.

        Args:
            starts: (k + 1,) where k groups of persons that know nothing of each other begin and end.
        """
        starts = np.array([0, len(persons)]) if starts is None else starts
        sights = Sights.empty(len(cameras), len(persons))
        rates = np.empty(self.habits.found.shape)
        expected = Expected(self.habits, rates, self.settings.noise_px, *self.feet_cut)
        projection = self.projection
        _see(
            projection.matrices, projection.depth_rows, projection.sizes, expected, cameras,
            np.ascontiguousarray(persons, float), starts, sights,
        )  # fmt: skip
        return sights

    @property
    def feet_cut(self) -> tuple[float, float]:
        """How probably a box ends above the feet, of a person in full view and of a hidden one."""
        return self.settings.feet_cut, self.settings.feet_cut_hidden

    def rates(self) -> np.ndarray:
        """(C, 4) how probably the detectors find people of the visible shares `VISIBLE`."""
        return rates_of(self.habits)

    def to_state(self) -> dict[str, Any]:
        return {name: getattr(self.habits, name) for name in LEARNED}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.habits = self.habits._replace(**{name: value.copy() for name, value in state.items()})


@compiled_lean
def _see(matrices, depth_rows, sizes, expected, cameras, persons, starts, sights) -> None:
    """Write `sights`; see `CameraBank.sights`."""
    habits, rates = expected.habits, expected.rates
    write_rates(habits, rates)
    for v in range(len(cameras)):
        c = cameras[v]
        for i in range(len(persons)):
            edges, jacobian = sights.edges[v, i], sights.jacobian[v, i]
            scale, share = draw(
                matrices[c], sizes[c], persons[i], habits.bias[c], edges, jacobian, sights.boxes_px[v, i]
            )
            pixel = (expected.noise_px / scale) ** 2
            for k in range(3):
                edges[k] /= scale
                sights.variances[v, i, k] = habits.spread[c, k] + pixel
                for m in range(3):
                    jacobian[k, m] /= scale
            sights.scale_px[v, i], sights.share[v, i], sights.inside[v, i] = scale, share, share > 0
            sights.depth[v, i] = depth_of(depth_rows[c], persons[i])
    # people in front hide independently of one another
    hide(sights.boxes_px, sights.depth, sights.share, starts, sights.visible)
    for v in range(len(cameras)):
        for i in range(len(persons)):
            shows = sights.share[v, i] * (1 - sights.visible[v, i])
            sights.visible[v, i] = shows
            sights.rate[v, i] = rate_of(shows, rates[cameras[v]])
            sights.feet_cut[v, i] = feet_cut_of(shows, expected.feet_cut, expected.feet_cut_hidden)


@compiled_lean
def rate_of(visible: float, rates: np.ndarray) -> float:
    """How probably a person of whom this share shows is found, where (4,) `rates` are those of `VISIBLE`."""
    if visible <= VISIBLE[0]:
        return rates[0]
    for k in range(1, len(VISIBLE)):
        if visible < VISIBLE[k]:
            slope = (rates[k] - rates[k - 1]) / (VISIBLE[k] - VISIBLE[k - 1])
            return slope * (visible - VISIBLE[k - 1]) + rates[k - 1]
    return rates[-1]


@compiled_lean
def feet_cut_of(visible: float, seen: float, hidden: float) -> float:
    """How probably a box ends above the feet of a person of whom this share shows."""
    share = min(max((visible - FEET_HIDDEN) / (FEET_SEEN - FEET_HIDDEN), 0.0), 1.0)
    return hidden + share * (seen - hidden)


@compiled
def hidden_shares(
    boxes_px: np.ndarray, depth: np.ndarray, share: np.ndarray, starts: np.ndarray
) -> np.ndarray:
    """(V, n) 0..1 of each of (V, n, 4) boxes that is covered by those of the same group who stand nearer.

    Args:
        share: (V, n) 0 for who is not in view: they hide nobody.
    """
    result = np.empty(depth.shape)
    hide(boxes_px, depth, share, starts, result)
    return result


@compiled_lean
def hide(boxes_px, depth, share, starts, result) -> None:
    """Write `hidden_shares`."""
    for v in range(len(depth)):
        boxes, depths, shares = boxes_px[v], depth[v], share[v]
        for k in range(len(starts) - 1):
            for i in range(starts[k], starts[k + 1]):
                shows = 1.0
                if shares[i] > 0:
                    for j in range(starts[k], starts[k + 1]):
                        if shares[j] > 0:
                            shows *= 1 - hidden_by(boxes[i], depths[i], boxes[j], depths[j])
                result[v, i] = 1 - shows


@compiled_lean
def hidden_by(box_px: np.ndarray, depth: float, other_px: np.ndarray, other_depth: float) -> float:
    """0..1 of a box that another one covers, if that is of somebody nearer."""
    if other_depth >= depth - 0.01:
        return 0.0
    width = min(box_px[2], other_px[2]) - max(box_px[0], other_px[0])
    height = min(box_px[3], other_px[3]) - max(box_px[1], other_px[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = max((box_px[2] - box_px[0]) * (box_px[3] - box_px[1]), 1e-9)
    return min(width * height / area, 1.0)
