"""Plane geometry of an environment: valid zone polygons, and where the floor plan's pixels lie on the map.

The map is a right-handed frame in metres seen from above: x to the right (east), y up (north), Z towards the
viewer. Floor plan pixels have their origin at the image's top left, x right, y down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_POLYGON_POINTS = 200  # drawn by hand: more is a mistake, or an attack on the quadratic check below
MIN_AREA_M2 = 0.01  # a 10 cm square: smaller cannot hold a foot
ON_EDGE_M = 1e-6  # floating point does not put a point exactly on a slanted side


def polygon_problem(polygon: Any) -> str | None:
    """What is wrong with a zone's polygon, in words that tell what to mend; None when it is usable.

    Args:
        polygon: list of [x_m, y_m] corners, not closed (the first corner is not repeated).
    """
    if not isinstance(polygon, list | tuple) or len(polygon) < 3:
        return "A zone needs three or more corners, each as [x, y] in metres."
    if len(polygon) > MAX_POLYGON_POINTS:
        return f"A zone may have at most {MAX_POLYGON_POINTS} corners; this one has {len(polygon)}."
    for number, corner in enumerate(polygon, start=1):
        if not _is_point(corner):
            return f"Corner {number} must be [x, y], two finite numbers in metres; it is {corner!r}."
    for number, (a, b) in enumerate(_edges(polygon), start=1):
        if math.dist(a, b) < 1e-6:
            return f"Corners {number} and {number % len(polygon) + 1} are the same point; remove one."
    crossing = _first_crossing(polygon)
    if crossing is not None:
        i, j = crossing
        return (
            f"The outline crosses itself: the side after corner {i + 1} meets the side after corner {j + 1}. "
            "Move corners so that no two sides cross."
        )
    if polygon_area_m2(polygon) < MIN_AREA_M2:
        return "The zone is too thin: its corners lie (almost) on one line."
    return None


def polygon_area_m2(polygon: Sequence[Sequence[float]]) -> float:
    """Area by the shoelace formula, for either direction of turning."""
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in _edges(polygon))) / 2


def polygon_label_m(polygon: Sequence[Sequence[float]]) -> tuple[float, float]:
    """A point to write the zone's name at: the centroid (for strongly bent zones it may fall outside)."""
    twice_area = sum(a[0] * b[1] - b[0] * a[1] for a, b in _edges(polygon))
    x = sum((a[0] + b[0]) * (a[0] * b[1] - b[0] * a[1]) for a, b in _edges(polygon)) / (3 * twice_area)
    y = sum((a[1] + b[1]) * (a[0] * b[1] - b[0] * a[1]) for a, b in _edges(polygon)) / (3 * twice_area)
    return x, y


def inside(polygon: Sequence[Sequence[float]], positions_m: Any) -> np.ndarray:
    """(n,) bool: which of (n, 2) map positions lie in the polygon or on its edge; those that are not finite do not.

    Counts the sides that a ray to the right crosses, for all positions at once.
    """
    corners = np.asarray(polygon, float)
    # from the first corner on: national grids would lose their micrometres
    x, y = (np.asarray(positions_m, float).reshape(-1, 2) - corners[0]).T
    within, on_edge = np.zeros(len(x), bool), np.zeros(len(x), bool)
    for (ax, ay), (bx, by) in _edges((corners - corners[0]).tolist()):
        dx, dy = bx - ax, by - ay
        turn, along = dx * (y - ay) - dy * (x - ax), dx * (x - ax) + dy * (y - ay)
        within ^= ((ay > y) != (by > y)) & ((turn > 0) == (dy > 0))
        length = math.hypot(dx, dy)
        on_edge |= (np.abs(turn) <= ON_EDGE_M * length) & (along >= 0) & (along <= length**2)
    return (within | on_edge) & np.isfinite(x) & np.isfinite(y)


@dataclass(frozen=True)
class FloorPlanFrame:
    """Where the floor plan's pixels lie on the map.

    Attributes:
        origin_m: map position of the image's top-left corner.
        pixels_per_metre: scale, the same in both directions.
        rotation_deg: how far the image is turned counter-clockwise on the map.
    """

    origin_m: tuple[float, float]
    pixels_per_metre: float
    rotation_deg: float = 0.0

    def matrix(self) -> list[list[float]]:
        """(2, 3) affine rows: map metres = rows @ (x_px, y_px, 1)."""
        cos, sin = (f(math.radians(self.rotation_deg)) / self.pixels_per_metre for f in (math.cos, math.sin))
        # one pixel down is -y on an unturned map
        return [[cos, sin, self.origin_m[0]], [sin, -cos, self.origin_m[1]]]

    def to_map(self, points_px: Any) -> np.ndarray:
        """(n, 2) pixels to (n, 2) metres."""
        affine = np.array(self.matrix())
        return np.asarray(points_px, float).reshape(-1, 2) @ affine[:, :2].T + affine[:, 2]

    def to_image(self, positions_m: Any) -> np.ndarray:
        """(n, 2) metres to (n, 2) pixels."""
        affine = np.array(self.matrix())
        offset = np.asarray(positions_m, float).reshape(-1, 2) - affine[:, 2]
        return offset @ np.linalg.inv(affine[:, :2]).T


def clip_to_rectangle(polygon: Any, low: tuple[float, float], high: tuple[float, float]) -> np.ndarray:
    """(k, 2) the part of a polygon inside the rectangle from `low` to `high`; empty when there is none.

    Sutherland and Hodgman, Reentrant Polygon Clipping, 1974: one side of the rectangle after the other.

    Args:
        polygon: (n, 2) corners in the units of the rectangle.
    """
    for axis in (0, 1):
        for limit, sign in ((low[axis], 1.0), (high[axis], -1.0)):
            normal = [0.0, 0.0]
            normal[axis] = sign
            polygon = clip_to_half_plane(polygon, (*normal, -sign * limit))
    return polygon


def clip_to_half_plane(polygon: Any, line: tuple[float, float, float]) -> np.ndarray:
    """(k, 2) the part of a polygon where a x + b y + c >= 0, for `line` (a, b, c)."""
    corners = np.asarray(polygon, float).reshape(-1, 2)
    distances = corners @ line[:2] + line[2]
    kept: list[np.ndarray] = []
    for a, b, from_a, from_b in zip(
        corners, np.roll(corners, -1, axis=0), distances, np.roll(distances, -1), strict=True
    ):
        if from_a >= 0:
            kept.append(a)
        if (from_a >= 0) != (from_b >= 0):
            kept.append(a + (b - a) * from_a / (from_a - from_b))
    return np.array(kept).reshape(-1, 2)


def _is_point(corner: Any) -> bool:
    return (
        isinstance(corner, list | tuple)
        and len(corner) == 2
        and all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in corner)
    )


def _edges(polygon: Sequence[Sequence[float]]) -> list[tuple[Sequence[float], Sequence[float]]]:
    return list(zip(polygon, [*polygon[1:], polygon[0]], strict=True))


def _first_crossing(polygon: Sequence[Sequence[float]]) -> tuple[int, int] | None:
    """Indices of the first two sides that touch though they are not neighbours, or that fold back."""
    edges = _edges(polygon)
    n = len(edges)
    for i in range(n):
        for j in range(i + 1, n):
            if j == i + 1 or (i == 0 and j == n - 1):
                first, second = (edges[i], edges[j]) if j == i + 1 else (edges[j], edges[i])
                if _folds_back(first[0], first[1], second[1]):
                    return i, j
            elif _touch(*edges[i], *edges[j]):
                return i, j
    return None


def _turn(a: Sequence[float], b: Sequence[float], c: Sequence[float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _folds_back(a: Sequence[float], b: Sequence[float], c: Sequence[float]) -> bool:
    """The path a, b, c turns by exactly 180 degrees at b."""
    forward = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return abs(_turn(a, b, c)) < 1e-12 and forward < 0


def _within(a: Sequence[float], b: Sequence[float], p: Sequence[float]) -> bool:
    """Point p, on the line through a and b, lies between them."""
    return min(a[0], b[0]) <= p[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= p[1] <= max(a[1], b[1])


def _touch(a: Sequence[float], b: Sequence[float], c: Sequence[float], d: Sequence[float]) -> bool:
    """The segments a-b and c-d share a point."""
    t1, t2, t3, t4 = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if ((t1 > 0) != (t2 > 0)) and ((t3 > 0) != (t4 > 0)) and 0 not in (t1, t2, t3, t4):
        return True
    on_a_line = [(t1, a, b, c), (t2, a, b, d), (t3, c, d, a), (t4, c, d, b)]
    return any(turn == 0 and _within(p, q, r) for turn, p, q, r in on_a_line)
