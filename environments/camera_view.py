"""Where a camera hangs, where it looks, and how well it is calibrated: for maps and for people to read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from environments.geometry import clip_to_rectangle
from environments.models import Camera, Environment

Quality = Literal["uncalibrated", "unknown", "good", "fair", "poor"]

# shoulders are half a metre wide: up to 0.1 m two people side by side stay apart on the map, beyond 0.3 m
# they are mixed up
GOOD_ERROR_M, FAIR_ERROR_M = 0.10, 0.30
# beyond this a person is some pixels tall in the usual resolutions; cones drawn further only hide the map
REACH_M = 30.0


@dataclass(frozen=True)
class CameraView:
    """What a camera's calibration says, in map metres; None where it does not say.

    Attributes:
        position_m, height_m: where the camera hangs.
        heading_deg: direction of view on the map, counter-clockwise from the x axis (east).
        tilt_deg: how far it looks down from the horizon.
        footprint_m: (k, 2) ground it sees, cut at the map's bounds and at `REACH_M`; empty if uncalibrated.
    """

    quality: Quality
    error_m: float | None
    position_m: tuple[float, float] | None
    height_m: float | None
    heading_deg: float | None
    tilt_deg: float | None
    footprint_m: np.ndarray


def camera_view(camera: Camera, environment: Environment) -> CameraView:
    """The view of a camera on the map of its environment."""
    model = camera.model
    if model is None:
        return CameraView("uncalibrated", None, None, None, None, None, np.empty((0, 2)))
    footprint = model.footprint_m(REACH_M)
    footprint = clip_to_rectangle(
        footprint[np.isfinite(footprint).all(1)],
        (environment.min_x_m, environment.min_y_m),
        (environment.max_x_m, environment.max_y_m),
    )
    quality = calibration_quality(camera.calibration_error_m)
    centre = model.centre_m()
    if centre is None or model.projection is None:
        return CameraView(quality, camera.calibration_error_m, None, None, None, None, footprint)
    # the optical axis: third row of the projection, pointing forward whatever the sign of the matrix
    rotation = model.projection[:, :3]
    forward = np.sign(np.linalg.det(rotation)) * rotation[2] / np.linalg.norm(rotation[2])
    if camera_looks_backward(forward, centre, footprint):
        forward = -forward
    return CameraView(
        quality=quality,
        error_m=camera.calibration_error_m,
        position_m=(float(centre[0]), float(centre[1])),
        height_m=float(centre[2]),
        heading_deg=math.degrees(math.atan2(forward[1], forward[0])),
        tilt_deg=math.degrees(math.asin(-float(np.clip(forward[2], -1, 1)))),
        footprint_m=footprint,
    )


def calibration_quality(error_m: float | None) -> Quality:
    """One word for a calibrated camera's mean error on the ground."""
    if error_m is None:
        return "unknown"
    return "good" if error_m <= GOOD_ERROR_M else "fair" if error_m <= FAIR_ERROR_M else "poor"


def camera_looks_backward(forward: np.ndarray, centre: np.ndarray, footprint: np.ndarray) -> bool:
    """Whether `forward` points away from the ground seen: so for matrices of left-handed maps."""
    if len(footprint) == 0:
        return False
    towards = np.array([*footprint.mean(0), 0.0]) - centre
    return float(forward @ towards) < 0


def view_in_words(view: CameraView) -> str:
    """For administrators: position, direction and quality in one or two sentences."""
    if view.quality == "uncalibrated":
        return "Not calibrated: people seen by this camera are not placed on the map."
    quality = {
        "unknown": "its accuracy has not been measured",
        "good": f"good, {_centimetres(view.error_m)} off on average",
        "fair": f"fair, {_centimetres(view.error_m)} off on average",
        "poor": f"poor, {_centimetres(view.error_m)} off on average; calibrate again with more points",
    }[view.quality]
    if view.position_m is None:
        return f"Ground plane only (camera height unknown); {quality}."
    tilt = view.tilt_deg or 0.0
    looks = f"{tilt:.0f}° down" if tilt >= 0 else f"{-tilt:.0f}° up"
    return (
        f"Hangs {view.height_m:.1f} m high at ({view.position_m[0]:.1f}, {view.position_m[1]:.1f}) m, "
        f"looks {compass(view.heading_deg or 0.0)}, {looks}. Calibration: {quality}."
    )


def compass(heading_deg: float) -> str:
    """A direction on the map (counter-clockwise from east) as a point of the compass, y pointing north."""
    names = ("east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east")
    return names[round(heading_deg / 45) % 8]


def _centimetres(error_m: float | None) -> str:
    return f"{(error_m or 0.0) * 100:.0f} cm"
