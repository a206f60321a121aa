"""Search by a person and by a picture, over REST. A thread answers as a media worker does, over the real broker."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from environments.redis import redis_client
from tracking import looks
from tracking.gallery import usual_embedder
from tracking.models import Appearance
from tracking.queues import lists_of
from tracking.tests.factories import assert_error
from tracking.tests.people import Walk, at, ended, who, write

pytestmark = pytest.mark.django_db
SEARCH = "/api/v1/tracking/persons/search"
PNG = cv2.imencode(".png", np.full((120, 60, 3), 90, np.uint8))[1].tobytes()
DATA_URI = "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.fixture
def gallery(task):
    """1 and 2 are dressed alike, 3 comes later and is dressed differently."""
    write(task, Walk(1, 0, 9), Walk(2, 10, 19, look=(1, 0.1, 0)), Walk(3, 20, 29, look=(0, 1, 0)))
    return ended(task)


class MediaWorker(threading.Thread):
    """Takes one message and answers with a look that is known; `asked`: what it was asked."""

    def __init__(self, vector) -> None:
        super().__init__(daemon=True)
        self.vector, self.asked = vector, None

    def run(self) -> None:
        _, raw = redis_client().blpop(lists_of("media"), timeout=8)
        message = json.loads(raw)
        (name, box, embedder), *_ = json.loads(base64.b64decode(message["body"]))
        self.asked = (message["headers"]["task"], looks.picture_take(name), box, embedder)
        looks.look_reply(name=name, vector=self.vector)


@pytest.fixture
def answering() -> Iterator:
    started = []

    def make(vector) -> MediaWorker:
        worker = MediaWorker(None if vector is None else np.array(vector, np.float32))
        worker.start()
        started.append(worker)
        return worker

    yield make
    for worker in started:
        worker.join(10)


def found(answer) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [person["global_person_id"] for person in answer.json()["data"]["persons"]]


# -- a picture -----------------------------------------------------------------------------------------------


def test_by_a_picture_in_json(gallery, api_of, viewer, answering):
    worker = answering((0, 1, 0))
    answer = api_of(viewer).post(
        SEARCH, {"environment_id": "yard", "image": DATA_URI, "bbox_xyxy": [5, 10, 55, 110]}
    )
    assert found(answer) == [str(who(gallery, n).pk) for n in (3, 2, 1)]
    data = answer.json()["data"]
    assert (data["global_person_id"], data["merged"], data["embedder"]) == (None, False, "descriptor")
    assert data["persons"][0] == {
        "global_person_id": str(who(gallery, 3).pk),
        "similarity": 1.0,
        "embedder": "descriptor",
        "first_detected_time": "2026-05-04T08:00:02.000Z",
        "last_seen_time": "2026-05-04T08:00:02.900Z",
    }
    assert worker.asked == ("workers.embed_picture", PNG, [5, 10, 55, 110], "descriptor")


@pytest.mark.parametrize("box", [{}, {"bbox_xyxy": "5,10,55,110"}, {"bbox_xyxy": [5, 10, 55, 110]}])
def test_by_a_picture_in_a_form(gallery, api_of, viewer, answering, box):
    worker = answering((1, 0, 0))
    form = {"environment_id": "yard", "image": SimpleUploadedFile("me.png", PNG), "limit": 1, **box}
    answer = api_of(viewer).post(SEARCH, form, format="multipart")
    assert found(answer) == [str(who(gallery, 1).pk)]
    assert worker.asked[2] == ([5, 10, 55, 110] if box else [0, 0, 60, 120])


def test_only_persons_of_the_range(gallery, api_of, viewer, answering):
    answering((1, 0, 0))
    body = {"environment_id": "yard", "image": DATA_URI, "start": "2026-05-04T08:00:02Z"}
    assert found(api_of(viewer).post(SEARCH, body)) == [str(who(gallery, 3).pk)]


def test_the_embedder_of_most_appearances_is_asked(gallery, yard, api_of, viewer, answering):
    Appearance.objects.filter(person=who(gallery, 3)).update(
        embedder="onnx:/models/osnet.onnx", vector=[1, 0]
    )
    assert usual_embedder(environment=yard) == "descriptor"
    assert usual_embedder(environment=yard, start=at(2)) == "onnx:/models/osnet.onnx"
    worker = answering((1, 0))
    body = {"environment_id": "yard", "image": DATA_URI, "start": "2026-05-04T08:00:02Z"}
    answer = api_of(viewer).post(SEARCH, body)
    assert found(answer) == [str(who(gallery, 3).pk)]
    # workers are told the path, clients are not
    assert worker.asked[3] == "onnx:/models/osnet.onnx"
    assert answer.json()["data"]["embedder"] == "onnx:osnet.onnx"


def test_where_nobody_is_remembered_nobody_is_asked(gallery, api_of, viewer):
    Appearance.objects.all().delete()
    answer = api_of(viewer).post(SEARCH, {"environment_id": "yard", "image": DATA_URI})
    assert answer.json()["data"]["persons"] == []
    assert answer.json()["data"]["embedder"] is None
    assert [redis_client().llen(name) for name in lists_of("media")] == [0, 0, 0]


def test_without_a_worker_it_is_said_so(gallery, api_of, viewer, monkeypatch):
    monkeypatch.setattr(looks, "TIMEOUT_SECONDS", 1)
    answer = api_of(viewer).post(SEARCH, {"environment_id": "yard", "image": DATA_URI})
    assert_error(answer, 503, "media_timeout")


def test_a_worker_without_the_network_says_so(gallery, api_of, viewer, answering):
    answering(None)
    answer = api_of(viewer).post(SEARCH, {"environment_id": "yard", "image": DATA_URI})
    assert_error(answer, 503, "embedder_not_available")


# -- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"environment_id": "yard", "image": "https://example.org/me.png"}, "image"),
        ({"environment_id": "yard", "image": "data:image/gif;base64,AAAA"}, "image"),
        ({"environment_id": "yard", "image": "data:image/png;base64,%%%"}, "image"),
        ({"environment_id": "yard", "image": 7}, "image"),
        ({"environment_id": "yard", "image": "data:image/png;base64,AAAA"}, "image"),
        ({"environment_id": "yard", "image": DATA_URI, "bbox_xyxy": [1, 2, 3]}, "bbox_xyxy"),
        ({"environment_id": "yard", "image": DATA_URI, "bbox_xyxy": [100, 0, 120, 9]}, "bbox_xyxy"),
        ({"image": DATA_URI}, "environment_id"),
        ({"environment_id": "yard"}, "person_id"),
        ({"environment_id": "yard", "image": DATA_URI, "limit": 101}, "limit"),
    ],
)
def test_wrong_fields_are_named(gallery, api_of, viewer, body, field):
    error = assert_error(api_of(viewer).post(SEARCH, body), 422, "validation_error")
    assert set(error["details"]["fields"]) == {field}


def test_a_person_and_a_picture_exclude_each_other(gallery, api_of, viewer):
    person = {"person_id": str(who(gallery, 1).pk)}
    for more, field in [
        ({"environment_id": "yard", "image": DATA_URI}, "person_id"),
        ({"environment_id": "yard"}, "environment_id"),
        ({"bbox_xyxy": [0, 0, 9, 9]}, "bbox_xyxy"),
    ]:
        error = assert_error(api_of(viewer).post(SEARCH, {**person, **more}), 422, "validation_error")
        assert set(error["details"]["fields"]) == {field}


def test_files_that_are_no_pictures_or_too_large_are_refused(gallery, api_of, viewer):
    for content in (b"hello", PNG[:50], PNG + bytes(9 * 2**20), PNG + bytes(12 * 2**20)):
        form = {"environment_id": "yard", "image": SimpleUploadedFile("me.png", content)}
        error = assert_error(api_of(viewer).post(SEARCH, form, format="multipart"), 422, "validation_error")
        assert set(error["details"]["fields"]) == {"image"}


@pytest.mark.parametrize("by", ["person", "picture"])
@pytest.mark.parametrize(
    "range_",
    [{"start": "2026-05-04T08:00:02Z", "end": "2026-05-04T08:00:01Z"}, {"start": "2026-05-05T00:00:00Z"}],
)
def test_a_range_that_holds_nothing_tells_what_is_available(gallery, api_of, viewer, by, range_):
    picture = {"environment_id": "yard", "image": DATA_URI}
    body = {"person_id": str(who(gallery, 1).pk)} if by == "person" else picture
    error = assert_error(api_of(viewer).post(SEARCH, {**body, **range_}), 422, "range_not_available")
    assert error["details"]["available"]["start"] == "2026-05-04T08:00:00.000Z"


def test_strangers_cannot_tell_which_environments_exist(gallery, api_of, stranger):
    bodies = [{"environment_id": slug, "image": DATA_URI} for slug in ("yard", "nowhere")]
    errors = [
        assert_error(api_of(stranger).post(SEARCH, body), 404, "environment_not_found") for body in bodies
    ]
    assert errors[0] == errors[1]
    assert_error(APIClient().post(SEARCH, bodies[0]), 401, "not_authenticated")
