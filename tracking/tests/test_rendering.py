"""Encoded pictures, made once for all viewers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import cv2
import numpy as np
import pytest
from django.db import connections

from environments.errors import CameraNotFoundError
from tracking import frames, rendering
from tracking.changes import person_merge
from tracking.errors import FrameNotAvailableError
from tracking.models import Detection, Person
from tracking.overlay import LabelledBox
from tracking.overlay_style import OverlayStyle
from tracking.planning import person_id
from tracking.rendering import Look, rendered
from tracking.tests.factories import START

pytestmark = pytest.mark.django_db
DRAWN = Look(style=OverlayStyle())
SOMEBODY = UUID(int=7)


@pytest.fixture
def renders(monkeypatch):
    """How often a picture was encoded."""
    calls, lock, encoded = [], threading.Lock(), rendering.encoded

    def counted(*args, **kwargs):
        with lock:
            calls.append(kwargs)
        return encoded(*args, **kwargs)

    monkeypatch.setattr(rendering, "encoded", counted)
    return calls


def render(task, look=DRAWN, instant=0, **options):
    return rendered(task=task, camera="c01", instant=instant, look=look, **options)


def pixels(picture) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_COLOR)


def test_looks_that_differ_have_other_keys():
    looks = [Look(), Look(width=320), Look(height=320), Look(quality=50), Look(format="webp"), DRAWN,
             Look(style=OverlayStyle(zones=True))]  # fmt: skip
    assert len({look.key for look in looks}) == len(looks)
    assert replace(DRAWN).key == DRAWN.key


def test_the_cameras_own_jpeg_goes_out_untouched(pictures, renders):
    stored = frames.get(task_id=pictures.pk, camera="c01", instant=0)
    for look in (Look(), Look(width=640, height=1000)):
        picture = render(pictures, look)
        assert picture.data == stored.jpeg
        assert (picture.width, picture.height, picture.index) == (640, 360, 0)
        assert (picture.content_type, picture.captured_at) == ("image/jpeg", START.timestamp())
    assert renders == []


@pytest.mark.parametrize(
    ("look", "size", "kind"),
    [
        (DRAWN, (640, 360), "image/jpeg"),
        (Look(width=320), (320, 180), "image/jpeg"),
        (Look(height=90, format="webp"), (160, 90), "image/webp"),
        (Look(width=100, height=90), (100, 56), "image/jpeg"),
        (replace(DRAWN, width=32), (32, 18), "image/jpeg"),
        (Look(width=3840, quality=20), (640, 360), "image/jpeg"),
    ],
)
def test_pictures_are_shrunk_to_fit_and_never_enlarged(pictures, look, size, kind):
    picture = render(pictures, look)
    assert (picture.width, picture.height) == size == pixels(picture).shape[1::-1]
    assert picture.content_type == kind


def test_worse_quality_is_smaller(pictures):
    assert len(render(pictures, replace(DRAWN, quality=10)).data) < len(render(pictures, DRAWN).data)


def test_the_same_picture_is_drawn_once(pictures, renders):
    first, again = render(pictures), render(pictures)
    assert first == again
    assert len(renders) == 1


def test_the_etag_tells_pictures_apart(pictures):
    assert render(pictures).etag != render(pictures, Look()).etag
    assert render(pictures, Look()).etag == render(pictures, Look()).etag


@pytest.mark.parametrize("other", [{"focus": SOMEBODY}, {"look": Look(style=OverlayStyle(labels=False))},
                                   {"boxes": [LabelledBox(SOMEBODY, (1, 2, 30, 40))]}, {"instant": 19}])  # fmt: skip
def test_whatever_changes_the_picture_makes_another_one(pictures, renders, other):
    render(pictures)
    render(pictures, **other)
    assert len(renders) == 2


def test_boxes_may_be_given(pictures):
    image = pixels(
        render(
            pictures,
            Look(style=OverlayStyle(labels=False)),
            boxes=[LabelledBox(SOMEBODY, (300, 20, 400, 150))],
        )
    )
    assert image[60:100, 297:303].max() > 100
    assert image[60:100, 20:40].max() < 40, "what is recorded was not asked for"


def test_boxes_follow_a_merge_at_once(pictures, operator):
    before = render(pictures)
    Detection.objects.filter(task=pictures, camera__slug="c01", track_id=2).delete()
    Detection.objects.filter(task=pictures, camera__slug="c02", track_id=1).delete()
    apart = render(pictures)
    ada, bob = (Person.objects.get(pk=person_id(pictures, n)) for n in (1, 2))
    for person in (ada, bob):
        person.positions.all().delete()
    person_merge(person=bob, other=ada, user=operator)
    assert len({before.etag, apart.etag, render(pictures).etag}) == 3


def test_where_it_is_not_known_yet_who_is_there_everything_is_hidden(pictures):
    noise = np.random.default_rng(3).integers(0, 256, (360, 640, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    later = START + timedelta(seconds=5)
    kept = frames.StoredFrame(50, 50, later.timestamp(), 640, 360, jpeg)
    frames.put(task_id=pictures.pk, camera="c01", frame=kept)
    hidden = pixels(render(pictures, Look(style=OverlayStyle(blur="others")), instant=50))
    shown = pixels(render(pictures, DRAWN, instant=50))
    assert np.abs(np.diff(hidden.astype(int), axis=1)).mean() < 2
    assert np.abs(np.diff(shown.astype(int), axis=1)).mean() > 40


@pytest.mark.parametrize("look", [Look(), DRAWN])
def test_cameras_that_do_not_take_part(pictures, look):
    with pytest.raises(CameraNotFoundError, match="c01, c02"):
        rendered(task=pictures, camera="c99", instant=0, look=look)


def test_a_frame_that_is_gone_is_no_picture(pictures, monkeypatch):
    monkeypatch.setattr(frames, "fetch", lambda **_: None)
    with pytest.raises(FrameNotAvailableError):
        render(pictures, instant=33)


@pytest.mark.django_db(transaction=True)
def test_many_viewers_of_one_frame_cause_one_render(pictures, renders):
    def view(_):
        try:
            return render(pictures)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(12) as pool:
        seen = list(pool.map(view, range(24)))
    assert len({picture.etag for picture in seen}) == 1
    assert len(renders) == 1
