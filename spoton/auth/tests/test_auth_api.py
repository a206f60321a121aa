"""Signing in, refreshing, signing out, as clients see it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from environments.models import Environment
from environments.services import membership_set
from spoton.auth.tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def login(client, username="ada", password=PASSWORD, **extra):
    return client.post("/api/v1/auth/login", {"username": username, "password": password}, **extra)


def refresh(client, token):
    return client.post("/api/v1/auth/refresh", {"refresh": token})


def me(client, access):
    return client.get("/api/v1/auth/me", HTTP_AUTHORIZATION=f"Bearer {access}")


def code_of(answer):
    body = answer.json()
    assert body["success"] is False
    return answer.status_code, body["error"]["code"]


# -- in ------------------------------------------------------------------------------------------------------


def test_signing_in_gives_tokens_and_the_profile(client, ada):
    answer = login(client)
    data = answer.json()["data"]
    assert answer.status_code == 200
    assert data["token_type"] == "Bearer"
    assert 0 < data["expires_in"] < data["refresh_expires_in"]
    assert data["user"]["full_name"] == "Ada Keller"
    assert me(client, data["access"]).json()["data"] == data["user"]
    ada.refresh_from_db()
    assert ada.last_login is not None


def test_wrong_password_unknown_and_inactive_users_are_not_told_apart(client, ada):
    answers = [login(client, password="wrong"), login(client, username="nobody")]
    ada.is_active = False
    ada.save()
    answers.append(login(client))
    assert {code_of(answer) for answer in answers} == {(401, "invalid_credentials")}
    assert len({answer.json()["error"]["message"] for answer in answers}) == 1


def test_missing_fields_are_named(client, ada):
    answer = client.post("/api/v1/auth/login", {"username": "ada"})
    assert code_of(answer) == (422, "validation_error")
    assert list(answer.json()["error"]["details"]["fields"]) == ["password"]


@pytest.mark.parametrize("body", ["[1, 2]", "null", '"ada"', "{", "\x00"])
def test_bodies_that_are_no_objects_are_refused(client, ada, body):
    for path in ("login", "refresh", "logout"):
        answer = client.post(f"/api/v1/auth/{path}", body, content_type="application/json")
        assert answer.status_code in (400, 422), path
        assert answer.json()["success"] is False


def test_a_stale_token_in_the_header_does_not_prevent_signing_in(client, ada):
    assert login(client, HTTP_AUTHORIZATION="Bearer stale").status_code == 200


def test_tokens_are_not_kept_where_a_reader_of_the_database_could_use_them(tokens):
    assert set(OutstandingToken.objects.values_list("token", flat=True)) == {""}


# -- me ------------------------------------------------------------------------------------------------------


def test_me_lists_memberships_and_the_highest_role(client, ada, tokens):
    for slug, role in (("campus", "viewer"), ("factory", "operator"), ("closed", "admin")):
        environment = Environment.objects.create(slug=slug, name=slug.title(), is_active=slug != "closed")
        membership_set(user=ada, environment=environment, role=role)
    Environment.objects.create(slug="foreign", name="Foreign")
    data = me(client, tokens["access"]).json()["data"]
    assert data["role"] == "operator"
    assert data["memberships"] == [
        {"environment_id": "campus", "name": "Campus", "role": "viewer"},
        {"environment_id": "factory", "name": "Factory", "role": "operator"},
    ]


def test_superusers_are_admin_everywhere(client, ada, tokens):
    Environment.objects.create(slug="campus", name="Campus")
    ada.is_superuser = True
    ada.save()
    data = me(client, tokens["access"]).json()["data"]
    assert (data["role"], data["memberships"][0]["role"]) == ("admin", "admin")


def test_someone_without_memberships_has_no_role(client, tokens):
    data = me(client, tokens["access"]).json()["data"]
    assert (data["role"], data["memberships"]) == (None, [])


def test_only_good_access_tokens_count(client, ada, tokens):
    expired = AccessToken(tokens["access"])
    expired.set_exp(lifetime=-timedelta(minutes=1))
    of_no_session = AccessToken.for_user(ada)
    for token in (
        "nonsense",
        "a.b.c",
        tokens["refresh"],
        str(expired),
        str(of_no_session),
        tokens["access"][:-2],
    ):
        answer = me(client, token)
        assert code_of(answer) == (401, "authentication_failed")
        assert answer["WWW-Authenticate"].startswith("Bearer")
        assert token not in answer.content.decode()
    assert code_of(client.get("/api/v1/auth/me")) == (401, "not_authenticated")


def test_a_deactivated_user_is_out_at_once(client, ada, tokens):
    ada.is_active = False
    ada.save()
    assert me(client, tokens["access"]).status_code == 401
    assert code_of(refresh(client, tokens["refresh"])) == (401, "token_not_valid")


# -- staying in ----------------------------------------------------------------------------------------------


def test_refreshing_gives_a_new_pair(client, tokens):
    first = refresh(client, tokens["refresh"]).json()["data"]
    second = refresh(client, first["refresh"]).json()["data"]
    assert len({tokens["refresh"], first["refresh"], second["refresh"]}) == 3
    for pair in (tokens, first, second):
        assert me(client, pair["access"]).status_code == 200


def test_a_used_refresh_token_is_refused_but_a_second_tab_survives(client, tokens):
    new = refresh(client, tokens["refresh"]).json()["data"]
    assert code_of(refresh(client, tokens["refresh"])) == (401, "token_not_valid")
    # just now: a lost answer or another tab; the rightful owner goes on
    assert refresh(client, new["refresh"]).status_code == 200


def test_a_used_refresh_token_shown_later_ends_the_session(client, tokens):
    new = refresh(client, tokens["refresh"]).json()["data"]
    BlacklistedToken.objects.update(blacklisted_at=timezone.now() - timedelta(minutes=2))
    assert code_of(refresh(client, tokens["refresh"])) == (401, "token_not_valid")
    assert code_of(refresh(client, new["refresh"])) == (401, "token_not_valid")
    assert me(client, new["access"]).status_code == 401


def test_only_good_refresh_tokens_count(client, ada, tokens):
    expired = RefreshToken(tokens["refresh"])
    expired.set_exp(lifetime=-timedelta(minutes=1))
    of_no_session = RefreshToken.for_user(ada)
    for token in ("nonsense", tokens["access"], str(expired), str(of_no_session)):
        assert code_of(refresh(client, token)) == (401, "token_not_valid")


# -- out -----------------------------------------------------------------------------------------------------


def test_signing_out_ends_all_tokens_of_the_session(client, tokens):
    new = refresh(client, tokens["refresh"]).json()["data"]
    answer = client.post("/api/v1/auth/logout", {"refresh": new["refresh"]})
    assert (answer.status_code, answer.content) == (204, b"")
    for access in (tokens["access"], new["access"]):
        assert code_of(me(client, access)) == (401, "authentication_failed")
    assert code_of(refresh(client, new["refresh"])) == (401, "token_not_valid")


def test_signing_out_twice_is_fine_and_other_sessions_stay(client, tokens):
    elsewhere = login(client).json()["data"]
    for _ in range(2):
        assert client.post("/api/v1/auth/logout", {"refresh": tokens["refresh"]}).status_code == 204
    assert me(client, elsewhere["access"]).status_code == 200


def test_signing_out_needs_a_genuine_token(client, tokens):
    answer = client.post("/api/v1/auth/logout", {"refresh": tokens["access"]})
    assert code_of(answer) == (401, "token_not_valid")
    assert me(client, tokens["access"]).status_code == 200


# -- guessing ------------------------------------------------------------------------------------------------


def test_guessing_is_slowed_down_per_user_and_address(client, ada):
    for _ in range(10):
        assert login(client, password="guess").status_code == 401
    answer = login(client)
    assert code_of(answer) == (429, "throttled")
    assert 0 < int(answer["Retry-After"]) <= 60
    # writing the name differently does not help, other people and other places are not locked out
    assert login(client, username="ADA").status_code == 429
    assert login(client, username="bob").status_code == 401
    assert login(client, REMOTE_ADDR="10.1.2.3").status_code == 200


def test_an_invented_forwarding_header_does_not_get_around_it(client, ada):
    answers = [login(client, password="guess", HTTP_X_FORWARDED_FOR=f"10.0.0.{i}") for i in range(11)]
    assert answers[-1].status_code == 429
