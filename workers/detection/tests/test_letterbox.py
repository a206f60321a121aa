from __future__ import annotations

import cv2
import numpy as np
import pytest

from workers.detection.letterbox import PAD_GREY, Letterbox

SIZE = (64, 96)


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(width * height).integers(0, 256, (height, width, 3)).astype(np.uint8)


def plain(image: np.ndarray, size: tuple[int, int] = SIZE) -> np.ndarray:
    """The same with OpenCV, step by step."""
    scale = min(size[0] / image.shape[1], size[1] / image.shape[0])
    width, height = (max(1, round(side * scale)) for side in image.shape[1::-1])
    canvas = np.full((size[1], size[0], 3), PAD_GREY, np.uint8)
    canvas[:height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return canvas.transpose(2, 0, 1).astype(np.float32)


@pytest.mark.parametrize(
    ("size", "fitted", "scale"),
    [
        ((100, 50), (64, 32), 0.64),
        ((50, 100), (32, 64), 0.64),
        ((16, 16), (64, 64), 4.0),
        ((1, 500), (1, 64), 0.128),
    ],
)
def test_proportions_are_kept_and_right_and_below_is_grey(size, fitted, scale):
    planes, scales = Letterbox((64, 64)).fit([np.full((size[1], size[0], 3), 255, np.uint8)])
    assert scales == pytest.approx([scale])
    canvas = planes[0].transpose(1, 2, 0)
    white = np.zeros((64, 64), bool)
    white[: fitted[1], : fitted[0]] = True
    assert (canvas[white] == 255).all()
    assert (canvas[~white] == 114).all()


@pytest.mark.parametrize(
    "size",
    [
        (1280, 720),
        (640, 361),
        (128, 192),
        (64, 96),
        (63, 95),
        (20, 30),
        (3, 3),
        (2, 2),
        (1, 1),
        (1, 500),
        (500, 1),
    ],
)
def test_grey_levels_are_those_of_opencv(size):
    image = noise(*size)
    assert np.array_equal(Letterbox(SIZE).fit([image])[0][0], plain(image))


def test_nothing_of_an_earlier_image_stays_beside_a_later_one():
    letterbox = Letterbox(SIZE)
    for size in [(300, 100), (30, 100), (300, 100), (64, 96), (100, 30)]:
        image = noise(*size)
        assert np.array_equal(letterbox.fit([image])[0][0], plain(image))


def test_images_of_several_sizes_and_more_than_before():
    letterbox = Letterbox(SIZE)
    images = [noise(300, 100), noise(30, 100), noise(64, 96)]
    for asked in (images[:1], images, images[::-1], images[1:2]):
        planes, scales = letterbox.fit(asked)
        assert len(planes) == len(scales) == len(asked)
        assert np.array_equal(planes, [plain(image) for image in asked])


def test_views_and_images_that_may_not_be_written():
    image = noise(200, 150)
    expected = plain(np.ascontiguousarray(image[10:90, 20:180:2]))
    assert np.array_equal(Letterbox(SIZE).fit([image[10:90, 20:180:2]])[0][0], expected)
    image.flags.writeable = False
    assert np.array_equal(Letterbox(SIZE).fit([image])[0][0], plain(image))
