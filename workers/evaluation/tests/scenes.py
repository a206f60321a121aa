"""Seeded scenes: people who walk about and a tracker that misses, invents and confuses some of them."""

from __future__ import annotations

import numpy as np

from workers.evaluation import Frames


def scene(seed: int, *, people: int, frames: int, kind: str) -> tuple[Frames, Frames]:
    """Truth and tracks: boxes that cross in a picture of 400 by 200 pixels, or points on a map of 12 by 6 m."""
    rng = np.random.default_rng(seed)
    room = np.array([400.0, 200.0]) if kind == "boxes" else np.array([12.0, 6.0])
    sizes = np.stack([rng.uniform(0.08, 0.12, people), rng.uniform(0.35, 0.45, people)], 1) * room
    places, paces = rng.uniform(0.1, 0.9, (people, 2)) * room, rng.normal(0, 0.015, (people, 2)) * room
    names = np.arange(people) + 50
    truth, tracks = {}, {}
    for frame in range(frames):
        paces = np.where((places < 0) | (places > room), -paces, paces)
        places = places + paces
        if rng.random() < 0.1:
            pair = rng.choice(people, 2, replace=False)
            names[pair] = names[pair[::-1]]
        if rng.random() < 0.05:
            names[rng.integers(people)] = 100 + frame
        there, found = rng.random(people) < 0.95, rng.random(people) < 0.85
        wrong = rng.normal(0, 0.012, (people, 2)) * room
        invented = rng.uniform(0, 1, (rng.integers(0, 2), 2)) * room
        # now and then everybody is gone, or nothing is found
        there, found = there & (rng.random() > 0.03), found & (rng.random() > 0.03)
        true, seen = places[there], np.vstack([(places + wrong)[there & found], invented])
        if kind == "boxes":
            seen_sizes = np.vstack([sizes[there & found], np.tile(sizes[:1], (len(invented), 1))])
            true, seen = np.hstack([true, true + sizes[there]]), np.hstack([seen, seen + seen_sizes])
        strangers = [1000 + frame] * len(invented)
        truth[frame] = (np.flatnonzero(there).tolist(), true)
        tracks[frame] = ([*names[there & found].tolist(), *strangers], seen)
    return truth, tracks
