"""Compiles what every task needs, or loads it, before somebody waits for it; networks compile theirs when loaded."""

from __future__ import annotations

import numpy as np

from workers import tracking
from workers.compiled import note_compiled
from workers.detection import motion
from workers.reid.descriptor import DescriptorEmbedder


def warm() -> None:
    """Find somebody, track some people and describe one, so that their loops have run."""
    motion.warm()
    tracking.warm()
    DescriptorEmbedder().embed(np.zeros((360, 640, 3), np.uint8), np.array([[10.0, 10.0, 60.0, 160.0]]))
    note_compiled()
