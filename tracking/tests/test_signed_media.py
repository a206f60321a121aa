"""Pictures by signed addresses: no headers, for some minutes, for one user and path."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from environments.models import Membership
from environments.signed_urls import sign_url, user_of_signature
from tracking.planning import person_id
from tracking.tests.factories import assert_error

pytestmark = pytest.mark.django_db
SIGN = "/api/v1/media/sign"


@pytest.fixture
def anonymous() -> APIClient:
    return APIClient()


@pytest.fixture
def path(pictures) -> str:
    return f"/api/v1/media/frames/{pictures.pk}/c01/raw"


@pytest.fixture
def signed(path, viewer) -> str:
    return sign_url(path, viewer)[0]


def test_addresses_are_signed_for_the_caller(pictures, path, api_of, viewer, anonymous):
    paths = [path, f"{path}?width=320", f"/api/v1/media/persons/{person_id(pictures, 1)}/image",
             f"/api/v1/media/frames/{pictures.pk}/multi-camera?layout=focus"]  # fmt: skip
    answer = api_of(viewer).post(SIGN, {"paths": paths})
    urls = answer.json()["data"]["urls"]
    assert [one["path"] for one in urls] == paths
    for one in urls:
        seen = anonymous.get(one["url"])
        assert (seen.status_code, seen["Content-Type"]) == (200, "image/jpeg")
        until = timezone.datetime.fromisoformat(one["expires_at"])
        assert timedelta(minutes=4) < until - timezone.now() <= timedelta(minutes=5)


def test_other_options_of_the_query_may_vary(signed, anonymous):
    assert anonymous.get(f"{signed}&width=64").status_code == 200
    assert anonymous.head(signed).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/api/v1/environments", "/api/v1/media/sign", "/admin/", "/api/v1/auth/me", "/nowhere", "https://evil.example/",
     "/api/v1/environments/yard/floor-plan", "/api/v1/media/frames/overlay-config", "", "//evil.example/"],
)  # fmt: skip
def test_only_pictures_are_signed(task, api_of, viewer, path):
    good = f"/api/v1/media/frames/{task.pk}/c01"
    error = assert_error(api_of(viewer).post(SIGN, {"paths": [good, path]}), 422, "validation_error")
    assert error["details"]["fields"]


def test_at_most_a_hundred_at_once(path, api_of, viewer, anonymous):
    assert api_of(viewer).post(SIGN, {"paths": [path] * 100}).status_code == 200
    assert_error(api_of(viewer).post(SIGN, {"paths": [path] * 101}), 422, "validation_error")
    assert_error(api_of(viewer).post(SIGN, {"paths": []}), 422, "validation_error")
    assert_error(anonymous.post(SIGN, {"paths": [path]}), 401, "not_authenticated")


def altered(url: str, old: str, new: str) -> str:
    changed = url.replace(old, new, 1)
    assert changed != url
    return changed


def test_forged_signatures_are_refused(signed, path, operator, viewer, anonymous):
    last = "a" if signed[-1] != "a" else "b"
    forged = [
        signed[:-1] + last,
        altered(signed, f"sig={viewer.pk}:", f"sig={operator.pk}:"),
        altered(signed, "/c01/raw", "/c02/raw"),
        altered(signed, "/c01/raw", "/c01"),
        altered(signed, "/c01/raw", "/c01/stream"),
        f"{path}?sig=",
        f"{path}?sig={viewer.pk}",
        f"{path}?sig=::::",
        f"{path}?sig=%00%ff",
        f"{path}?sig={'9' * 5000}",
    ]
    for url in forged:
        error = assert_error(anonymous.get(url), 401, "authentication_failed")
        assert "Ask for a new one" in error["message"]
    assert_error(anonymous.get(path), 401, "not_authenticated")


def test_a_longer_life_cannot_be_written_into_it(signed, anonymous):
    user, until, proof = signed.partition("sig=")[2].split(":")
    longer = altered(signed, f"{user}:{until}", f"{user}:{int(until) + 3600}")
    assert proof in longer
    assert_error(anonymous.get(longer), 401, "authentication_failed")


def test_it_ends(path, viewer, signed, anonymous, monkeypatch):
    later = timezone.now() + timedelta(minutes=5, seconds=1)
    assert anonymous.get(signed).status_code == 200
    monkeypatch.setattr("environments.signed_urls.timezone.now", lambda: later)
    assert user_of_signature(path, signed.partition("sig=")[2]) is None
    assert_error(anonymous.get(signed), 401, "authentication_failed")


def test_it_proves_who_asks_and_nothing_more(signed, viewer, anonymous):
    Membership.objects.filter(user=viewer).delete()
    assert_error(anonymous.get(signed), 404, "task_not_found")
    viewer.is_active = False
    viewer.save()
    assert_error(anonymous.get(signed), 401, "authentication_failed")
    viewer.delete()
    assert_error(anonymous.get(signed), 401, "authentication_failed")


def test_what_the_user_may_not_see_is_unknown_however_it_is_signed(pictures, stranger, anonymous):
    for path in (f"/api/v1/media/frames/{pictures.pk}/c01", f"/api/v1/media/frames/{uuid.uuid4()}/c01"):
        assert_error(anonymous.get(sign_url(path, stranger)[0]), 404, "task_not_found")


def test_a_signature_opens_nothing_but_pictures(task, viewer, anonymous):
    for path in ("/api/v1/environments", f"/api/v1/processing-tasks/{task.pk}/status", "/api/v1/auth/me",
                 "/api/v1/media/frames/overlay-config"):  # fmt: skip
        assert_error(anonymous.get(sign_url(path, viewer)[0]), 401, "not_authenticated")
    assert_error(anonymous.post(sign_url(SIGN, viewer)[0], {"paths": []}), 401, "not_authenticated")


def test_a_signature_only_reads(signed, anonymous):
    for method in (anonymous.post, anonymous.put, anonymous.delete, anonymous.patch):
        assert_error(method(signed), 401, "not_authenticated")


def test_a_token_counts_more_than_a_signature(signed, api_of, stranger):
    assert_error(api_of(stranger).get(signed), 404, "task_not_found")


def test_signatures_are_never_logged(signed, anonymous, caplog, monkeypatch):
    """Neither those that were refused nor those of requests that broke."""
    anonymous.raise_request_exception = False
    with caplog.at_level(logging.DEBUG):
        assert anonymous.get(signed[:-1] + "?").status_code == 401
        monkeypatch.setattr("tracking.media.instant_of", lambda *_: 1 / 0)
        assert anonymous.get(signed).status_code == 500
    text = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert "/c01/raw" in text
    assert "ZeroDivisionError" in text
    assert "sig=" not in text
    assert signed.partition("sig=")[2][:-1] not in text
