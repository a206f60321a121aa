"""The page itself: what it may load, and that all it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

STATIC = Path(__file__).resolve().parents[1] / "static" / "console"


@pytest.fixture
def response(client: Client):
    return client.get("/")


def test_the_page_allows_nothing_but_our_own_files(response) -> None:
    policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))

    assert response.status_code == 200
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["img-src"] == "'self' blob: data:"
    assert policy["connect-src"] == "'self' ws: wss:"
    assert policy["frame-ancestors"] == "'none'"


def test_pictures_may_come_from_the_bucket(client: Client, picture_storage, settings) -> None:
    allowed = re.search(r"img-src ([^;]*);", client.get("/")["Content-Security-Policy"])[1]

    assert allowed.split()[3:] == ([settings.ENV.s3_endpoint] if picture_storage == "s3" else [])


def test_the_page_has_nothing_inline(response) -> None:
    html = response.content.decode()

    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", html)


def test_every_file_the_page_names_exists(response) -> None:
    names = re.findall(r'"/static/([^"]+)"', response.content.decode())

    assert len(names) >= 8
    assert [name for name in names if finders.find(name) is None] == []


def test_every_module_that_is_imported_exists() -> None:
    imports = [
        (path, name)
        for path in STATIC.rglob("*.js")
        for name in re.findall(r'from "\./([^"]+)"', path.read_text("utf-8"))
    ]

    assert len(imports) > 30
    assert [pair for pair in imports if not (pair[0].parent / pair[1]).is_file()] == []


def test_every_icon_that_is_used_is_drawn(response) -> None:
    drawn = set(re.findall(r'<symbol id="i-([a-z]+)"', response.content.decode()))
    used = {
        name
        for path in STATIC.glob("*.js")
        for name in re.findall(r'icon\("([a-z]+)"', path.read_text("utf-8"))
    }

    assert used - drawn == set()


def test_pages_without_an_icon_of_their_own_have_ours(client: Client) -> None:
    answer = client.get("/favicon.ico")

    assert answer.status_code == 302
    assert finders.find(answer["Location"].removeprefix("/static/"))
