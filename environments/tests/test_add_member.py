"""`manage.py add_member`."""

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from environments.models import Membership

pytestmark = pytest.mark.django_db


def test_it_gives_and_changes_a_role(yard, stranger, capsys):
    call_command("add_member", "sam", "yard", "viewer")
    call_command("add_member", "sam", "yard", "operator")
    assert Membership.objects.get(user=stranger).role == "operator"
    assert "sam is now Operator of Yard." in capsys.readouterr().out


def test_it_creates_nobody(yard):
    with pytest.raises(CommandError, match="There is no user 'ghost'"):
        call_command("add_member", "ghost", "yard", "viewer")
    assert not get_user_model().objects.exists()


def test_it_lists_the_environments_there_are(yard, stranger):
    with pytest.raises(CommandError, match="there are: yard"):
        call_command("add_member", "sam", "yrad", "viewer")
