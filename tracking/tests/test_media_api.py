"""Pictures over REST: frames with and without boxes, and crops of persons."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from uuid import UUID

import cv2
import numpy as np
import pytest

from tracking import frames
from tracking.models import PersonAlias
from tracking.planning import person_id
from tracking.tests.factories import START, assert_error, queued

pytestmark = pytest.mark.django_db


def decoded(answer) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)


# -- pictures ------------------------------------------------------------------------------------------------


def frame(client, task, path="c01", **headers):
    return client.get(f"/api/v1/media/frames/{task.pk}/{path}", **headers)


def test_a_picture_with_and_without_boxes(pictures, api_of, viewer):
    raw, drawn = (frame(api_of(viewer), pictures, f"c01{s}?t=2026-05-04T08:00:00Z") for s in ("/raw", ""))
    assert (raw["Content-Type"], drawn["Content-Type"]) == ("image/jpeg", "image/jpeg")
    assert decoded(raw).shape == (360, 640, 3)
    difference = np.abs(decoded(drawn).astype(int) - decoded(raw)).max(2) > 40
    # person 1 stands at (0.5, 1.0) m: box 30, 20 to 70, 100 px
    assert difference[15:105, 25:75].any()
    assert not difference[:, 200:].any()


def test_without_a_time_it_is_the_last_processed_one(pictures, api_of, viewer):
    assert frame(api_of(viewer), pictures, "c02/raw").status_code == 200
    assert queued("media") == [], "instant 19 was in the store"


@pytest.mark.parametrize(
    ("query", "kind", "size"),
    [
        ("", "image/jpeg", (640, 360)),
        ("?format=webp", "image/webp", (640, 360)),
        ("?format=jpeg&quality=10", "image/jpeg", (640, 360)),
        ("?width=320", "image/jpeg", (320, 180)),
        ("?height=90&format=webp", "image/webp", (160, 90)),
        ("?width=3840&height=2160", "image/jpeg", (640, 360)),
    ],
)
def test_size_format_and_quality(pictures, api_of, viewer, query, kind, size):
    answer = frame(api_of(viewer), pictures, f"c01{query}")
    assert (answer.status_code, answer["Content-Type"]) == (200, kind)
    assert decoded(answer).shape[1::-1] == size
    assert (answer.content[:2] == b"\xff\xd8") == (kind == "image/jpeg")


@pytest.mark.parametrize("accept", ["image/avif,image/webp,*/*;q=0.8", "image/jpeg", "image/*", "text/html"])
def test_browsers_ask_for_pictures_their_own_way(pictures, api_of, viewer, accept):
    assert frame(api_of(viewer), pictures, HTTP_ACCEPT=accept).status_code == 200


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("t=noon", "t"),
        ("quality=1", "quality"),
        ("width=0", "width"),
        ("height=x", "height"),
        ("format=gif", "format"),
    ],
)
def test_wrong_options_are_named(pictures, api_of, viewer, query, named):
    error = assert_error(frame(api_of(viewer), pictures, f"c01?{query}"), 422, "validation_error")
    assert list(error["details"]["fields"]) == [named]


def test_who_is_focused_stands_out(pictures, api_of, viewer):
    plain = decoded(frame(api_of(viewer), pictures, "c01"))
    focused = decoded(frame(api_of(viewer), pictures, f"c01?focus={person_id(pictures, 1)}"))
    assert plain[300, 500].min() > 250
    assert focused[300, 500].max() < 200, "everything around them is darker"


def test_a_focused_person_may_be_called_by_an_id_that_was_merged_away(pictures, api_of, viewer):
    PersonAlias.objects.create(origin_id=UUID(int=5), since=None, person_id=person_id(pictures, 1))
    by_old, by_new = (
        frame(api_of(viewer), pictures, f"c01?focus={who}") for who in (UUID(int=5), person_id(pictures, 1))
    )
    assert by_old["ETag"] == by_new["ETag"] != frame(api_of(viewer), pictures, "c01")["ETag"]


def test_as_captured_means_untouched_unless_asked_for(pictures, api_of, viewer):
    stored = frames.get(task_id=pictures.pk, camera="c01", instant=19).jpeg
    assert frame(api_of(viewer), pictures, "c01/raw").content == stored
    smaller = frame(api_of(viewer), pictures, "c01/raw?quality=10").content
    assert smaller != stored
    drawn = [frame(api_of(viewer), pictures, f"c01?quality={q}").content for q in (10, 90)]
    assert len(drawn[0]) < len(drawn[1])


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("c01", "private, no-cache"),
        ("c01/raw", "private, no-cache"),
        ("c01?t=2026-05-04T08:00:00Z", "private, max-age=10"),
        ("c01/raw?t=2026-05-04T08:00:00Z", "private, max-age=3600"),
        ("multi-camera", "private, no-cache"),
        ("multi-camera?t=2026-05-04T08:00:00Z", "private, max-age=10"),
    ],
)
def test_how_long_pictures_may_be_kept(pictures, api_of, viewer, path, kept):
    answer = frame(api_of(viewer), pictures, path)
    assert answer["Cache-Control"] == kept
    assert answer["Last-Modified"] == f"Mon, 04 May 2026 08:00:0{0 if 't=' in path else 1} GMT"


def test_parts_of_pictures(pictures, api_of, viewer):
    whole = frame(api_of(viewer), pictures, "c01/raw").content
    part = frame(api_of(viewer), pictures, "c01/raw", HTTP_RANGE="bytes=10-19")
    assert (part.status_code, part.content) == (206, whole[10:20])
    late = frame(api_of(viewer), pictures, "c01/raw", HTTP_RANGE="bytes=9999999-")
    assert_error(late, 416, "range_not_satisfiable")
    assert late["Content-Range"] == f"bytes */{len(whole)}"
    assert_error(frame(api_of(viewer), pictures, HTTP_IF_MATCH='"x"'), 412, "precondition_failed")


def test_an_unchanged_picture_is_not_sent_again(pictures, api_of, viewer):
    first = frame(api_of(viewer), pictures)
    again = frame(api_of(viewer), pictures, HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert frame(api_of(viewer), pictures, HTTP_IF_NONE_MATCH='"other"').status_code == 200


def test_cameras_that_do_not_take_part_are_unknown(pictures, api_of, viewer):
    error = assert_error(frame(api_of(viewer), pictures, "c99"), 404, "camera_not_found")
    assert "c01, c02" in error["message"]


@pytest.mark.parametrize("seconds", [-1, 10, 86_400])
def test_times_outside_the_task_are_refused_with_its_span(pictures, api_of, viewer, seconds):
    t = (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    error = assert_error(frame(api_of(viewer), pictures, f"c01?t={t}"), 404, "frame_not_available")
    assert error["details"] == {"start": "2026-05-04T08:00:00.000Z", "end": "2026-05-04T08:00:10.000Z"}


def answer_media_request(picture: bytes | None) -> threading.Thread:
    """A media worker takes the next request."""

    def work() -> None:
        while not (waiting := queued("media")):
            time.sleep(0.01)
        _, (_, camera, instant, reply_to) = waiting[-1]
        assert camera == "c01"
        kept = picture and frames.StoredFrame(instant, instant, START.timestamp(), 640, 360, picture)
        frames.reply(reply_to=reply_to, frame=kept)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_the_last_moment_of_a_task_still_has_a_picture(running, api_of, viewer):
    worker = answer_media_request(cv2.imencode(".jpg", np.zeros((360, 640, 3), np.uint8))[1].tobytes())
    assert frame(api_of(viewer), running, "c01?t=2026-05-04T08:00:09.999Z").status_code == 200
    worker.join()
    assert queued("media")[0][1][2] == 99


def test_a_picture_that_does_not_exist(running, api_of, viewer):
    worker = answer_media_request(None)
    error = assert_error(
        frame(api_of(viewer), running, "c01?t=2026-05-04T08:00:05Z"), 404, "frame_not_available"
    )
    assert "no picture" in error["message"]
    worker.join()


def test_no_worker_delivers_in_time(running, api_of, viewer, monkeypatch):
    monkeypatch.setattr(frames, "FETCH_TIMEOUT_SECONDS", 1)
    assert_error(frame(api_of(viewer), running, "c01?t=2026-05-04T08:00:05Z"), 503, "media_timeout")


# -- persons -------------------------------------------------------------------------------------------------


def crop(client, task, query="", **headers):
    return client.get(f"/api/v1/media/persons/{person_id(task, 2)}/image{query}", **headers)


def test_a_person_is_cut_out_with_some_room(pictures, api_of, viewer):
    answer = crop(api_of(viewer), pictures, "?camera=c01&t=2026-05-04T08:00:00Z")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    height, width = decoded(answer).shape[:2]
    # the box is 40 x 80 px
    assert (width, height) == (pytest.approx(50, abs=2), pytest.approx(99, abs=2))


def test_the_best_picture_is_found_without_saying_where(pictures, api_of, viewer):
    assert crop(api_of(viewer), pictures).status_code == 200


def test_a_persons_picture_fits_into_a_size_and_is_cut_out_once(pictures, api_of, viewer, monkeypatch):
    first = crop(api_of(viewer), pictures, "?camera=c01&height=50&format=webp")
    assert (first["Content-Type"], decoded(first).shape[0]) == ("image/webp", 50)
    monkeypatch.setattr(frames, "fetch", lambda **_: pytest.fail("it was cut out before"))
    again = crop(
        api_of(viewer), pictures, "?camera=c01&height=50&format=webp", HTTP_IF_NONE_MATCH=first["ETag"]
    )
    assert (again.status_code, again["ETag"]) == (304, first["ETag"])
    assert first["Cache-Control"] == "private, no-cache"


def test_where_a_person_never_was(pictures, api_of, viewer):
    assert_error(crop(api_of(viewer), pictures, "?camera=c99"), 404, "frame_not_available")
    assert_error(crop(api_of(viewer), pictures, "?camera=c 9"), 422, "validation_error")
