"""Passwords and tokens stay out of logs and answers, whatever goes wrong: at any level, in both formats."""

from __future__ import annotations

import logging

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import path
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from spoton import urls as product_urls
from spoton.api.request_id import RequestIdFilter
from spoton.auth.tests.conftest import PASSWORD
from spoton.auth.tests.test_auth_api import login, me, refresh
from spoton.logs import ContextFilter, JsonFormatter

SECRET = "s3cret-Pa55phrase-0123456789"
SIGNATURE = "c2lnbmF0dXJlLW9mLW1lZGlh"


class Broken(APIView):
    def get(self, request):
        raise RuntimeError("a bug")

    def post(self, request):
        request.data["missing"]
        return Response()


def broken(request):
    raise RuntimeError("a bug outside of REST")


urlpatterns = [*product_urls.urlpatterns, path("broken", Broken.as_view()), path("plain", broken)]
handler404, handler500 = product_urls.handler404, product_urls.handler500
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def client():
    return APIClient(raise_request_exception=False)


_LINE = settings.LOGGING["formatters"]["line"]
FORMATTERS = {
    "line": logging.Formatter(_LINE["format"], _LINE["datefmt"], _LINE["style"]),
    "json": JsonFormatter(),
}


@pytest.fixture(params=list(FORMATTERS))
def logged(request):
    """What SpotOn's own formatters have written so far, with every logger at its most talkative."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record):
            lines.append(self.format(record))

    keep = Keep(logging.DEBUG)
    keep.setFormatter(FORMATTERS[request.param])
    for log_filter in (RequestIdFilter(), ContextFilter()):
        keep.addFilter(log_filter)
    loggers = [logging.getLogger(name) for name in (None, "django", "django.request", "django.security")]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(keep)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    try:
        yield lambda: "\n".join(lines)
    finally:
        loggers[0].removeHandler(keep)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def assert_kept(logged, answer, *secrets: str) -> None:
    text = logged()
    answered = f"{answer.content.decode()} {dict(answer.headers)}"
    for secret in secrets:
        assert secret not in text
        assert secret not in answered


def test_a_wrong_password(client, ada, logged):
    answer = login(client, password=SECRET)
    assert answer.status_code == 401
    assert "Unauthorized: /api/v1/auth/login" in logged()
    assert_kept(logged, answer, SECRET)


def test_the_right_password(client, ada, logged):
    answer = login(client)
    assert answer.status_code == 200
    tokens = answer.json()["data"]
    for secret in (PASSWORD, tokens["access"], tokens["refresh"]):
        assert secret not in logged()
    assert PASSWORD not in answer.content.decode()


@pytest.mark.parametrize(
    "body",
    [
        f'{{"username": "ada", "password": "{SECRET}"',
        f'{{"username": "ada", "password": ["{SECRET}"]}}',
        f'{{"username": "ada", "password": "{SECRET * 100}"}}',
        f'{{"username": {{"password": "{SECRET}"}}}}',
        f'"{SECRET}"',
    ],
)
def test_a_password_in_a_body_that_is_wrong(client, ada, logged, body):
    answer = client.post("/api/v1/auth/login", body, content_type="application/json")
    assert answer.status_code in (400, 422)
    assert_kept(logged, answer, SECRET)


def test_too_many_attempts(client, ada, logged):
    answers = [login(client, password=SECRET) for _ in range(11)]
    assert answers[-1].status_code == 429
    assert_kept(logged, answers[-1], SECRET)


def test_bad_tokens(client, ada, tokens, logged):
    forged = tokens["access"][:-4] + "AAAA"
    for answer in (me(client, forged), refresh(client, forged), refresh(client, SECRET), me(client, SECRET)):
        assert answer.status_code == 401
        assert_kept(logged, answer, forged, SECRET)
    assert logged().count("Unauthorized") == 4


def test_a_used_refresh_token_shown_again(client, tokens, logged):
    used = tokens["refresh"]
    refresh(client, used)
    answer = refresh(client, used)
    assert answer.status_code == 401
    assert_kept(logged, answer, used)


@pytest.mark.parametrize("address", ["/broken", "/plain", "/nowhere"])
def test_errors_of_ours_and_addresses_that_are_none(client, tokens, logged, address):
    access = tokens["access"]
    query = f"?token={access}&sig={SIGNATURE}&password={SECRET}"
    answer = client.get(address + query, HTTP_AUTHORIZATION=f"Bearer {access}", HTTP_COOKIE=f"x={SECRET}")
    expected = ("Not Found", 404) if address == "/nowhere" else ("Internal Server Error", 500)
    assert answer.status_code == expected[1]
    assert f"{expected[0]}: {address}" in logged()
    assert ("Traceback" in logged()) == (expected[1] == 500)
    assert_kept(logged, answer, access, SIGNATURE, SECRET)


def test_an_error_of_ours_over_a_body(client, tokens, logged):
    answer = client.post("/broken", {"password": SECRET}, HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    assert answer.status_code == 500
    assert_kept(logged, answer, SECRET, tokens["access"])


def test_the_administration(ada, logged):
    answer = Client().post("/admin/login/", {"username": "ada", "password": SECRET})
    assert answer.status_code == 200
    assert_kept(logged, answer, SECRET)


def test_sql_that_is_logged_has_no_tokens(client, ada, logged):
    connection.force_debug_cursor = True
    try:
        data = login(client).json()["data"]
        rotated = refresh(client, data["refresh"]).json()["data"]
    finally:
        connection.force_debug_cursor = False
    assert "SELECT" in logged()
    for secret in (PASSWORD, data["access"], data["refresh"], rotated["access"], rotated["refresh"]):
        assert secret not in logged()
