"""Guessing of passwords: from one place, from everywhere for one name, from one place for many names."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connections
from django.test import Client
from django.urls import reverse
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from spoton.auth import guessing
from spoton.auth.errors import InvalidCredentialsError
from spoton.auth.guessing import MOST_PER_ADDRESS, MOST_PER_NAME, WINDOW_SECONDS, counted_guess
from spoton.auth.tests.test_auth_api import code_of, login, me, refresh

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_one_window(monkeypatch):
    """No test happens to run across the end of a window: 100 s of it are left."""
    monkeypatch.setattr(guessing.time, "time", lambda: 2_000_000 * WINDOW_SECONDS - 100.0)


def elsewhere(number: int) -> str:
    return f"10.0.{number // 250}.{number % 250}"


def guess_from_everywhere(client, username: str, times: int, first: int = 0) -> list:
    return [login(client, username, "wrong guess", REMOTE_ADDR=elsewhere(first + i)) for i in range(times)]


def test_guesses_from_everywhere_are_slowed_by_name(client, ada):
    answers = guess_from_everywhere(client, "ada", MOST_PER_NAME)
    assert {code_of(answer) for answer in answers} == {(401, "invalid_credentials")}
    # the right password too, else the answer would tell it
    refused = login(client, REMOTE_ADDR=elsewhere(900))
    assert code_of(refused) == (429, "throttled")
    assert refused["Retry-After"] == "100"
    assert refused.json()["error"]["details"] == {"retry_after_seconds": 100}
    # writing the name differently does not help
    for name in (" ada", "ADA "):
        assert login(client, name, REMOTE_ADDR=elsewhere(901)).status_code == 429
    assert code_of(login(client, "bob", REMOTE_ADDR=elsewhere(902))) == (401, "invalid_credentials")


def test_a_name_that_does_not_exist_is_answered_the_same(client, ada):
    told = []
    for number, name in enumerate(("ada", "nobody")):
        answers = guess_from_everywhere(client, name, MOST_PER_NAME + 2, first=100 * number)
        told.append([(code_of(a), a.json()["error"]["message"], a.get("Retry-After")) for a in answers])
    assert told[0] == told[1]


def test_an_inactive_user_is_answered_the_same(client, ada):
    ada.is_active = False
    ada.save()
    answers = [login(client, REMOTE_ADDR=elsewhere(i)) for i in range(MOST_PER_NAME + 1)]
    assert [a.status_code for a in answers] == [401] * MOST_PER_NAME + [429]


def test_guesses_for_many_names_are_slowed_by_address(client, ada):
    answers = [login(client, f"user{i}", "wrong guess") for i in range(MOST_PER_ADDRESS)]
    assert {a.status_code for a in answers} == {401}
    assert code_of(login(client)) == (429, "throttled")
    assert login(client, REMOTE_ADDR=elsewhere(1)).status_code == 200


def test_success_does_not_count(client, ada):
    for i in range(MOST_PER_NAME + 5):
        assert login(client, REMOTE_ADDR=elsewhere(i)).status_code == 200


def test_what_is_refused_does_not_count(client, ada):
    guess_from_everywhere(client, "ada", MOST_PER_NAME)
    for i in range(MOST_PER_ADDRESS + 5):
        with pytest.raises(guessing.Throttled), counted_guess(username="ada", address="10.9.9.9"):
            raise AssertionError(f"attempt {i} was let through")
    # the address that was refused so often may still sign others in
    with counted_guess(username="bob", address="10.9.9.9"):
        pass


def test_it_ends_with_the_window(client, ada, monkeypatch):
    guess_from_everywhere(client, "ada", MOST_PER_NAME + 1)
    monkeypatch.setattr(guessing.time, "time", lambda: 2_000_000 * WINDOW_SECONDS + 1.0)
    assert login(client, REMOTE_ADDR=elsewhere(900)).status_code == 200


def test_an_error_of_ours_is_no_failure():
    for _ in range(MOST_PER_NAME + 1):
        with pytest.raises(RuntimeError), counted_guess(username="ada", address="10.0.0.1"):
            raise RuntimeError


def test_many_at_once_do_not_pass_the_limit_together():
    def guess(number: int) -> bool:
        try:
            with counted_guess(username="ada", address=elsewhere(number)):
                raise InvalidCredentialsError
        except InvalidCredentialsError:
            return True
        except guessing.Throttled:
            return False
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        looked_at = sum(pool.map(guess, range(100)))
    assert looked_at == MOST_PER_NAME


def test_redis_learns_no_names(client, ada):
    login(client, "my secret typed into the wrong field", "wrong guess")
    client_of = cache._cache.get_client(None)
    keys = [key.decode() for key in client_of.keys("*")]
    assert not any("secret" in key for key in keys)
    counters = [key for key in keys if "guesses" in key]
    assert len(counters) == 2
    assert all(0 < client_of.ttl(key) <= 2 * WINDOW_SECONDS for key in counters)


def test_the_administration_counts_too(client, ada):
    url = reverse("admin:login")
    for i in range(MOST_PER_NAME):
        page = Client(REMOTE_ADDR=elsewhere(i)).post(url, {"username": "ada", "password": "wrong guess"})
        assert "Please enter the correct username and password" in page.content.decode()
    page = Client(REMOTE_ADDR=elsewhere(900)).post(url, {"username": "ada", "password": "wrong guess"})
    assert "Too many failures. Try again in 2 minutes." in page.content.decode()
    assert login(client, REMOTE_ADDR=elsewhere(901)).status_code == 429


# -- tokens --------------------------------------------------------------------------------------------------


def test_an_expired_access_token_is_refused(client, ada, monkeypatch):
    monkeypatch.setattr(AccessToken, "lifetime", timedelta(seconds=-1))
    data = login(client).json()["data"]
    assert data["expires_in"] == 0
    assert code_of(me(client, data["access"])) == (401, "authentication_failed")
    # the refresh token still works, and what it gives lives no longer
    assert me(client, refresh(client, data["refresh"]).json()["data"]["access"]).status_code == 401


def test_an_expired_refresh_token_is_refused(client, ada, monkeypatch):
    monkeypatch.setattr(RefreshToken, "lifetime", timedelta(seconds=-1))
    data = login(client).json()["data"]
    assert code_of(refresh(client, data["refresh"])) == (401, "token_not_valid")
    assert code_of(client.post("/api/v1/auth/logout", {"refresh": data["refresh"]})) == (
        401,
        "token_not_valid",
    )


def test_after_signing_out_nothing_can_be_replayed(client, ada, tokens):
    rotated = refresh(client, tokens["refresh"]).json()["data"]
    assert client.post("/api/v1/auth/logout", {"refresh": rotated["refresh"]}).status_code == 204
    for pair in (tokens, rotated):
        assert code_of(refresh(client, pair["refresh"])) == (401, "token_not_valid")
        assert code_of(me(client, pair["access"])) == (401, "authentication_failed")
