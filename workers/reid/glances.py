"""Which persons are described in which frame.

Describing a person costs more than anything else that is done for them, above all where a network does it. Looks
change slowly, and who stands apart is told from others by where they are: their look serves to recognise them later,
for which a few times a second are enough. Who stands close to somebody may be taken for them at any moment.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workers.compiled import compiled
from workers.reid import embed_all
from workers.types import Embedder

# who stands apart is described this often (s)
LOOK_EVERY_S = 0.3
# boxes are close to each other when they overlap once each is so many times its width wider on either side
CLOSE = 0.5


def worth_a_look(boxes_px: np.ndarray, instant: int, fps: float) -> np.ndarray:
    """(n,) bool, whom of (n, 4) boxes of one frame to describe: everybody now and then, otherwise who is in a crowd.

    Args:
        instant: the frame's; fps: instants per second, 0 where that is not known: then everybody in every frame.
    """
    if instant % max(1, round(LOOK_EVERY_S * fps)) == 0:
        return np.ones(len(boxes_px), bool)
    return _crowded(np.asarray(boxes_px, float))


@compiled
def _crowded(boxes_px: np.ndarray) -> np.ndarray:
    """(n,) bool, whose boxes are close to another one."""
    result = np.zeros(len(boxes_px), np.bool_)
    for i in range(len(boxes_px)):
        x1, y1, x2, y2 = boxes_px[i]
        for o in range(i):
            left, top, right, bottom = boxes_px[o]
            room = CLOSE * (x2 - x1 + right - left)
            if x1 < right + room and left < x2 + room and y1 < bottom and top < y2:
                result[i] = result[o] = True
    return result


def embed_chosen(
    embedder: Embedder,
    images: Sequence[np.ndarray],
    boxes_px: Sequence[np.ndarray],
    chosen: Sequence[np.ndarray],
) -> list[np.ndarray]:
    """`embed_all` of the (n,) chosen ones of the (n, 4) boxes of each image; zero rows for the others."""
    described = embed_all(embedder, images, [b[c] for b, c in zip(boxes_px, chosen, strict=True)])
    result = []
    for rows, mine in zip(described, chosen, strict=True):
        if not mine.all():
            rows, some = np.zeros((len(mine), embedder.dimension), np.float32), rows
            rows[mine] = some
        result.append(rows)
    return result
