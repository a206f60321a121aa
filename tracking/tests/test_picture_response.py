"""Pictures as HTTP answers: validators, parts, caches."""

from __future__ import annotations

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from tracking.picture_response import (
    PreconditionFailedError,
    RangeNotSatisfiableError,
    picture_response,
)
from tracking.rendering import Rendered

DATA = bytes(range(100))
PICTURE = Rendered.of(DATA, "image/jpeg", (10, 10), 3, 1_767_600_000.75)
MODIFIED, LATER = "Mon, 05 Jan 2026 08:00:00 GMT", "Mon, 05 Jan 2026 08:00:01 GMT"
EARLIER = "Mon, 05 Jan 2026 07:59:59 GMT"


def answer(max_age_s=None, **headers):
    headers = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return picture_response(Request(APIRequestFactory().get("/", **headers)), PICTURE, max_age_s=max_age_s)


def test_the_whole_picture_with_everything_that_caches_need():
    whole = answer()
    assert (whole.status_code, whole.content, whole["Content-Type"]) == (200, DATA, "image/jpeg")
    assert (whole["ETag"], whole["Last-Modified"]) == (PICTURE.etag, MODIFIED)
    assert (whole["Accept-Ranges"], whole["Cache-Control"]) == ("bytes", "private, no-cache")
    assert "Authorization" in whole["Vary"]
    assert answer(max_age_s=60)["Cache-Control"] == "private, max-age=60"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_none_match": PICTURE.etag}, 304),
        ({"if_none_match": f'"other", W/{PICTURE.etag}'}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"other"'}, 200),
        ({"if_modified_since": MODIFIED}, 304),
        ({"if_modified_since": LATER}, 304),
        ({"if_modified_since": EARLIER}, 200),
        ({"if_modified_since": "yesterday"}, 200),
        # the tag is the surer one
        ({"if_none_match": '"other"', "if_modified_since": LATER}, 200),
        ({"if_match": PICTURE.etag}, 200),
        ({"if_none_match": PICTURE.etag, "range": "bytes=0-9"}, 304),
    ],
)
def test_what_the_client_has_is_not_sent_again(headers, status):
    given = answer(max_age_s=10, **headers)
    assert given.status_code == status
    assert given.content == (b"" if status == 304 else DATA)
    assert (given["ETag"], given["Last-Modified"]) == (PICTURE.etag, MODIFIED)
    assert given["Cache-Control"] == "private, max-age=10"
    assert "Authorization" in given["Vary"]


@pytest.mark.parametrize("headers", [{"if_match": '"other"'}, {"if_unmodified_since": EARLIER}])
def test_conditions_that_do_not_hold(headers):
    with pytest.raises(PreconditionFailedError):
        answer(**headers)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=90-", 90, 99),
        ("bytes=90-1000", 90, 99),
        ("bytes=-1", 99, 99),
        ("bytes=-1000", 0, 99),
        ("bytes=99-99", 99, 99),
        ("bytes = 5 - 6", 5, 6),
    ],
)
def test_a_part(asked, first, last):
    part = answer(range=asked)
    assert part.status_code == 206
    assert part["Content-Range"] == f"bytes {first}-{last}/100"
    assert part.content == DATA[first : last + 1]
    assert part["ETag"] == PICTURE.etag


@pytest.mark.parametrize("asked", ["bytes=0-9,20-29", "bytes=-", "bytes=9-3", "lines=1-2", "bytes=a-b", ""])
def test_what_cannot_be_understood_gets_everything(asked):
    whole = answer(range=asked)
    assert (whole.status_code, whole.content) == (200, DATA)


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_part_behind_the_end(asked):
    with pytest.raises(RangeNotSatisfiableError) as refused:
        answer(range=asked)
    assert refused.value.headers["Content-Range"] == "bytes */100"


@pytest.mark.parametrize(
    ("condition", "status"), [(PICTURE.etag, 206), (MODIFIED, 206), ('"other"', 200), (LATER, 200)]
)
def test_parts_of_another_picture_are_not_mixed(condition, status):
    assert answer(range="bytes=0-9", if_range=condition).status_code == status
