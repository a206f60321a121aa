"""Which other sites may call: those of SPOTON_CORS_ORIGINS, and no others."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from spoton.tests.authorisation_table import HTTP, Least
from spoton.tests.routes import arguments_of, filled

OURS, OTHER = "https://console.example", "https://evil.example"


@pytest.fixture(autouse=True)
def _configured(settings):
    settings.CORS_ALLOWED_ORIGINS = [OURS]


def preflight(path: str, origin: str, method: str = "POST"):
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return APIClient().options(path, headers=headers)


def test_a_configured_site_may_call_every_route():
    """Without a token, which browsers do not send yet, and without a redirect, which they would not follow."""
    for route in (r for r, entry in HTTP.items() if "api/v1/" in r and entry.least != Least.WEB_CLIENT):
        method, _, path = route.partition(" ")
        some_id = "0d9f3b1c-98a1-4a51-8b0b-6c2d1d0b7c55"
        answer = preflight(filled(path, dict.fromkeys(arguments_of(path), some_id)), OURS, method)
        assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (200, OURS), route
        assert "authorization" in answer["Access-Control-Allow-Headers"]
        assert method in answer["Access-Control-Allow-Methods"]
        assert "origin" in answer["Vary"]


@pytest.mark.parametrize("origin", [OTHER, "null", f"{OURS}.evil.example", "http://console.example"])
def test_other_sites_are_not_let_in(origin):
    for answer in (
        preflight("/api/v1/auth/login", origin),
        APIClient().get("/health/live", headers={"Origin": origin}),
    ):
        assert "Access-Control-Allow-Origin" not in answer


def test_answers_name_the_site_and_no_cookies_are_shared():
    answer = APIClient().get("/health/live", headers={"Origin": OURS})
    assert answer["Access-Control-Allow-Origin"] == OURS
    assert "Access-Control-Allow-Credentials" not in answer


def test_without_configuration_there_is_no_other_site(settings):
    settings.CORS_ALLOWED_ORIGINS = []
    assert "Access-Control-Allow-Origin" not in preflight("/api/v1/auth/login", OURS)
