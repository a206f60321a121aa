"""Requests that make no sense are refused in the one shape of errors, whatever is wrong with them."""

from __future__ import annotations

from base64 import b64encode

import pytest
from rest_framework.test import APIClient

from environments.json_parser import MOST_BODY_BYTES
from spoton.tests.routes import http_routes
from tracking.tests import factories
from tracking.tests.factories import assert_error

pytestmark = pytest.mark.django_db
ENVIRONMENTS, PREFERENCES = "/api/v1/environments", "/api/v1/preferences"


@pytest.fixture
def api():
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(factories.person("root", is_superuser=True))
    return client


def cursor(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize("wrong", ["xx", "%00", cursor("p=%00"), cursor("p=nonsense&o=-1"), cursor("o=x")])
def test_cursors_that_are_none(api, wrong):
    factories.yard()
    for path in (
        ENVIRONMENTS,
        f"{ENVIRONMENTS}/yard/zones",
        f"{ENVIRONMENTS}/yard/cameras",
        f"{ENVIRONMENTS}/yard/sessions",
        "/api/v1/media/snapshots?environment_id=yard",
        "/api/v1/tracking/persons/feedback?environment_id=yard",
    ):
        answer = api.get(path, {"cursor": wrong, "environment_id": "yard"})
        assert set(assert_error(answer, 422, "validation_error")["details"]["fields"]) == {"cursor"}, path


def test_a_cursor_that_is_no_time_is_refused_where_times_are_asked_for(api):
    factories.yard()
    answer = api.get(f"{ENVIRONMENTS}/yard/sessions", {"cursor": cursor("p=nonsense")})
    assert_error(answer, 422, "validation_error")


@pytest.mark.parametrize("limit", ["0", "-1", "501", "1e2", "x", "", "9" * 5000, "٣", "1\x00"])
def test_limits_that_are_none(api, limit):
    error = assert_error(api.get(ENVIRONMENTS, {"limit": limit}), 422, "validation_error")
    assert set(error["details"]["fields"]) == {"limit"}


def test_limits_and_options_that_do_not_exist(api):
    factories.yard()
    for limit in (1, 500):
        assert api.get(ENVIRONMENTS, {"limit": limit, "unknown": "option"}).status_code == 200
    assert api.get(f"{ENVIRONMENTS}?limit=3&limit=1").status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_request"),
        (b'{"layout": NaN}', 400, "malformed_request"),
        (b'{"a": "\xff"}', 400, "malformed_request"),
        (b'{"a": ' + b"9" * 5000 + b"}", 400, "malformed_request"),
        (b"[" * 100_000, 400, "malformed_request"),
        (rb'{"\ud800": 1}', 400, "malformed_request"),
        (rb'{"layout": {"a": ["\uDFFF"]}}', 400, "malformed_request"),
        (rb'{"layout": {"a": "\u0000"}}', 422, "validation_error"),
        (rb'{"default_environment": "\u0000"}', 422, "validation_error"),
        (b"[1]", 422, "validation_error"),
        (b"null", 422, "validation_error"),
        (b'{"nonsense": 1}', 422, "validation_error"),
        (b'"' + b"x" * MOST_BODY_BYTES + b'"', 413, "request_too_large"),
    ],
    ids=range(13),
)
def test_bodies_that_cannot_be(api, body, status, code):
    assert_error(api.generic("PATCH", PREFERENCES, body, "application/json"), status, code)


def test_what_looks_like_half_of_a_pair_is_none(api):
    body = rb'{"layout": {"smile": "\ud83d\ude00", "text": "\\ud800"}}'
    answer = api.generic("PATCH", PREFERENCES, body, "application/json")
    assert answer.json()["data"]["layout"] == {"smile": "😀", "text": "\\ud800"}


def test_other_kinds_of_bodies_and_answers(api):
    assert_error(api.generic("PATCH", PREFERENCES, b"<a/>", "text/xml"), 415, "unsupported_media_type")
    assert_error(api.get(ENVIRONMENTS, headers={"Accept": "text/html"}), 406, "not_acceptable")


def test_methods_that_there_are_not(api):
    """Also of pages and documents, and without a token to forge a form with."""
    taken = {tuple(reversed(route.split(" ", 1))) for route in http_routes()}
    for path in (
        "",
        "health",
        "health/live",
        "health/ready",
        "metrics",
        "api/asyncapi",
        "api/v1/environments",
    ):
        for method in ("POST", "DELETE", "PUT"):
            assert (path, method) not in taken
            answer = api.generic(method, f"/{path}")
            assert_error(answer, 405, "method_not_allowed")
            assert "GET" in answer["Allow"]


def test_hosts_that_we_are_not():
    assert_error(APIClient().get("/health", headers={"Host": "evil.example"}), 400, "malformed_request")


@pytest.mark.parametrize(
    "path", ["/nowhere", "/api/v1/environments/", "/api/v1/environments/%00", "/api/docs", "/%ff"]
)
def test_addresses_that_there_are_not(api, path):
    """A slash too many or too few leads nowhere: nothing is redirected, so that preflight and POST are not either."""
    for method in ("get", "post", "options"):
        answer = getattr(api, method)(path)
        assert_error(answer, 404, "not_found")
