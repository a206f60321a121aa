"""One upright person in one camera, and back from a box to the person, as machine code."""

from __future__ import annotations

import numpy as np

from workers.compiled import compiled_lean
from workers.mapping.symmetric import invert_3x3

# a standing person's width as a share of the height
BODY_WIDTH = 0.36
# seen from straight above, a person is still this wide (m): no figure is smaller than that
SHOULDERS_M = 0.6
# less than this share of a figure inside the image is not seen
LEAST_SHARE = 0.02
# no place is this far from the map's origin (m): a foot that close to the horizon tells nothing
FARTHEST_M = 1e3
# a first guess is corrected by at most this much in one step (m), so that a wild box cannot run away
LONGEST_STEP_M = 3.0
# squared residuals (3 edges and the height) beyond which a box is no upright person at all
ODD_BOX = 25.0
# where a seeded person stands is known this roughly beforehand (m): keeps covariances finite near the horizon
PLACE_PRIOR_M = 5.0
STEPS = 3


@compiled_lean
def draw(P, size, person, shift, edges_px, jacobian, box_px):
    """Write the figure of a (3,) person; see `projection.Figures`.

    Args:
        P: (3, 4) metres to pixels; size: (2,) of the image; shift: (3,) error of boxes, as shares of the height.
        edges_px, jacobian, box_px: (3,), (3, 3), (4,), overwritten.

    Returns:
        The height of the whole figure (pixels), and the share of it that is inside the image.
    """
    x, y, height = person[0], person[1], person[2]
    foot_w = P[2, 0] * x + P[2, 1] * y + P[2, 3]
    head_w = foot_w + height * P[2, 2]
    in_front = foot_w > 1e-6 and head_w > 1e-6
    foot_u, foot_v = P[0, 0] * x + P[0, 1] * y + P[0, 3], P[1, 0] * x + P[1, 1] * y + P[1, 3]
    head_u, head_v = foot_u + height * P[0, 2], foot_v + height * P[1, 2]
    if not in_front:
        foot_w = head_w = 1.0
    foot_u, foot_v, head_u, head_v = foot_u / foot_w, foot_v / foot_w, head_u / head_w, head_v / head_w
    # under a camera that looks straight down, heads may be the lower edge
    upside = head_v > foot_v
    feet, head = (2, 1) if upside else (1, 2)
    for k in range(2):
        by_foot, by_head = (P[0, k] - foot_u * P[2, k]) / foot_w, (P[0, k] - head_u * P[2, k]) / head_w
        jacobian[0, k] = (by_foot + by_head) / 2
        jacobian[feet, k] = (P[1, k] - foot_v * P[2, k]) / foot_w
        jacobian[head, k] = (P[1, k] - head_v * P[2, k]) / head_w
    jacobian[0, 2] = (P[0, 2] - head_u * P[2, 2]) / head_w / 2
    jacobian[feet, 2] = 0.0
    jacobian[head, 2] = (P[1, 2] - head_v * P[2, 2]) / head_w
    across = np.hypot((P[0, 0] - foot_u * P[2, 0]) / foot_w, (P[0, 1] - foot_u * P[2, 1]) / foot_w)
    lean = abs(foot_u - head_u)
    scale = max(np.hypot(lean, foot_v - head_v), across * SHOULDERS_M, 1.0)
    middle = (foot_u + head_u) / 2 + shift[0] * scale
    bottom = (head_v if upside else foot_v) + shift[1] * scale
    top = (foot_v if upside else head_v) + shift[2] * scale
    share = _cut(middle, bottom, top, max(BODY_WIDTH * scale, lean), size, edges_px, jacobian, box_px)
    if not in_front or not share > LEAST_SHARE:
        share = 0.0
        jacobian[:] = 0.0
    return scale, min(share, 1.0)


@compiled_lean
def _cut(middle, bottom, top, width, size, edges_px, jacobian, box_px):
    """Cut a figure at its image's borders; returns the share that is left."""
    W, H = size[0], size[1]
    left, right = middle - width / 2, middle + width / 2
    x0, x1 = min(max(left, 0.0), W), min(max(right, 0.0), W)
    y0, y1 = min(max(top, 0.0), H), min(max(bottom, 0.0), H)
    # where one side is cut, the middle moves half as far; a cut edge does not move at all
    if left < 0 or right > W:
        for k in range(3):
            jacobian[0, k] *= 0.5
    if bottom > H or bottom < 0:
        jacobian[1] = 0.0
    if top < 0 or top > H:
        jacobian[2] = 0.0
    edges_px[0], edges_px[1], edges_px[2] = (x0 + x1) / 2, y1, y0
    box_px[0], box_px[1], box_px[2], box_px[3] = x0, y0, x1, y1
    return (x1 - x0) * max(y1 - y0, 0.0) / max(width * (bottom - top), 1e-9)


@compiled_lean
def draw_all(
    matrices, depth_rows, sizes, cameras, persons, shifts, edges_px, jacobian, scale, boxes, share, depth
):
    """Write the figures of (k, 3) persons in (k,) cameras."""
    for k in range(len(cameras)):
        c = cameras[k]
        scale[k], share[k] = draw(
            matrices[c], sizes[c], persons[k], shifts[k], edges_px[k], jacobian[k], boxes[k]
        )
        depth[k] = depth_of(depth_rows[c], persons[k])


@compiled_lean
def depth_of(depth_row, person):
    """Grows with the distance from the camera."""
    return depth_row[0] * person[0] + depth_row[1] * person[1] + depth_row[3]


@compiled_lean
def locate(
    P, size, seen, noise, shift, height_m, height_sigma_m, person, covariance, edges_px, jacobian, box_px
):
    """Improve a guess of the (3,) person whom a box shows by a few Gauss-Newton steps.

    Args:
        seen: (3,) the box's edges; noise: (4,) deviations of the edges as shares of the height, and in pixels.
        person: the guess, overwritten; covariance: (3, 3), overwritten.
        edges_px, jacobian, box_px: room to draw the figure.

    Returns:
        Whether the box can be a person.
    """
    weight, place_weight = 1 / height_sigma_m**2, 1 / PLACE_PRIOR_M**2
    for _ in range(STEPS):
        scale, _ = draw(P, size, person, shift, edges_px, jacobian, box_px)
        a, b, c, d, e, f = place_weight, 0.0, 0.0, place_weight, 0.0, weight
        p, q, r = 0.0, 0.0, weight * (height_m - person[2])
        for k in range(3):
            variance = noise[k] ** 2 + (noise[3] / scale) ** 2
            x, y, z = jacobian[k, 0] / scale, jacobian[k, 1] / scale, jacobian[k, 2] / scale
            error = (seen[k] - edges_px[k]) / scale
            a, b, c = a + x / variance * x, b + x / variance * y, c + x / variance * z
            d, e, f = d + y / variance * y, e + y / variance * z, f + z / variance * z
            p, q, r = p + x / variance * error, q + y / variance * error, r + z / variance * error
        invert_3x3(a, b, c, d, e, f, covariance)
        for k in range(3):
            step = covariance[k, 0] * p + covariance[k, 1] * q + covariance[k, 2] * r
            person[k] += min(max(step, -LONGEST_STEP_M), LONGEST_STEP_M)
    scale, share = draw(P, size, person, shift, edges_px, jacobian, box_px)
    oddness = weight * (person[2] - height_m) ** 2
    near = True
    for k in range(3):
        variance = noise[k] ** 2 + (noise[3] / scale) ** 2
        oddness += ((seen[k] - edges_px[k]) / scale) ** 2 / variance
        near &= abs(person[k]) < FARTHEST_M
    return share > LEAST_SHARE and oddness < ODD_BOX and near


@compiled_lean
def locate_all(
    matrices, sizes, to_ground, to_heads, cameras, boxes_px, noise, shifts, height_m, height_sigma_m, persons,
    covariances, sound, seen, edges_px, jacobian, box_px,
):  # fmt: skip
    """Write (k, 3) persons, (k, 3, 3) covariances and (k,) whether each of (k, 4) boxes can be a person.

    Args:
        to_ground, to_heads: (C, 3, 3) pixels to the ground, and to the plane at the height of heads.
        seen, edges_px, jacobian, box_px: room to think of one box.
    """
    for k in range(len(cameras)):
        c, box = cameras[k], boxes_px[k]
        whole = box[2] > box[0] and box[3] > box[1]
        for i in range(4):
            whole &= np.isfinite(box[i])
            box_px[i] = box[i]
        if not whole:
            box_px[0], box_px[1], box_px[2], box_px[3] = 0.0, 0.0, 1.0, 1.0
        cut(sizes[c], box_px, seen)
        known = _guess(to_ground[c], to_heads[c], sizes[c], seen, height_m, persons[k])
        near = locate(
            matrices[c], sizes[c], seen, noise, shifts[k], height_m, height_sigma_m, persons[k], covariances[k],
            edges_px, jacobian, box_px,
        )  # fmt: skip
        sound[k] = whole and known and near


@compiled_lean
def cut(size, box_px, edges_px):
    """Write the (3,) edges of an xyxy box, cut at the image's borders as figures are."""
    left, right = min(max(box_px[0], 0.0), size[0]), min(max(box_px[2], 0.0), size[0])
    edges_px[0] = (left + right) / 2
    edges_px[1], edges_px[2] = min(max(box_px[3], 0.0), size[1]), min(max(box_px[1], 0.0), size[1])


@compiled_lean
def cut_all(sizes, cameras, boxes_px, edges_px):
    """Write the (k, 3) edges of (k, 4) xyxy boxes of (k,) cameras, cut at the images' borders."""
    for k in range(len(cameras)):
        cut(sizes[cameras[k]], boxes_px[k], edges_px[k])


@compiled_lean
def _guess(to_ground, to_heads, size, edges_px, height_m, person):
    """Write a first guess of the (3,) person: where the feet are, or the head where the feet are cut.

    Returns:
        Whether that is a place at all.
    """
    known = _spot(to_ground, edges_px[0], edges_px[1], person)
    if edges_px[1] >= size[1] - 2:
        x, y = person[0], person[1]
        if _spot(to_heads, edges_px[0], edges_px[2], person):
            known = True
        else:
            person[0], person[1] = x, y
    if not known:
        person[0] = person[1] = 0.0
    person[2] = height_m
    return known


@compiled_lean
def _spot(to_plane, column, row, place):
    """Write the (2,) place that a pixel shows; returns whether it is near enough to be one."""
    w = to_plane[2, 0] * column + to_plane[2, 1] * row + to_plane[2, 2]
    for k in range(2):
        place[k] = (to_plane[k, 0] * column + to_plane[k, 1] * row + to_plane[k, 2]) / w
    # not a number is not near either
    return abs(place[0]) < FARTHEST_M and abs(place[1]) < FARTHEST_M
