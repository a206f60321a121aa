"""Explains a foreground likelihood by persons: best first, then looks again where something is left over."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from workers.detection.motion_bodies import PARTS, Bodies, body_boxes, part_rectangles

# A hypothesis whose box is less filled than this is not looked at any closer.
_MIN_FILL = 0.2
# Hypotheses that explain this share of what the best one does are as good.
_NEARLY_EQUAL = 0.95
# More hypotheses than this are thinned out evenly: only an image full of movement has them, and it would
# take seconds.
_MAX_POOL = 12_000
# What counts as explained around head, trunk and legs, in body widths: more than `PARTS`, so that swinging
# arms and feet do not become persons, but not the corners beside the head, where others show.
_EXPLAINED = ((0.84, 1.04, 0.62), (0.42, 0.86, 1.05), (-0.04, 0.45, 1.05))
# How far around a person an alternative may lie, in widths and heights.
_REACH_ACROSS, _REACH_ALONG = 1.1, 0.6


@dataclass(frozen=True)
class SearchSettings:
    """Tunables of the search.

    Attributes:
        neutral: likelihood, 0..1, at which a pixel speaks neither for nor against a person.
        min_gain: what a person must explain that nobody else does, per pixel of body; 1 - neutral is perfect.
            Lower finds more of the hidden, and more ghosts.
        rim_weight: how much foreground around a hypothesis speaks against it.
        max_persons: the search stops here, which bounds the time for an image full of movement.
    """

    neutral: float = 0.26
    min_gain: float = 0.13
    rim_weight: float = 0.6
    max_persons: int = 60

    def __post_init__(self) -> None:
        if not 0 < self.neutral < 1:
            raise ValueError(f"neutral must lie between 0 and 1, got {self.neutral}")
        if not 0 < self.min_gain < 1 - self.neutral:
            raise ValueError(f"min_gain must lie between 0 and 1 - neutral, got {self.min_gain}")
        if self.rim_weight < 0:
            raise ValueError(f"rim_weight must not be negative, got {self.rim_weight}")
        if self.max_persons < 1:
            raise ValueError(f"max_persons must be positive, got {self.max_persons}")


class Search:
    """The hypotheses of one image size, searched afresh for every likelihood."""

    def __init__(self, bodies: Bodies, size: tuple[int, int], settings: SearchSettings) -> None:
        self._bodies = bodies
        self._settings = settings
        self._neutral = round(settings.neutral * 255)
        outline = bodies.foot_px, bodies.up_px, bodies.width_px
        self._parts = _within(part_rectangles(*outline, PARTS), size)
        self._explained = _within(part_rectangles(*outline, _EXPLAINED), size)
        self._boxes = np.rint(body_boxes(*outline)).astype(np.int32)

    def persons(self, likelihood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which hypotheses explain the image.

        Args:
            likelihood: (h, w) uint8 foreground likelihood.

        Returns:
            (n,) indices into the bodies, and (n,) float32 what each explains that those before it do not, per
            pixel of body, in units of certain foreground: 0 to 1 - `neutral`.
        """
        bodies = self._bodies
        integral = cv2.integral(likelihood).reshape(-1)
        fill = _sums(integral, bodies.boxes) / bodies.box_area
        pool = np.flatnonzero(fill > _MIN_FILL * 255)
        pool = pool[:: 1 + len(pool) // _MAX_POOL]
        left = likelihood.copy()
        chosen = self._greedy(left, integral, pool)
        chosen = self._improve(likelihood, left, pool, chosen)[: self._settings.max_persons]
        gains = self._gains(likelihood, chosen)
        # two who took the place of one may have left a third nothing to explain
        keep = gains > self._settings.min_gain / 2
        return np.array(chosen, int)[keep], gains[keep]

    def own_foreground(
        self, likelihood: np.ndarray, chosen: np.ndarray, which: int
    ) -> tuple[np.ndarray, tuple[int, int]]:
        """The foreground near one chosen hypothesis that no other chosen one explains.

        Returns:
            Bool patch of the image and its (x, y) origin; it reaches a quarter of a body's height beyond.
        """
        x1, y1, x2, y2 = self._boxes[which]
        margin = (y2 - y1) // 4 + 1
        x0, y0 = max(x1 - margin, 0), max(y1 - margin, 0)
        patch = likelihood[y0 : y2 + margin, x0 : x2 + margin].copy()
        for other in chosen:
            if other != which:
                self._explain(patch, other, (x0, y0))
        return patch > self._neutral, (x0, y0)

    def _greedy(self, left: np.ndarray, integral: np.ndarray, pool: np.ndarray) -> list[int]:
        """Take the hypothesis that explains most, remove what it explains from `left`, repeat."""
        bodies, settings = self._bodies, self._settings
        chosen: list[int] = []
        while len(chosen) < settings.max_persons:
            value = self._values(integral, pool)
            enough = value > settings.min_gain * bodies.part_area[pool]
            pool, value = pool[enough], value[enough]
            if not len(pool):
                break
            rim = _sums(integral, bodies.rim[pool]).sum(1) / 255
            worth = value - settings.rim_weight * rim
            # among nearly equals the fullest: a large body can hold a small person and some background
            equal = np.flatnonzero(worth >= worth.max() - (1 - _NEARLY_EQUAL) * abs(worth.max()))
            best = int(pool[equal[np.argmax(worth[equal] / bodies.part_area[pool[equal]])]])
            chosen.append(best)
            self._explain(left, best)
            integral = cv2.integral(left).reshape(-1)
        return chosen

    def _values(self, integral: np.ndarray, which: np.ndarray) -> np.ndarray:
        """(k,) what hypotheses explain, in pixels of certain foreground; negative where they cover none."""
        area = self._bodies.part_area[which]
        return (_sums(integral, self._bodies.parts[which]).sum(1) - self._neutral * area) / 255

    def _explain(self, left: np.ndarray, which: int, origin: tuple[int, int] = (0, 0)) -> None:
        """Make what a hypothesis covers neutral, in place; `origin` is the (x, y) of `left` in the image."""
        x0, y0 = origin
        for x1, y1, x2, y2 in self._explained[which]:
            part = left[max(y1 - y0, 0) : max(y2 - y0, 0), max(x1 - x0, 0) : max(x2 - x0, 0)]
            np.minimum(part, self._neutral, out=part)

    def _improve(
        self, likelihood: np.ndarray, left: np.ndarray, pool: np.ndarray, chosen: list[int]
    ) -> list[int]:
        """Where foreground is left beside a person, see whether moving it, or two in its place, explain more.

        The greedy search puts its first person in the middle of two who stand close together.
        """
        for person in list(chosen):
            x1, y1, x2, y2 = self._boxes[person]
            margin = (x2 - x1) // 2
            around = left[max(y1 - margin, 0) : y2 + margin, max(x1 - margin, 0) : x2 + margin]
            unexplained = float(np.maximum(around, self._neutral).sum() - self._neutral * around.size) / 255
            # half of what a second person has to explain: one in the middle of two covers half of the other
            if unexplained < 0.5 * self._settings.min_gain * self._bodies.part_area[person]:
                continue
            others = [k for k in chosen if k != person]
            better = self._alternative(likelihood, person, others, pool)
            if better != [person]:
                chosen = others + better
                left = likelihood.copy()
                for k in chosen:
                    self._explain(left, k)
        return chosen

    def _alternative(
        self, likelihood: np.ndarray, person: int, others: list[int], pool: np.ndarray
    ) -> list[int]:
        """The one or two hypotheses near `person` that explain most, given the others."""
        bodies = self._bodies
        shift = bodies.foot_px[pool] - bodies.foot_px[person]
        across, along = shift[:, 0] / bodies.width_px[person], shift[:, 1] / -bodies.up_px[person, 1]
        near = (np.abs(across) < _REACH_ACROSS) & (np.abs(along) < _REACH_ALONG)
        pool, across, along = pool[near], across[near], along[near]
        x0, y0 = np.maximum(self._boxes[pool, :2].min(0), 0)
        x1, y1 = self._boxes[pool, 2:].max(0) + 1
        scene = likelihood[y0:y1, x0:x1].copy()
        for k in others:
            self._explain(scene, k, (x0, y0))
        # sums of rectangles within the patch need the integral image only there
        integral = np.zeros((likelihood.shape[0] + 1, likelihood.shape[1] + 1), np.int32)
        window = integral[y0 : y0 + scene.shape[0] + 1, x0 : x0 + scene.shape[1] + 1]
        window[:] = cv2.integral(scene)
        flat = integral.reshape(-1)
        value = self._values(flat, pool)
        cost = self._settings.min_gain * bodies.part_area[pool]
        # what is there stays unless the alternative is better by a quarter of a person's cost
        best, best_worth = [person], float((value - 0.75 * cost)[pool == person][0])
        for side in (across < -0.25, across > 0.25, along < -0.12, along > 0.12):
            candidates = np.flatnonzero(side)
            if not len(candidates):
                continue
            first = candidates[np.argmax(value[candidates] - cost[candidates])]
            rest = scene.copy()
            self._explain(rest, int(pool[first]), (x0, y0))
            window[:] = cv2.integral(rest)
            second_value = self._values(flat, pool)
            second = int(np.argmax(second_value - cost))
            gain = float(second_value[second] - cost[second])
            worth = float(value[first] - cost[first]) + max(gain, 0.0)
            if worth > best_worth:
                best = [int(pool[first])] + ([int(pool[second])] if gain > 0 else [])
                best_worth = worth
        return best

    def _gains(self, likelihood: np.ndarray, chosen: list[int]) -> np.ndarray:
        """(n,) share of each body that shows foreground nobody chosen before it explains."""
        left = likelihood.copy()
        gains = np.empty(len(chosen), np.float32)
        for i, k in enumerate(chosen):
            pixels = [left[y1:y2, x1:x2] for x1, y1, x2, y2 in self._parts[k]]
            area = max(sum(p.size for p in pixels), 1)
            gains[i] = (sum(float(p.sum()) for p in pixels) / area - self._neutral) / 255
            self._explain(left, k)
        return gains


def _sums(integral: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Sums over rectangles given as (..., 4) indices of a flat integral image."""
    corner = integral.take(index)
    return corner[..., 0] - corner[..., 1] - corner[..., 2] + corner[..., 3]


def _within(rectangles: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Float xyxy rectangles rounded and cut to an image of `size` (width, height), int32."""
    return np.clip(np.rint(rectangles), 0, np.array([*size, *size])).astype(np.int32)
