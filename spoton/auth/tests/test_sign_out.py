"""Sessions end when somebody says so, when a user is locked out, and when a password changes; by any way."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from spoton.auth.authentication import user_of_access_token
from spoton.auth.sessions import session_begin, sessions_end_all
from spoton.auth.tests.conftest import PASSWORD
from spoton.auth.tests.test_auth_api import code_of, login, me, refresh

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(db) -> Client:
    root = get_user_model().objects.create_superuser("root", password=PASSWORD)
    client = Client()
    client.force_login(root)
    return client


def is_out(client, tokens) -> bool:
    """The whole of the session: access, refresh, sockets."""
    answers = [me(client, tokens["access"]).status_code, refresh(client, tokens["refresh"]).status_code]
    socket = user_of_access_token(tokens["access"])
    assert set(answers) in ({200}, {401})
    assert (socket is None) == (answers[0] == 401)
    return answers[0] == 401


def test_all_sessions_of_one_user_end_and_no_others(client, ada, tokens):
    elsewhere = login(client).json()["data"]
    bob = get_user_model().objects.create_user("bob", password=PASSWORD)
    other = vars(session_begin(request=None, username=bob.username, password=PASSWORD)[1])
    sessions_end_all(user=ada)
    sessions_end_all(user=ada)
    assert is_out(client, tokens)
    assert is_out(client, elsewhere)
    assert not is_out(client, other)
    assert not is_out(client, login(client).json()["data"])


def test_the_administration_is_left_too(ada, admin):
    ada.is_staff = True
    ada.save()
    browser = Client()
    browser.force_login(ada)
    index = reverse("admin:index")
    assert browser.get(index).status_code == 200
    sessions_end_all(user=ada)
    assert browser.get(index).status_code == 302
    assert admin.get(index).status_code == 200


def test_the_command(client, tokens, capsys):
    call_command("end_sessions", "ada")
    assert "ada is signed out everywhere." in capsys.readouterr().out
    assert is_out(client, tokens)
    with pytest.raises(CommandError, match="There is no user 'ghost'"):
        call_command("end_sessions", "ghost")


def test_a_new_password_ends_sessions_however_it_is_set(client, ada, tokens):
    ada.set_password("another horse battery")
    ada.save()
    assert code_of(me(client, tokens["access"])) == (401, "authentication_failed")
    assert code_of(refresh(client, tokens["refresh"])) == (401, "token_not_valid")
    assert user_of_access_token(tokens["access"]) is None
    assert not is_out(client, login(client, password="another horse battery").json()["data"])


def test_a_session_outlives_many_refreshes_with_its_password(client, ada, tokens):
    for _ in range(3):
        tokens = refresh(client, tokens["refresh"]).json()["data"]
    ada.set_password("another horse battery")
    ada.save()
    assert is_out(client, tokens)


# -- the administration --------------------------------------------------------------------------------------


def change(admin: Client, user, **fields) -> None:
    """Send the user's page back with other values."""
    url = reverse("admin:auth_user_change", args=[user.pk])
    page = admin.get(url)
    formsets = page.context["inline_admin_formsets"]
    shown = [
        *page.context["adminform"].form,
        *(field for f in formsets for field in f.formset.management_form),
    ]
    data = {field.html_name: field.value() for field in shown} | fields
    moment = user.date_joined
    data |= {"date_joined_0": f"{moment:%Y-%m-%d}", "date_joined_1": f"{moment:%H:%M:%S}"}
    data = {name: value for name, value in data.items() if value is not None and value is not False}
    answer = admin.post(url, data)
    assert answer.status_code == 302, answer.context["adminform"].form.errors


def test_a_change_of_the_name_ends_nothing(client, admin, ada, tokens):
    change(admin, ada, first_name="Adele")
    ada.refresh_from_db()
    assert ada.first_name == "Adele"
    assert not is_out(client, tokens)


def test_who_is_deactivated_and_activated_again_must_sign_in_again(client, admin, ada, tokens):
    change(admin, ada, is_active=None)
    assert is_out(client, tokens)
    assert code_of(login(client)) == (401, "invalid_credentials")
    change(admin, ada, is_active="on")
    assert is_out(client, tokens)
    assert login(client).status_code == 200


def test_a_password_set_by_an_administrator_ends_sessions(client, admin, ada, tokens):
    url = reverse("admin:auth_user_password_change", args=[ada.pk])
    new = "another horse battery"
    answer = admin.post(url, {"usable_password": "true", "password1": new, "password2": new})
    assert answer.status_code == 302
    assert is_out(client, tokens)
    assert login(client, password=new).status_code == 200


def test_sign_out_everywhere_as_an_action(client, admin, ada, tokens):
    url = reverse("admin:auth_user_changelist")
    answer = admin.post(url, {"action": "sign_out_everywhere", "_selected_action": [ada.pk]}, follow=True)
    assert "Signed out everywhere: ada." in answer.content.decode()
    assert is_out(client, tokens)
    history = admin.get(reverse("admin:auth_user_history", args=[ada.pk])).content.decode()
    assert "Signed out everywhere." in history
