"""Explains a foreground likelihood by persons: best first, then looks again where something is left over."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.detection.motion_bodies import Bodies
from workers.detection.motion_rectangles import explain, take_out, total
from workers.detection.motion_second_look import look_again

# A hypothesis whose box is less filled than this is not looked at any closer.
_MIN_FILL = 0.2
# Hypotheses that explain this share of what the best one does are as good.
_NEARLY_EQUAL = 0.95
# More hypotheses than this are thinned out evenly: only an image full of movement has them, and it would
# take long.
_MAX_POOL = 12_000


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

    @property
    def neutral_level(self) -> int:
        """`neutral` in the levels of a likelihood image, 0..255."""
        return round(self.neutral * 255)


def find_persons(
    likelihood: np.ndarray, bodies: Bodies, settings: SearchSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Which hypotheses explain the image.

    Args:
        likelihood: (h, w) uint8 foreground likelihood.
        bodies: all hypotheses for images of this size.

    Returns:
        (n,) indices into the bodies, and (n,) float32 what each explains that those before it do not, per
        pixel of body, in units of certain foreground: 0 to 1 - `neutral`.
    """
    neutral = settings.neutral_level
    integral = cv2.integral(likelihood)
    pool = _filled(integral, bodies.boxes, bodies.box_area, 255 * _MIN_FILL)
    pool = pool[:: 1 + len(pool) // _MAX_POOL]
    left, least = likelihood.copy(), 255 * settings.min_gain
    chosen = _best_first(
        left, integral, pool, bodies, neutral, least, settings.rim_weight, settings.max_persons
    )
    chosen = look_again(likelihood, left, pool, chosen, bodies, neutral, least)
    chosen = chosen[: settings.max_persons]
    gains = _gains(likelihood.copy(), chosen, bodies, neutral)
    # two who took the place of one may have left a third nothing to explain
    keep = gains > settings.min_gain / 2
    return chosen[keep], gains[keep]


# -- compiled; likelihoods and what is made of them are in grey levels -------------------------------------------


@compiled
def _filled(integral, boxes, areas, least):
    """(m,) hypotheses whose (k, 4) boxes hold more per pixel of their (k,) areas than `least`."""
    found, n = np.empty(len(boxes), np.int64), 0
    for k in range(len(boxes)):
        x1, y1, x2, y2 = boxes[k]
        if integral[y2, x2] - integral[y1, x2] - integral[y2, x1] + integral[y1, x1] > least * areas[k]:
            found[n] = k
            n += 1
    return found[:n]


@compiled
def _best_first(left, integral, pool, bodies, neutral, least, rim_weight, most):
    """Take the hypothesis that explains most, remove what it explains from `left`, repeat.

    Args:
        left: (h, w) uint8 likelihood, changed in place; integral: its integral image.
        pool: (p,) hypotheses.
        least: what each has to explain per pixel of body.

    Returns:
        (n,) at most `most` hypotheses.
    """
    active, value, rim = np.empty(len(pool), np.int64), np.empty(len(pool)), np.empty(len(pool))
    n = _begin(integral, pool, bodies, neutral, least, active, value, rim)
    chosen, count = np.empty(most, np.int64), 0
    while count < most and n > 0:
        best = _best(active[:n], value, rim, bodies.part_area, rim_weight)
        chosen[count] = best
        count += 1
        x, y, taken = take_out(left, bodies.covers[best], neutral)
        n = _go_on(taken, x, y, bodies, least, active[:n], value, rim)
    return chosen[:count]


@compiled_lean
def _begin(integral, pool, bodies, neutral, least, active, value, rim):
    """Write hypotheses that explain enough, what they explain, and what stands out around them; how many."""
    n = 0
    for k in pool:
        explained = total(integral, bodies.parts[k], 0, 0) - neutral * bodies.part_area[k]
        if explained > least * bodies.part_area[k]:
            active[n], value[n], rim[n] = k, explained, total(integral, bodies.rims[k], 0, 0)
            n += 1
    return n


@compiled_lean
def _go_on(taken, left, top, bodies, least, active, value, rim):
    """The same after a patch at (left, top) has lost something; who explains too little now will not explain more."""
    right, bottom = left + taken.shape[1] - 1, top + taken.shape[0] - 1
    n = 0
    for i in range(len(active)):
        k, explained, around = active[i], value[i], rim[i]
        box = bodies.boxes[k]
        # rims lie within so much of the box
        reach = max(box[2] - box[0], box[3] - box[1])
        if (
            box[0] - reach < right
            and box[2] + reach > left
            and box[1] - reach < bottom
            and box[3] + reach > top
        ):
            explained -= total(taken, bodies.parts[k], left, top)
            around -= total(taken, bodies.rims[k], left, top)
        if explained > least * bodies.part_area[k]:
            active[n], value[n], rim[n] = k, explained, around
            n += 1
    return n


@compiled_lean
def _best(active, value, rim, areas, rim_weight):
    """The hypothesis that explains most, less what stands out around it."""
    top = -np.inf
    for i in range(len(active)):
        top = max(top, value[i] - rim_weight * rim[i])
    enough = top - (1 - _NEARLY_EQUAL) * abs(top)
    # among nearly equals the fullest: a large body can hold a small person and some background
    best, fullest = active[0], -np.inf
    for i in range(len(active)):
        worth = value[i] - rim_weight * rim[i]
        if worth >= enough and worth / areas[active[i]] > fullest:
            best, fullest = active[i], worth / areas[active[i]]
    return best


@compiled
def _gains(left, chosen, bodies, neutral):
    """(n,) float32 share of each body that shows foreground nobody chosen before it explains; `left` is overwritten."""
    gains = np.empty(len(chosen), np.float32)
    for i in range(len(chosen)):
        k, held = chosen[i], 0
        for x1, y1, x2, y2 in bodies.parts[k]:
            for y in range(y1, y2):
                for x in range(x1, x2):
                    held += left[y, x]
        gains[i] = (held / bodies.part_area[k] - neutral) / 255
        explain(left, bodies.covers[k], 0, 0, neutral)
    return gains
