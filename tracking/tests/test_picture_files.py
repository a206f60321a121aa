"""The storage of pictures: the same for files of our own and for a bucket, a real S3 server."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.core.files.storage import storages

from tracking import picture_files
from tracking.errors import PictureNotFoundError, PicturesAwayError

NAME = "crops/1/2.jpg"


def test_what_was_written_is_read_until_it_is_deleted(picture_storage):
    assert picture_files.write(NAME, b"one") == NAME
    assert picture_files.read(NAME) == b"one"
    picture_files.delete(NAME)
    with pytest.raises(PictureNotFoundError):
        picture_files.read(NAME)
    picture_files.delete(NAME)


def test_the_same_name_is_the_same_file(picture_storage):
    assert [picture_files.write(NAME, data) for data in (b"one", b"two")] == [NAME, NAME]
    assert picture_files.read(NAME) == b"two"


def test_a_bucket_answers_for_itself_for_a_while(picture_storage):
    picture_files.write(NAME, b"one")
    url = picture_files.foreign_url(NAME)
    if picture_storage == "local":
        assert url is None
        return
    query = parse_qs(urlsplit(url).query)
    assert (query["X-Amz-Expires"], query["X-Amz-Algorithm"]) == (["90"], ["AWS4-HMAC-SHA256"])
    answer = httpx.get(url)
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (200, b"one", "image/jpeg")
    # no access list makes it public
    grants = storages["pictures"].bucket.Object(NAME).Acl().grants
    assert [grant["Permission"] for grant in grants] == ["FULL_CONTROL"]


def test_a_storage_that_is_away_is_told_without_its_secrets(picture_storage, settings, tmp_path, caplog):
    if picture_storage == "s3":
        # nobody listens there
        options = {**settings.STORAGES["pictures"]["OPTIONS"], "endpoint_url": "http://127.0.0.1:9"}
        settings.STORAGES = {
            **settings.STORAGES,
            "pictures": {**settings.STORAGES["pictures"], "OPTIONS": options},
        }
    else:
        settings.MEDIA_ROOT = tmp_path / "a file"
        settings.MEDIA_ROOT.write_text("where a folder should be")
    with caplog.at_level(logging.DEBUG), pytest.raises(PicturesAwayError) as raised:
        picture_files.write(NAME, b"one")
    assert raised.value.__cause__ is None
    told = f"{raised.value} {caplog.text} {storages['pictures']!r}"
    assert "the storage of pictures fails" in told
    assert not [secret for secret in ("a-secret", "AKID") if secret in told]
