"""Points that lie in another library's arrays are mapped where they lie, with the same result."""

from __future__ import annotations

import numpy as np
import pytest

from calibration import CameraModel
from calibration.tests.cameras import SIZE, looking_at_ground

CAMERA = CameraModel.from_projection(looking_at_ground(), SIZE)
BY_HOMOGRAPHY = CameraModel(CAMERA.map_to_image, CAMERA.image_to_map, None, SIZE)
PIXELS = np.array([[320.0, 300.0], [10.0, 350.0], [600.0, 200.0], [320.0, 1.0]])
POSITIONS = np.array([[0.0, 12.0], [3.0, 20.0], [0.0, -5.0]])


@pytest.mark.torch
@pytest.mark.parametrize(
    ("values", "map_points"),
    [
        (PIXELS, lambda points: CAMERA.to_map(points)),
        (PIXELS, lambda points: CAMERA.jacobian_to_map(points)),
        (PIXELS, lambda points: CAMERA.to_map_with_covariance(points, 2.0)[1]),
        (PIXELS, lambda points: CAMERA.to_map_with_covariance(points, np.array([1.0, 2, 3, 4]))[1]),
        (POSITIONS, lambda points: CAMERA.to_image(points, 1.7)),
        (POSITIONS, lambda points: CAMERA.to_image(points, np.array([1.5, 1.6, 1.7]))),
        (POSITIONS, lambda points: BY_HOMOGRAPHY.to_image(points)),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_torch_tensors_give_what_numpy_gives(values, map_points, dtype):
    import torch

    expected = map_points(values.astype(dtype))
    got = map_points(torch.from_numpy(values.astype(dtype)))
    assert isinstance(got, torch.Tensor)
    assert got.dtype == torch.float64
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-12)


def test_lists_are_points_too():
    np.testing.assert_array_equal(CAMERA.to_map(PIXELS.tolist()), CAMERA.to_map(PIXELS))


@pytest.mark.gpu
def test_cupy_arrays_stay_on_the_gpu():
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("no CUDA device")
    got, covariance = CAMERA.to_map_with_covariance(cupy.asarray(PIXELS), 2.0)
    expected = CAMERA.to_map_with_covariance(PIXELS, 2.0)
    assert isinstance(got, cupy.ndarray)
    np.testing.assert_allclose(got.get(), expected[0], rtol=1e-9)
    np.testing.assert_allclose(covariance.get(), expected[1], rtol=1e-9)
