"""Sums over rectangles of an image, and taking out what somebody explains. All rectangles are int32 xyxy."""

from __future__ import annotations

import numpy as np

from workers.compiled import compiled, compiled_lean


@compiled_lean
def total(sums, rectangles, left, top):
    """What some of an image's rectangles hold together of a patch of it.

    Args:
        sums: (h + 1, w + 1) int32 integral image of the patch.
        rectangles: (r, 4); what lies beyond the patch does not count.
        left, top: of the patch in the image.
    """
    held, height, width = np.int64(0), sums.shape[0] - 1, sums.shape[1] - 1
    for r in range(len(rectangles)):
        x1, x2 = max(rectangles[r, 0] - left, 0), min(rectangles[r, 2] - left, width)
        y1, y2 = max(rectangles[r, 1] - top, 0), min(rectangles[r, 3] - top, height)
        if x2 > x1 and y2 > y1:
            held += sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1]
    return held


@compiled_lean
def add_up(sums):
    """Turn (h + 1, w + 1) values, the first row and column zero, into their integral image, in place."""
    for y in range(1, len(sums)):
        row, above, so_far = sums[y], sums[y - 1], np.int32(0)
        for x in range(1, len(row)):
            so_far += row[x]
            row[x] = so_far + above[x]


@compiled_lean
def explain(patch, rectangles, left, top, neutral):
    """Make what (r, 4) rectangles of an image cover of a uint8 patch of it neutral, in place.

    Args:
        left, top: of the patch in the image.
        neutral: what is above becomes this.
    """
    height, width = patch.shape
    for r in range(len(rectangles)):
        x1, x2 = max(rectangles[r, 0] - left, 0), min(rectangles[r, 2] - left, width)
        for y in range(max(rectangles[r, 1] - top, 0), min(rectangles[r, 3] - top, height)):
            row = patch[y]
            for x in range(x1, x2):
                row[x] = min(row[x], neutral)


@compiled
def take_out(image, rectangles, neutral):
    """As `explain` for the whole image, and what that took.

    Returns:
        Left, top and (h + 1, w + 1) int32 integral image of the patch that lost something.
    """
    left, top, right, bottom = image.shape[1], image.shape[0], 0, 0
    for r in range(len(rectangles)):
        x1, y1, x2, y2 = rectangles[r]
        if x2 > x1 and y2 > y1:
            left, top = min(left, x1), min(top, y1)
            right, bottom = max(right, x2), max(bottom, y2)
    taken = np.zeros((max(bottom - top, 0) + 1, max(right - left, 0) + 1), np.int32)
    for r in range(len(rectangles)):
        x1, y1, x2, y2 = rectangles[r]
        for y in range(y1, y2):
            for x in range(x1, x2):
                more = np.int32(image[y, x]) - neutral
                if more > 0:
                    taken[y - top + 1, x - left + 1] = more
                    image[y, x] = neutral
    add_up(taken)
    return left, top, taken
