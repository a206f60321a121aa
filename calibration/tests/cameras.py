"""Cameras whose geometry is known by construction."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from calibration import CameraModel

SIZE = (640, 360)
# the same examples in every run: a failure is never a matter of luck
quick = settings(max_examples=60, deadline=None, derandomize=True)


def looking_at_ground(
    *,
    height_m: float = 5.0,
    tilt_deg: float = 25.0,
    pan_deg: float = 90.0,
    hfov_deg: float = 65.0,
    centre_m: tuple[float, float] = (0.0, 0.0),
    size: tuple[int, int] = SIZE,
) -> np.ndarray:
    """(3, 4) projection of an upright camera: pan anticlockwise from +X, tilt downwards from the horizon."""
    pan, tilt = np.deg2rad([pan_deg, tilt_deg])
    forward = np.array([np.cos(tilt) * np.cos(pan), np.cos(tilt) * np.sin(pan), -np.sin(tilt)])
    right = np.array([np.sin(pan), -np.cos(pan), 0.0])
    R = np.stack([right, np.cross(forward, right), forward])
    f = size[0] / 2 / np.tan(np.deg2rad(hfov_deg) / 2)
    K = np.array([[f, 0, size[0] / 2], [0, f, size[1] / 2], [0, 0, 1]])
    return K @ np.column_stack([R, -R @ np.array([*centre_m, height_m])])


@st.composite
def projections(draw: st.DrawFn) -> np.ndarray:
    """Cameras as they hang in buildings and on masts."""
    return looking_at_ground(
        height_m=draw(st.floats(2.5, 15)),
        tilt_deg=draw(st.floats(12, 75)),
        pan_deg=draw(st.floats(-180, 180)),
        hfov_deg=draw(st.floats(35, 95)),
        centre_m=(draw(st.floats(-50, 50)), draw(st.floats(-50, 50))),
    )


def pixels_on_ground(camera: CameraModel, count: int = 40, seed: int = 1) -> np.ndarray:
    """(n, 2) pixels well below the horizon: those that show ground less than 60 m from what is nearest."""
    width, height = camera.image_size
    pixels = np.random.default_rng(seed).uniform([0, 0], [width, height], (count, 2))
    pixels = np.vstack([pixels, [[width / 2, height - 1.0]]])
    positions = camera.to_map(pixels)
    distance = np.linalg.norm(positions - positions[-1], axis=1)
    return pixels[np.nan_to_num(distance, nan=np.inf) < 60]
