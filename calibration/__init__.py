"""Camera geometry: pixels to metres and back. Pure NumPy; knows nothing of the rest of SpotOn."""

from calibration.camera import CameraModel, InvalidCalibrationError
from calibration.homography import fit_homography, projection_from_homography, reprojection_error_m

__all__ = [
    "CameraModel",
    "InvalidCalibrationError",
    "fit_homography",
    "projection_from_homography",
    "reprojection_error_m",
]
