"""It is said at start who can be used without signing in."""

from __future__ import annotations

import logging

import pytest

from spoton.compat import announcement

pytestmark = pytest.mark.django_db


def warnings(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_the_open_environments_are_named(yard, switched, caplog):
    switched("yard")
    announcement.announce()
    (said,) = warnings(caplog)
    assert "Anyone who reaches this server" in said
    assert said.endswith(": yard")


def test_names_of_what_there_is_not_are_told(yard, switched, caplog):
    switched("yard", "yrad")
    announcement.announce()
    assert warnings(caplog)[1] == "SPOTON_COMPAT_ENVIRONMENTS names what there is not (yet): yrad"


def test_while_it_is_off_nothing_is_said(yard, switched, caplog):
    switched()
    announcement.announce()
    assert announcement.announcement() is None
    assert warnings(caplog) == []


@pytest.mark.parametrize("named", ["", "campus,factory"])
def test_the_output_of_up_says_it(named, settings, capsys, monkeypatch):
    from rich.console import Console

    from spoton.management.commands.up import _Run

    names = tuple(filter(None, named.split(",")))
    settings.ENV = settings.ENV.model_copy(update={"compat_environments": names})

    class Services:
        database_url = redis_url = ""

    class Supervisor:
        def pids(self):
            return ["web"]

    run = _Run(Console(width=200), Services(), "127.0.0.1", 3847, demo=False, flower=False)
    run._show_table(Supervisor())
    shown = capsys.readouterr().out
    assert ("without signing in: campus, factory" in shown) == bool(named)
