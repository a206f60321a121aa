"""Moves the edges of found bodies to the foreground actually seen, so that foot and head are well placed."""

from __future__ import annotations

import numpy as np

from workers.compiled import compiled, compiled_lean
from workers.detection.motion_rectangles import explain

# How far foot, head and axis may move from the hypothesis, in body heights and widths: about the step between
# neighbouring hypotheses and the spread of people's heights, so that shadows and neighbours cannot pull more.
MAX_MOVE_ALONG = 0.15
MAX_MOVE_ACROSS = 0.25
# How far each side may move out (a stride, a swinging arm) and in (someone slim), in widths.
MAX_WIDEN, MAX_NARROW = 0.3, 0.05
# A column belongs to the person when foreground fills this share of the body's height.
MIN_COLUMN = 0.06
# A row belongs to the person when foreground fills this share of the body's width: the tip of a shoe will do,
# since noise has been filtered before.
MIN_ROW = 0.05
# Foreground is looked at so far around a body, in heights.
_AROUND = 0.25
# Where foot and head are looked for, left and right of the axis, in widths.
_FOOT_HALF, _HEAD_HALF = 0.7, 0.3
# The axis is that of head and trunk, this share of the height from the top, if this share of it is seen.
_UPPER, _UPPER_SEEN = 0.55, 0.2
_UPPER_HALF = 0.7


@compiled
def refine_bodies(likelihood, chosen, bodies, neutral):
    """Fit each body to the foreground that none of the others explains.

    Args:
        likelihood: (h, w) uint8 foreground likelihood.
        chosen: (n,) int64 hypotheses.
        bodies: `Bodies`.
        neutral: grey level above which a pixel is foreground.

    Returns:
        (n, 2) feet, (n, 2) vectors from foot to head and (n,) widths, float64 pixels; an edge that is hidden or outside
        the image stays.
    """
    feet, ups, widths = np.empty((len(chosen), 2)), np.empty((len(chosen), 2)), np.empty(len(chosen))
    for i in range(len(chosen)):
        k = chosen[i]
        x1, y1, x2, y2 = bodies.boxes[k]
        # of the whole body, of which only a part may be inside the image
        margin = int(_AROUND * -bodies.up_px[k, 1]) + 1
        left, top = max(x1 - margin, 0), max(y1 - margin, 0)
        patch = likelihood[top : y2 + margin, left : x2 + margin].copy()
        for other in chosen:
            if other != k:
                explain(patch, bodies.covers[other], left, top, neutral)
        feet[i], ups[i], widths[i] = bodies.foot_px[k], bodies.up_px[k], bodies.width_px[k]
        feet[i, 0] -= left
        feet[i, 1] -= top
        columns = np.empty(patch.shape[1], np.int64)
        widths[i] = _refine(patch, neutral, feet[i], ups[i], widths[i], columns)
        feet[i, 0] += left
        feet[i, 1] += top
    return feet, ups, widths


@compiled_lean
def _refine(patch, neutral, foot, up, width, columns):
    """Move (2,) foot and vector to the head, in place, to the foreground of a patch; the new width.

    Args:
        columns: (w,) int64, overwritten.
    """
    height = -up[1]
    reach = MAX_MOVE_ALONG * height
    foot[0] += _axis_shift(patch, neutral, foot, up, width, columns)
    enough = MIN_ROW * width
    head_x, head_y = foot[0] + up[0], foot[1] + up[1]
    bottom = _edge(patch, neutral, foot[0], foot[1], reach, _FOOT_HALF * width, enough, True)
    top = _edge(patch, neutral, head_x, head_y, reach, _HEAD_HALF * width, enough, False)
    if bottom >= 0:
        foot[1] = bottom
    up[1] = (top if top >= 0 else head_y) - foot[1]
    left, right = _sides(patch, neutral, foot, up, width, columns)
    foot[0] += (left + right) / 2
    return width + right - left


@compiled_lean
def _axis_shift(patch, neutral, foot, up, width, columns):
    """How far the middle of the seen trunk and head lies to the right of the hypothesis's, pixels."""
    head_x, head_y = foot[0] + up[0], foot[1] + up[1]
    tall = -_UPPER * up[1]
    middle = head_x - _UPPER / 2 * up[0]
    first = _pixel(middle - _UPPER_HALF * width)
    n = _count_columns(
        patch,
        neutral,
        _pixel(head_y),
        _pixel(head_y + tall),
        first,
        _pixel(middle + _UPPER_HALF * width),
        columns,
    )
    seen, weighted = 0, 0
    for x in range(n):
        seen += columns[x]
        weighted += x * columns[x]
    if seen == 0 or seen < _UPPER_SEEN * width * tall:
        return 0.0
    shift = weighted / seen + first + 0.5 - middle
    return min(max(shift, -MAX_MOVE_ACROSS * width), MAX_MOVE_ACROSS * width)


@compiled_lean
def _edge(patch, neutral, x, y, reach, half, enough, downwards):
    """y where foreground ends within `reach` of a point, going down or up; -1 where there is none."""
    first, last = int(np.rint(y - reach)), int(np.rint(y + reach))
    if first < 0 or last > len(patch):
        return -1.0
    left, right = _pixel(x - half), min(_pixel(x + half), patch.shape[1])
    found = -1.0
    for row in range(first, last):
        filled = 0
        for column in range(left, right):
            filled += patch[row, column] > neutral
        if filled >= enough:
            if not downwards:
                return float(row)
            found = row + 1.0
    return found


@compiled_lean
def _sides(patch, neutral, foot, up, width, columns):
    """Pixels that the left and right side must move, positive to the right, to hold what is seen."""
    middle = foot[0] + up[0] / 2
    reach = MAX_WIDEN * width
    first = _pixel(middle - width / 2 - reach)
    n = _count_columns(
        patch,
        neutral,
        _pixel(foot[1] + up[1]),
        _pixel(foot[1]),
        first,
        _pixel(middle + width / 2 + reach),
        columns,
    )
    enough, left, right = -MIN_COLUMN * up[1], -1, -1
    for x in range(n):
        if columns[x] >= enough:
            left, right = x if left < 0 else left, x
    if left < 0:
        return 0.0, 0.0
    inwards = MAX_NARROW * width
    return (
        min(max(first + left - (middle - width / 2), -reach), inwards),
        min(max(first + right + 1 - (middle + width / 2), -inwards), reach),
    )


@compiled_lean
def _count_columns(patch, neutral, top, bottom, left, right, columns):
    """Write how many pixels of each column of a rectangle are foreground; the number of columns."""
    n = max(min(right, patch.shape[1]) - left, 0)
    columns[:n] = 0
    for y in range(top, min(bottom, len(patch))):
        for x in range(n):
            columns[x] += patch[y, left + x] > neutral
    return n


@compiled_lean
def _pixel(at):
    """The pixel edge nearest to a coordinate, not before the first."""
    return max(int(np.rint(at)), 0)
