"""A second look at found persons with foreground left beside them: moved, or two in the place of one?"""

from __future__ import annotations

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.detection.motion_rectangles import add_up, explain, total

# How far around a person an alternative may lie, in widths and heights.
_REACH_ACROSS, _REACH_ALONG = 1.1, 0.6
# An alternative lies at least this far to one side of a person, or behind or before them.
_ASIDE, _AHEAD = 0.25, 0.12
# So much of what a person has to explain must be left over: one in the middle of two covers half of the other.
_LEFT_OVER = 0.25
# What is there stays unless the alternative is better by this share of what a person has to explain.
_ADVANTAGE = 0.1


@compiled
def look_again(likelihood, left, pool, chosen, bodies, neutral, least):
    """Move persons, or put two in their place, where that explains more.

    Best first, the search puts its first person in the middle of two who stand close together.

    Args:
        likelihood: (h, w) uint8; left: the same without what the chosen explain, overwritten.
        pool: (p,) hypotheses; chosen: (n,) of them.
        bodies: arrays of `Bodies`.
        neutral: grey level that speaks neither for nor against a person.
        least: what a hypothesis has to explain per pixel of body, grey levels.

    Returns:
        (m,) hypotheses.
    """
    result = list(chosen)
    for person in chosen:
        cost = least * bodies.part_area[person]
        margin = int((bodies.width_px[person] + abs(bodies.up_px[person, 0])) / 2)
        if _left_beside(left, bodies.boxes[person], margin, neutral) < _LEFT_OVER * cost:
            continue
        others = [k for k in result if k != person]
        first, second = _alternative(likelihood, person, others, pool, bodies, neutral, least)
        if first != person or second >= 0:
            others.append(first)
            if second >= 0:
                others.append(second)
            result = others
            left[:] = likelihood
            for k in result:
                explain(left, bodies.covers[k], 0, 0, neutral)
    return np.array(result, np.int64)


@compiled_lean
def _left_beside(left, box, margin, neutral):
    """What nobody explains in a box and so many pixels around it."""
    held = 0
    for y in range(max(box[1] - margin, 0), min(box[3] + margin, left.shape[0])):
        for x in range(max(box[0] - margin, 0), min(box[2] + margin, left.shape[1])):
            held += max(np.int64(left[y, x]) - neutral, 0)
    return held


@compiled
def _alternative(likelihood, person, others, pool, bodies, neutral, least):
    """The one or two (else -1) hypotheses near a person that explain most, given the others."""
    near, n = np.empty(len(pool), np.int64), 0
    across, along = np.empty(len(pool)), np.empty(len(pool))
    left, top, right, bottom = likelihood.shape[1], likelihood.shape[0], 0, 0
    foot, width, height = bodies.foot_px[person], bodies.width_px[person], -bodies.up_px[person, 1]
    for k in pool:
        dx, dy = (bodies.foot_px[k, 0] - foot[0]) / width, (bodies.foot_px[k, 1] - foot[1]) / height
        if abs(dx) < _REACH_ACROSS and abs(dy) < _REACH_ALONG:
            near[n], across[n], along[n] = k, dx, dy
            n += 1
            x1, y1, x2, y2 = bodies.boxes[k]
            left, top, right, bottom = min(left, x1), min(top, y1), max(right, x2), max(bottom, y2)
    near, across, along = near[:n], across[:n], along[:n]
    scene = likelihood[top:bottom, left:right].copy()
    for k in others:
        explain(scene, bodies.covers[k], left, top, neutral)
    sums = np.zeros((scene.shape[0] + 1, scene.shape[1] + 1), np.int32)
    worths, seconds, rest = np.empty(n), np.empty(n), np.empty_like(scene)
    _judge(scene, sums, near, bodies, left, top, neutral, least, worths)
    first, second, best = (
        person,
        -1,
        worths[near == person][0] + _ADVANTAGE * least * bodies.part_area[person],
    )
    for aside in (across < -_ASIDE, across > _ASIDE, along < -_AHEAD, along > _AHEAD):
        if not aside.any():
            continue
        one = np.argmax(np.where(aside, worths, -np.inf))
        rest[:] = scene
        explain(rest, bodies.covers[near[one]], left, top, neutral)
        _judge(rest, sums, near, bodies, left, top, neutral, least, seconds)
        two = np.argmax(seconds)
        worth = worths[one] + max(seconds[two], 0.0)
        if worth > best:
            first, second, best = near[one], near[two] if seconds[two] > 0 else -1, worth
    return first, second


@compiled_lean
def _judge(scene, sums, near, bodies, left, top, neutral, least, worths):
    """Write what hypotheses explain of a patch beyond what a person has to; `sums` is overwritten."""
    for y in range(len(scene)):
        for x in range(scene.shape[1]):
            sums[y + 1, x + 1] = np.int32(scene[y, x]) - neutral
    add_up(sums)
    for i in range(len(near)):
        k = near[i]
        worths[i] = total(sums, bodies.parts[k], left, top) - least * bodies.part_area[k]
