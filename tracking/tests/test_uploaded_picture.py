"""Pictures that users send: known kinds, bounds, damage."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from environments.errors import ValidationFailedError
from tracking.uploaded_picture import (
    LONGEST_SIDE_PX,
    MOST_BYTES,
    Picture,
    box_within,
    picture_of,
    picture_size,
)


def encoded(kind=".jpg", width=60, height=120, options=()):
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(kind, image, list(options))[1].tobytes()


PROGRESSIVE, LOSSLESS = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_WEBP_QUALITY, 101)


@pytest.mark.parametrize(
    ("kind", "options"),
    [(".jpg", ()), (".jpg", PROGRESSIVE), (".png", ()), (".webp", ()), (".webp", LOSSLESS)],
)
@pytest.mark.parametrize("size", [(60, 120), (301, 77)])
def test_the_header_tells_the_size(kind, options, size):
    assert picture_size(encoded(kind, *size, options)) == size


def test_a_small_picture_is_kept_as_it_is():
    data = encoded(".png")
    assert picture_of(data) == Picture(data, 60, 120)


def test_a_large_picture_is_shrunk_and_boxes_with_it():
    picture = picture_of(encoded(".jpg", 2 * LONGEST_SIDE_PX, 200))
    assert (picture.width, picture.height, picture.factor) == (2560, 200, 0.5)
    assert picture_size(picture.data) == (1280, 100)
    assert box_within(picture, (100, 50, 200, 150)) == (50, 25, 100, 75)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + bytes(100),
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        encoded(".png")[:60],
        encoded(".webp")[:60],
        b"\xff\xd8\xff\xe0" + bytes(200),
    ],
)
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(ValidationFailedError) as refused:
        picture_of(data)
    assert set(refused.value.details["fields"]) == {"image"}


def test_too_many_bytes_are_refused():
    with pytest.raises(ValidationFailedError, match="8 MB"):
        picture_of(encoded() + bytes(MOST_BYTES))


def test_too_many_pixels_are_refused_before_anything_is_decoded():
    """A few bytes that claim 3.6 gigapixels."""
    data = bytearray(encoded(".png"))
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    with pytest.raises(ValidationFailedError, match="60000x60000"):
        picture_of(bytes(data))


@pytest.mark.parametrize(
    ("box", "expected"),
    [(None, (0, 0, 60, 120)), ((-5, 10, 30, 500), (0, 10, 30, 120)), ((1.5, 2.5, 9, 9), (1.5, 2.5, 9, 9))],
)
def test_a_box_is_cut_at_the_edges(box, expected):
    assert box_within(Picture(b"", 60, 120), box) == expected


@pytest.mark.parametrize(
    "box", [(70, 0, 90, 10), (10, 10, 10, 20), (20, 20, 10, 10), (0, 0, float("nan"), 10), (0, 0, 0.5, 10)]
)
def test_a_box_without_pixels_is_refused(box):
    with pytest.raises(ValidationFailedError) as refused:
        box_within(Picture(b"", 60, 120), box)
    assert set(refused.value.details["fields"]) == {"bbox_xyxy"}
