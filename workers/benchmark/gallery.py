"""Search among very many identities: latency, and whether who should be found is found."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from workers.benchmark.crowd import unit_looks
from workers.benchmark.report import Report
from workers.reid.gallery import Gallery, faiss_gpus

DIMENSION, WANTED = 512, 64
# how much a crop differs from its person, and the similarity to them that this leaves is shown
NOISE = (0.3, 0.6, 1.0, 1.3)


def gallery(sizes: Sequence[int] = (1000, 10_000, 100_000), queries: int = 400) -> Report:
    """One crop at a time, as tracks ask; people resemble each other by about 0.5."""
    rows = []
    for size in sizes:
        rng = np.random.default_rng(size)
        looks = unit_looks(size, DIMENSION, rng).astype(np.float32)
        known = Gallery(DIMENSION)
        known.add(range(size), looks)
        known.search(looks[:1], WANTED)  # builds the index
        spent_ms, used_ms, found = [], [], {}
        for noise in NOISE:
            who = rng.integers(0, size, queries // len(NOISE))
            crops = looks[who] + rng.normal(0, noise / DIMENSION**0.5, (len(who), DIMENSION))
            crops = (crops / np.linalg.norm(crops, axis=1, keepdims=True)).astype(np.float32)
            hits = 0
            for number, crop in zip(who.tolist(), crops, strict=True):
                begun, used = time.perf_counter(), time.process_time()
                keys, _ = known.search(crop[None], WANTED)
                spent_ms.append(1e3 * (time.perf_counter() - begun))
                used_ms.append(1e3 * (time.process_time() - used))
                hits += number in keys[0]
            found[f"found at {(1 + noise**2) ** -0.5:.2f}"] = f"{100 * hits / len(who):.0f} %"
        median, p95 = np.percentile(spent_ms, [50, 95])
        times = {
            "median ms": float(median),
            "p95 ms": float(p95),
            "p95 processor ms": float(np.percentile(used_ms, 95)),
        }
        rows.append({"identities": size, **times, **found})
    where = "GPU" if faiss_gpus() else "CPU"
    return Report(
        f"Gallery: the {WANTED} most alike of so many identities ({DIMENSION}-d, {where})",
        rows,
        goal="p95 below 1 ms at 100,000",
        note="found at s: crops whose similarity to their person is s",
    )
