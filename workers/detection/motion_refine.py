"""Moves the edges of a found body to the foreground actually seen, so that foot and head are well placed."""

from __future__ import annotations

import numpy as np

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


def refine_body(
    mask: np.ndarray, foot_px: np.ndarray, up_px: np.ndarray, width_px: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Fit one body to the foreground that nobody else explains.

    Args:
        mask: (h, w) bool, that foreground, in the whole image's coordinates.
        foot_px, up_px: (2,) of the hypothesis.
        width_px: its width.

    Returns:
        New (2,) foot, (2,) up and width; an edge that is hidden or outside the image stays.
    """
    height = -float(up_px[1])
    reach = MAX_MOVE_ALONG * height
    foot, head = foot_px.astype(float), (foot_px + up_px).astype(float)
    shift = _axis_shift(mask, foot, head, width_px)
    foot[0] += shift
    head[0] += shift
    enough = MIN_ROW * width_px
    bottom = _edge(mask, foot, reach, 0.7 * width_px, enough, downwards=True)
    top = _edge(mask, head, reach, 0.3 * width_px, enough, downwards=False)
    if bottom is not None:
        foot[1] = bottom
    if top is not None:
        head[1] = top
    left, right = _sides(mask, foot, head, width_px)
    shift = (left + right) / 2
    foot[0] += shift
    head[0] += shift
    return foot, head - foot, width_px + right - left


def _sides(mask: np.ndarray, foot: np.ndarray, head: np.ndarray, width: float) -> tuple[float, float]:
    """Pixels that the left and right side must move, positive to the right, to hold what is seen."""
    middle = (foot[0] + head[0]) / 2
    reach = MAX_WIDEN * width
    rows = mask[max(round(head[1]), 0) : max(round(foot[1]), 0)]
    first = max(round(middle - width / 2 - reach), 0)
    columns = rows[:, first : max(round(middle + width / 2 + reach), 0)].sum(0)
    filled = np.flatnonzero(columns >= MIN_COLUMN * (foot[1] - head[1]))
    if not len(filled):
        return 0.0, 0.0
    left, right = first + filled[0] - (middle - width / 2), first + filled[-1] + 1 - (middle + width / 2)
    return float(np.clip(left, -reach, MAX_NARROW * width)), float(np.clip(right, -MAX_NARROW * width, reach))


def _axis_shift(mask: np.ndarray, foot: np.ndarray, head: np.ndarray, width: float) -> float:
    """How far the middle of the seen trunk and head lies to the right of the hypothesis's, pixels."""
    top, bottom = head[1], head[1] + 0.55 * (foot[1] - head[1])
    middle = head[0] + 0.275 * (foot[0] - head[0])
    rows = slice(max(round(top), 0), max(round(bottom), 0))
    left = max(round(middle - 0.7 * width), 0)
    columns = mask[rows, left : max(round(middle + 0.7 * width), 0)].sum(0)
    if columns.sum() < 0.2 * width * (bottom - top):
        return 0.0
    seen = float((columns * np.arange(len(columns))).sum() / columns.sum()) + left + 0.5
    return float(np.clip(seen - middle, -MAX_MOVE_ACROSS * width, MAX_MOVE_ACROSS * width))


def _edge(
    mask: np.ndarray, at: np.ndarray, reach: float, half: float, enough: float, *, downwards: bool
) -> float | None:
    """y where foreground ends within `reach` of a point, going down or up; None where there is none."""
    first, last = round(at[1] - reach), round(at[1] + reach)
    if first < 0 or last > mask.shape[0]:
        return None
    columns = slice(max(round(at[0] - half), 0), max(round(at[0] + half), 0))
    filled = np.flatnonzero(mask[first:last, columns].sum(1) >= enough)
    if not len(filled):
        return None
    return float(first + filled[-1] + 1) if downwards else float(first + filled[0])
