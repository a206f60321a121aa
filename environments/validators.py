"""Checks of what people enter; each message says what to mend."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import cv2
import numpy as np
from django.core.exceptions import ValidationError

from calibration import CameraModel, InvalidCalibrationError
from environments.geometry import polygon_problem

MAX_IMAGE_BYTES = 20 * 2**20  # a floor plan is drawn in every browser
MAX_IMAGE_SIDE_PX = 10_000


def validate_timezone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(f"{name!r} is not a time zone; use an IANA name such as Europe/Zurich or UTC.")


def validate_polygon(polygon: Any) -> None:
    problem = polygon_problem(polygon)
    if problem:
        raise ValidationError(problem)


def validate_calibration(calibration: Any, image_size: tuple[int, int]) -> None:
    """Refuse a calibration that cannot be used, or that is for images of another shape.

    Args:
        calibration: JSON that `CameraModel.from_mapping` reads.
        image_size: (width, height) of the camera's images in pixels.
    """
    if not isinstance(calibration, dict):
        raise ValidationError(
            'The calibration must be a JSON object such as {"P": [...], "width": 640, "height": 360}.'
        )
    try:
        model = CameraModel.from_mapping(calibration)
    except InvalidCalibrationError as error:
        raise ValidationError(f"The calibration cannot be used: {error}.") from error
    # 1 %: encoders pad to multiples of 2 or 16
    ratio = (model.image_size[0] / model.image_size[1]) / (image_size[0] / image_size[1])
    if not 0.99 <= ratio <= 1.01:
        raise ValidationError(
            "The calibration is for images of {}x{} pixels, the camera delivers {}x{}: the shapes differ. "
            "Calibrate with an uncropped image of this camera.".format(*model.image_size, *image_size)
        )


def validate_image(file: Any) -> None:
    # what is stored was checked when it came in; reading it again for each save would be slow
    if not getattr(file, "_committed", False):
        image_size_of(file)


def image_size_of(file: Any) -> tuple[int, int]:
    """(width, height) in pixels of a stored or uploaded PNG or JPEG.

    Raises:
        ValidationError: not such an image, or too large.
    """
    if file.size > MAX_IMAGE_BYTES:
        raise ValidationError(f"The image has {file.size / 2**20:.0f} MB; at most 20 MB are allowed.")
    file.seek(0)
    data = file.read()
    file.seek(0)
    if image_content_type(data) is None:
        raise ValidationError("This is not a PNG or JPEG image.")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValidationError("The image is damaged and cannot be read; export it again.")
    height, width = image.shape
    if max(width, height) > MAX_IMAGE_SIDE_PX:
        raise ValidationError(f"The image is {width}x{height} pixels; at most {MAX_IMAGE_SIDE_PX} a side.")
    return width, height


def image_content_type(data: bytes) -> str | None:
    """The MIME type told by an image's first bytes, None when it is neither PNG nor JPEG."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return None
