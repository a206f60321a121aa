"""Several cameras at one instant in one picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tracking import frames
from tracking.composition import grid, one_and_others
from tracking.models import Detection
from tracking.planning import person_id
from tracking.tests.factories import assert_error

EMPTY = (74, 70, 68)


def inside(tiles, size) -> bool:
    """Whether no tile leaves the whole and none covers another."""
    covered = np.zeros(size[::-1], int)
    for x, y, w, h in tiles:
        assert x >= 0
        assert y >= 0
        assert min(w, h) >= 1
        assert x + w <= size[0]
        assert y + h <= size[1]
        covered[y : y + h, x : x + w] += 1
    return covered.max() == 1


@pytest.mark.parametrize("count", [*range(1, 17), 40, 100])
@pytest.mark.parametrize("width", [320, 640, 1280])
def test_tiles_lie_side_by_side(count, width):
    for place in (grid, one_and_others):
        tiles, size = place(count, width)
        assert len(tiles) == count
        assert size[0] == width
        assert inside(tiles, size)


def test_a_grid_is_about_square():
    tiles, size = grid(4, 1284)
    assert tiles == [(0, 0, 640, 360), (644, 0, 640, 360), (0, 364, 640, 360), (644, 364, 640, 360)]
    assert size == (1284, 724)


def test_the_main_camera_has_most_of_the_room():
    (_, _, large_w, large_h), *others = one_and_others(4, 1284)[0]
    assert all(large_w * large_h > 8 * w * h for _, _, w, h in others)


pytestmark = pytest.mark.django_db


@pytest.fixture
def view(pictures, api_of, viewer):
    """The composition with these options, as pixels; 1284 wide: two tiles of 640 in a row."""

    def ask(query="", width=1284):
        answer = api_of(viewer).get(f"/api/v1/media/frames/{pictures.pk}/multi-camera?width={width}&{query}")
        return (
            cv2.imdecode(np.frombuffer(answer.content, np.uint8), 1) if answer.status_code == 200 else answer
        )

    return ask


def boxes_in(part) -> bool:
    """Whether anything bright is drawn where the pictures are black, below the camera's name."""
    return bool((part[40:160].max(2) > 90).any())


def test_cameras_side_by_side_with_their_overlays(view):
    image = view()
    assert image.shape == (360, 1284, 3)
    assert boxes_in(image[:, :640])
    assert boxes_in(image[:, 644:])
    assert (image[5:25, 5:40].max(2) > 150).any(), "the camera's name"


def test_some_cameras_in_their_order(view):
    assert view("cameras=c02").shape == (722, 1284, 3)
    assert_error(view("cameras=c01,c99"), 404, "camera_not_found")
    assert_error(view("layout=focus&main=c99"), 404, "camera_not_found")
    assert_error(view("layout=heap"), 422, "validation_error")


@pytest.mark.parametrize(
    ("query", "size"), [("", (1284, 360)), ("height=180", (642, 180)), ("height=32", (114, 32))]
)
def test_the_whole_fits_into_the_size(view, query, size):
    height, width = view(query).shape[:2]
    assert (width, height) == pytest.approx(size, abs=2)


def test_a_camera_without_picture_is_a_grey_tile(view, pictures, monkeypatch):
    fetch = frames.fetch
    monkeypatch.setattr(frames, "fetch", lambda **f: None if f["camera"] == "c02" else fetch(**f))
    image = view()
    assert np.abs(image[300, 1000].astype(int) - EMPTY).max() < 6
    assert (image[170:190, 900:1030].max(2) > 150).any(), "it says so"
    assert image[300, 300].min() > 250


def test_when_no_camera_has_a_picture(view, monkeypatch):
    monkeypatch.setattr(frames, "fetch", lambda **_: None)
    assert_error(view(), 404, "frame_not_available")
    monkeypatch.undo()
    monkeypatch.setattr(frames, "FETCH_TIMEOUT_SECONDS", 1)
    assert_error(view("t=2026-05-04T08:00:05Z"), 503, "media_timeout")


def large_one(image) -> bool:
    """Whether persons are seen in the large tile: what is large was not left without any."""
    return boxes_in(image[:, :900])


def test_the_focus_layout_shows_the_focused_person_large(view, pictures):
    Detection.objects.filter(task=pictures, camera__slug="c01").delete()
    Detection.objects.filter(task=pictures, camera__slug="c02", track_id=1).delete()
    assert large_one(view("layout=focus")), "where somebody is seen at all"
    assert not large_one(view("layout=focus&main=c01"))
    assert large_one(view(f"layout=focus&focus={person_id(pictures, 2)}"))


def test_the_focused_person_counts_more_than_a_large_one(view, pictures):
    one, other = person_id(pictures, 1), person_id(pictures, 2)
    Detection.objects.filter(task=pictures, camera__slug="c01", person=other).delete()
    Detection.objects.filter(task=pictures, camera__slug="c02", person=one).delete()
    Detection.objects.filter(task=pictures, camera__slug="c01").update(x2=500, y2=300)
    first, second = view("layout=focus"), view(f"layout=focus&focus={other}")
    assert (first[5:25, 5:60] != second[5:25, 5:60]).any(), "another camera's name is on the large picture"


def test_several_viewers_share_it(view, monkeypatch):
    first = view()
    monkeypatch.setattr(frames, "fetch", lambda **_: pytest.fail("it was composed before"))
    assert (view() == first).all()
