"""From pixels to metres: points per second, on the CPU and on the GPU where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from workers.benchmark.crowd import SIZE, grid
from workers.benchmark.report import Report
from workers.mapping.projection import Noise, PersonProjection

NOISE = Noise(0.07, 0.04, 0.05, 1.5)


def mapping(points: int = 1_000_000, repeats: int = 5) -> Report:
    """The product's own functions; boxes become persons with a height, which takes some iterations."""
    view = grid(1, 20.0)[0]
    camera = view.model
    pixels = np.random.default_rng(1).uniform([0, 0.4 * SIZE[1]], SIZE, (points, 2))
    boxes = np.concatenate([pixels - [20, 110], pixels + [20, 0]], axis=1)
    plane = PersonProjection.of_map([camera], 1.7, 0.1)
    cameras = np.zeros(points, int)
    calls: dict[str, Callable[[], object]] = {
        "points (NumPy)": lambda: camera.to_map(pixels),
        "points with covariance (NumPy)": lambda: camera.to_map_with_covariance(pixels, 2.0),
        "boxes to persons (NumPy)": lambda: plane.persons(cameras, boxes, NOISE),
    }
    if cupy := _cupy():
        there = cupy.asarray(pixels)
        calls["points (CuPy)"] = lambda: _finished(cupy, camera.to_map(there))
        calls["points with covariance (CuPy)"] = lambda: _finished(
            cupy, camera.to_map_with_covariance(there, 2.0)
        )
    rows = [
        {"what": name, "per second": round(points / min(_seconds(call) for _ in range(repeats)))}
        for name, call in calls.items()
    ]
    return Report(f"Mapping: image to map, {points:,} at once", rows, goal="1,000,000 points per second")


def _seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _cupy():
    """CuPy, where it and a GPU are present."""
    try:
        import cupy
    except ImportError:
        return None
    return cupy if cupy.cuda.is_available() else None


def _finished(cupy, result: object) -> object:
    cupy.cuda.get_current_stream().synchronize()
    return result
