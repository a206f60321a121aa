"""Who may do what, over every route that there is: the table is compared with the URL configuration, then tried.

Anonymous callers are asked to sign in (401), who is no member learns nothing (404, as if there were nothing), lesser
roles are told which one is needed (403), and everybody else is served.
"""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connections
from django.test import Client
from rest_framework.test import APIClient

from spoton.asgi import application
from spoton.tests.authorisation_table import HTTP, SOCKETS, Entry, Least, ask, told
from spoton.tests.authorisation_world import CALLERS, FAST_HASHES, SLUG, World, build_world
from spoton.tests.conftest import undone
from spoton.tests.routes import (
    admin_routes,
    arguments_of,
    filled,
    http_routes,
    methods_of,
    mismatches,
    socket_routes,
)
from tracking.tests.socket_client import PATIENCE_S

# who is served; of callers that are not named here, CALLERS tells who is told what
SERVED = {
    Least.PUBLIC: CALLERS,
    Least.SIGNED_IN: CALLERS[1:],
    Least.VIEWER: ("viewer", "operator", "admin", "superuser"),
    Least.OPERATOR: ("operator", "admin", "superuser"),
    Least.ADMIN: ("admin", "superuser"),
    Least.OPERATOR_SOMEWHERE: ("stranger", "operator", "admin", "superuser"),
    Least.ADMIN_SOMEWHERE: ("stranger", "admin", "superuser"),
    Least.ADMIN_EVERYWHERE: ("superuser",),
    Least.INTERNAL: ("superuser",),
}
# bound to one environment
BOUND = (Least.VIEWER, Least.OPERATOR, Least.ADMIN)


def refusal(least: Least, caller: str) -> int | None:
    """The status with which a caller is refused; None: they are served."""
    if caller in SERVED[least]:
        return None
    if caller == "anonymous" or least == Least.INTERNAL:
        return 401
    return 404 if caller == "stranger" and least in BOUND else 403


def leaks(world: World, answer: Any, entry: Entry) -> list[str]:
    """What an answer tells of the world that the request did not say."""
    asked = f"{answer.wsgi_request.get_full_path()} {entry.body(world) if entry.body else ''}"
    return [secret for secret in world.secrets() if secret not in asked and secret in told(answer)]


# -- the table is whole --------------------------------------------------------------------------------------


def test_every_route_has_an_entry_and_every_entry_a_route():
    problems = mismatches(http_routes(), HTTP, "authorisation_table.HTTP")
    problems += mismatches(socket_routes(), SOCKETS, "authorisation_table.SOCKETS")
    assert not problems, "\n".join(problems)


def test_a_forgotten_entry_is_noticed():
    forgotten, stale = http_routes()[3], "GET api/v1/nothing"
    table = [route for route in http_routes() if route != forgotten] + [stale]
    missing, too_much = mismatches(http_routes(), table, "the table")
    assert repr(forgotten) in missing
    assert "add who may use it" in missing
    assert repr(stale) in too_much


def test_a_view_that_does_not_say_its_methods_is_noticed():
    with pytest.raises(AssertionError, match="read_only"):
        methods_of(lambda request: None)


def test_every_part_of_a_path_has_an_example(world):
    for route in (*HTTP, *SOCKETS):
        unknown = set(arguments_of(route)) - set(world.arguments("viewer"))
        assert not unknown, f"{route}: add {', '.join(unknown)} to authorisation_world.World"


# -- over HTTP -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("caller", CALLERS)
def test_who_may_do_what(world, caller):
    wrong = []
    for route, entry in HTTP.items():
        if entry.least not in SERVED:
            continue
        with undone():
            answer = ask(world, caller, route, entry)
        status, said = refusal(entry.least, caller), f"{route}: {answer.status_code} {told(answer)[:300]}"
        if status is None:
            if answer.status_code >= 500 or answer.status_code in (401, 403, 404):
                wrong.append(f"{said} to who may use it")
        elif answer.status_code != status or answer.json()["success"]:
            wrong.append(f"{said} instead of {status}")
        if caller in ("anonymous", "stranger"):
            wrong += [f"{route} tells {secret}" for secret in leaks(world, answer, entry)]
    assert not wrong, f"as {caller}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("caller", ["stranger", "anonymous"])
def test_what_one_may_not_see_is_answered_like_what_does_not_exist(world, caller):
    for route, entry in HTTP.items():
        if entry.least in BOUND:
            hidden = ask(world, caller, route, entry)
            missing = ask(world, caller, route, entry, about=world.elsewhere())
            assert (hidden.status_code, hidden.json()["error"]) == (
                missing.status_code,
                missing.json()["error"],
            ), route


@pytest.fixture
def web_client_in(settings):
    """Lets the earlier web client into these environments."""

    def let(*slugs: str) -> None:
        cache.delete(f"compat-memberships:{','.join(slugs)}")
        settings.ENV = settings.ENV.model_copy(update={"compat_environments": slugs})

    return let


def test_the_earlier_web_client_sees_what_is_named_and_nothing_else(world, web_client_in):
    """It signs nobody in, so who asks changes nothing; while it is off there is nothing at all."""
    routes = {route: entry for route, entry in HTTP.items() if entry.least == Least.WEB_CLIENT}
    for route, entry in routes.items():
        for caller in CALLERS:
            assert ask(world, caller, route, entry).status_code == 404, route
    web_client_in("other")
    for route, entry in routes.items():
        bound = entry.query or entry.body or arguments_of(route)
        for caller in CALLERS:
            answer = ask(world, caller, route, entry)
            assert answer.status_code == (404 if bound else 200), f"{route}: {told(answer)}"
            assert not leaks(world, answer, entry), route
    for route, entry in routes.items():
        web_client_in(SLUG)
        with undone():
            answer = ask(world, "anonymous", route, entry)
        assert answer.status_code < 500, f"{route}: {told(answer)}"
        assert answer.status_code not in (401, 403, 404), f"{route}: {told(answer)}"


def test_metrics_are_for_prometheus_with_its_token(world, settings):
    """No person's role but superuser reads figures of all environments; a scraper has a token of its own."""
    token = "a-token-for-the-scraper-of-figures"

    def status(authorization: str) -> int:
        return APIClient().get("/metrics", headers={"Authorization": authorization}).status_code

    assert status(f"Bearer {token}") == 401
    settings.ENV = settings.ENV.model_copy(update={"metrics_token": token})
    assert status(f"Bearer {token}") == 200
    assert status(f"Basic {token}") == status(f"Bearer {token[:-1]}") == status("Bearer ") == 401
    assert status(f"Bearer {world.tokens['superuser']}") == 200


# -- the administration --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("caller", ["anonymous", "admin"])
def test_the_administration_is_for_staff(world, caller, method):
    """Of everybody else it asks to sign in as such, whatever the address; being Admin of an environment is not it."""
    client = Client(raise_request_exception=False)
    if caller != "anonymous":
        client.force_login(get_user_model().objects.get(username=caller))
    routes = admin_routes()
    assert len(routes) > 50
    for route in routes:
        if route in ("/admin/login/", "/admin/logout/"):
            continue
        answer = getattr(client, method)(route)
        assert answer.status_code == 302, f"{route}: {answer.status_code}"
        assert answer["Location"].startswith("/admin/login/"), route


# -- sockets -------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
async def test_who_may_open_a_socket(settings, tmp_path):
    """As over HTTP, in close codes: 4401, 4404, 4403; or the first message, and the socket stays open."""
    settings.MEDIA_ROOT = tmp_path
    settings.PASSWORD_HASHERS = FAST_HASHES
    world = await sync_to_async(build_world)()
    wrong = []
    for route, least in SOCKETS.items():
        for caller in CALLERS:
            status = refusal(least, caller)
            due = "stays open" if status is None else f"error, then {4000 + status}"
            path = filled(route, world.arguments(caller))
            if (happened := await _opened(path, world.tokens.get(caller))) != due:
                wrong.append(f"{path} as {caller}: {happened} instead of {due}")
    await sync_to_async(connections.close_all)()
    assert not wrong, "\n".join(wrong)


async def _opened(path: str, token: str | None) -> str:
    """What a socket does at first, in words."""
    subprotocols = ["bearer", token] if token else []
    headers = [(b"sec-websocket-protocol", ", ".join(subprotocols).encode())] if token else []
    socket = WebsocketCommunicator(application, path, headers, subprotocols)
    try:
        assert (await socket.connect(timeout=PATIENCE_S))[0]
        first = await socket.receive_json_from(timeout=PATIENCE_S)
        if first["type"] != "error":
            return "stays open"
        closed = await socket.receive_output(timeout=PATIENCE_S)
        return f"error, then {closed.get('code')}"
    finally:
        await socket.disconnect()
