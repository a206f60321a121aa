"""`create_user`, `set_role`, `remove_member`, `list_members`: what they do, and what they say when they cannot."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command

from environments.models import Membership

pytestmark = pytest.mark.django_db
User = get_user_model()


@pytest.fixture(autouse=True)
def _cheap_hashes(settings):
    # real hashing is slow on purpose; one round tests the same
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def password_file(tmp_path):
    path = tmp_path / "password"
    path.write_text("correct horse battery\nnot this line\n")
    return path


# -- create_user ---------------------------------------------------------------------------------------------


def test_a_user_with_roles_from_a_password_file(yard, password_file, capsys):
    call_command(
        "create_user", "ada", email="ada@example.org", password_file=password_file, member=["yard:operator"]
    )
    ada = authenticate(username="ada", password="correct horse battery")
    assert (ada.email, ada.is_superuser, ada.is_staff) == ("ada@example.org", False, False)
    assert Membership.objects.get(user=ada).role == "operator"
    out = capsys.readouterr().out
    assert "ada is created: Operator of Yard." in out
    assert "correct horse" not in out


def test_a_generated_password_is_printed_once_and_works(yard, capsys):
    call_command("create_user", "root", superuser=True, generate_password=True)
    out = capsys.readouterr().out
    assert "root is created: Admin everywhere." in out
    (password,) = re.findall(r"not shown again\): (\S+)", out)
    root = authenticate(username="root", password=password)
    assert (root.is_superuser, root.is_staff) == (True, True)
    call_command("create_user", "other", generate_password=True)
    assert password not in capsys.readouterr().out


def test_a_password_is_asked_for_twice(db, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    answers = iter(["correct horse battery", "correct horse batery", *["correct horse battery"] * 2])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    with pytest.raises(CommandError, match="differ; nothing was created"):
        call_command("create_user", "ada")
    assert not User.objects.exists()
    call_command("create_user", "ada")
    assert authenticate(username="ada", password="correct horse battery")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"member": ["yard"]}, "must be ENVIRONMENT:ROLE with a role of admin, operator, viewer"),
        ({"member": ["yard:boss"]}, "must be ENVIRONMENT:ROLE"),
        ({"member": ["yard:viewer", "yrad:viewer"]}, "no environment 'yrad'; there are: yard"),
        ({"password_file": "nowhere"}, "The password file cannot be read"),
        ({}, "no terminal to ask"),
    ],
)
def test_nobody_is_created_by_mistake(yard, tmp_path, options, says):
    if "password_file" in options:
        options = {"password_file": tmp_path / options["password_file"]}
    elif options:
        options = {**options, "generate_password": True}
    with pytest.raises(CommandError, match=says):
        call_command("create_user", "ada", **options)
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("username", "content", "says"),
    [
        ("ada", "short", "too short"),
        ("ada", "password123", "too common"),
        ("ada", "", "is empty"),
        ("a b", "correct horse battery", "Enter a valid username"),
        ("", "correct horse battery", "cannot be blank"),
        ("sam", "correct horse battery", "already exists"),
    ],
)
def test_names_and_passwords_are_checked(stranger, tmp_path, username, content, says):
    path = tmp_path / "password"
    path.write_text(content)
    with pytest.raises(CommandError, match=says):
        call_command("create_user", username, password_file=path)
    assert User.objects.count() == 1


# -- roles ---------------------------------------------------------------------------------------------------


def test_a_role_is_changed(yard, viewer, capsys):
    call_command("set_role", "vera", "yard", "admin")
    assert Membership.objects.get(user=viewer).role == "admin"
    assert "vera is now Admin of Yard." in capsys.readouterr().out


def test_a_member_is_removed_the_user_stays(yard, viewer, capsys):
    call_command("remove_member", "vera", "yard")
    assert not Membership.objects.filter(user=viewer).exists()
    assert User.objects.filter(username="vera").exists()
    assert "vera is no member of Yard any more." in capsys.readouterr().out


@pytest.mark.parametrize("command", [("set_role", "viewer"), ("remove_member",)])
def test_who_is_no_member_is_said(yard, stranger, command):
    name, *role = command
    with pytest.raises(CommandError, match="sam is no member of Yard"):
        call_command(name, "sam", "yard", *role)
    with pytest.raises(CommandError, match="There is no user 'ghost'"):
        call_command(name, "ghost", "yard", *role)
    with pytest.raises(CommandError, match="there are: yard"):
        call_command(name, "sam", "yrad", *role)
    assert not Membership.objects.exists()


# -- list_members --------------------------------------------------------------------------------------------


def test_members_as_json(yard, operator, viewer, superuser, stranger, capsys):
    operator.last_login = datetime(2026, 1, 5, 9, tzinfo=UTC)
    operator.is_active = False
    operator.save()
    call_command("list_members", json=True)
    rows = json.loads(capsys.readouterr().out)
    assert [(r["environment"], r["username"], r["role"], r["is_active"]) for r in rows] == [
        (None, "root", "admin", True),
        ("yard", "oona", "operator", False),
        ("yard", "vera", "viewer", True),
    ]
    assert rows[1]["last_login"] == "2026-01-05T09:00:00.000Z"


def test_members_as_a_table(yard, operator, superuser, capsys):
    operator.first_name = "[bold]O[/bold]"
    operator.save()
    call_command("list_members", "yard")
    out = capsys.readouterr().out
    assert re.search(r"\(all\) .*root .*Admin .*yes .*never", out)
    assert re.search(r"yard .*oona .*\[bold\]O\[/bold\] .*Operator", out)
    with pytest.raises(CommandError, match="there are: yard"):
        call_command("list_members", "yrad")
