"""Pictures as cameras send them."""

import cv2
import numpy as np
import pytest

from workers.jpeg import DamagedJpegError, Jpeg, size_of_jpeg

IMAGE = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8), (9, 9), 0)


def encoded(image: np.ndarray = IMAGE, *options: int) -> bytes:
    return cv2.imencode(".jpg", image, options)[1].tobytes()


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("shape", [(90, 160), (1, 1), (481, 641)])
def test_the_header_tells_the_size(shape, progressive):
    image = np.zeros((*shape, 3), np.uint8)
    data = encoded(image, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    assert size_of_jpeg(data) == shape[::-1]
    # fill bytes are allowed before every marker
    assert size_of_jpeg(data[:2] + b"\xff\xff" + data[2:]) == shape[::-1]


def test_pixels_are_decoded_for_whoever_looks():
    picture = Jpeg(encoded())
    assert picture.size == (160, 90)
    assert picture.image is picture.image
    assert np.abs(picture.image.astype(int) - IMAGE).mean() < 5


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"<html>", encoded()[2:], encoded()[:20], b"\xff\xd8" + 99 * b"\xff"], ids=len
)
def test_what_has_no_header_is_refused(data):
    with pytest.raises(DamagedJpegError):
        Jpeg(data)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_what_is_cut_off_is_told_when_somebody_looks(share):
    whole = encoded()
    header = whole.index(b"\xff\xda")
    picture = Jpeg(whole[: header + round(share * (len(whole) - header))])
    with pytest.raises(DamagedJpegError, match="decoded"):
        _ = picture.image


def test_nothing_but_an_error_comes_of_any_bytes():
    rng = np.random.default_rng(2)
    whole = encoded()
    for _ in range(300):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 20):
            data[at] = rng.integers(0, 256)
        try:
            picture = Jpeg(bytes(data))
            assert picture.size[0] > 0
        except DamagedJpegError:
            pass
