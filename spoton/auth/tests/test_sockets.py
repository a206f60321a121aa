"""How sockets learn who opens them, with a real consumer behind the middleware."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.db import connections
from rest_framework_simplejwt.tokens import AccessToken

from environments.models import Role
from environments.redis import redis_client
from environments.services import membership_set
from spoton.auth.authentication import user_of_access_token
from spoton.auth.sessions import session_begin, session_continue, session_end, sessions_end_all
from spoton.auth.sockets import TokenAuthMiddleware
from spoton.auth.tests.conftest import PASSWORD
from tracking.commit import commit_ready_batches
from tracking.routing import websocket_urlpatterns
from tracking.services import task_start
from tracking.sockets import base
from tracking.tests import factories
from tracking.tests.socket_client import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)


class WhoAmI(AsyncJsonWebsocketConsumer):
    """Tells what the middleware made of the connection."""

    async def connect(self) -> None:
        await self.accept(self.scope["accepted_subprotocol"])
        await self.send_json(
            {
                "user": self.scope["user"].get_username(),
                "query": self.scope["query_string"].decode(),
                "seen": repr([self.scope["headers"], self.scope["subprotocols"], self.scope["query_string"]]),
            }
        )


async def connect(path="/ws", subprotocols=None):
    header = [(b"sec-websocket-protocol", ", ".join(subprotocols or []).encode())]
    socket = WebsocketCommunicator(TokenAuthMiddleware(WhoAmI.as_asgi()), path, header, subprotocols)
    connected, subprotocol = await socket.connect()
    assert connected
    answer = await socket.receive_json_from()
    await socket.disconnect()
    return answer, subprotocol


@pytest.fixture(autouse=True)
async def _close_connections():
    """The thread that answers the middleware would keep the test database busy."""
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
def pair(ada):
    return session_begin(request=None, username="ada", password=PASSWORD)[1]


async def test_token_as_subprotocol(pair):
    answer, subprotocol = await connect(subprotocols=["bearer", pair.access])
    assert (answer["user"], subprotocol) == ("ada", "bearer")
    assert pair.access not in answer["seen"]


async def test_token_in_the_query(pair):
    answer, subprotocol = await connect(f"/ws?since=5&token={pair.access}")
    assert (answer["user"], subprotocol) == ("ada", None)
    assert answer["query"] == "since=5"
    assert pair.access not in answer["seen"]


@pytest.mark.parametrize(
    ("path", "subprotocols"),
    [
        ("/ws", None),
        ("/ws?token=", None),
        ("/ws?token=nonsense", None),
        ("/ws?token=%ff%fe", None),
        ("/ws", ["bearer"]),
        ("/ws", ["bearer", "nonsense"]),
    ],
)
async def test_without_a_good_token_nobody_is_there(db, path, subprotocols):
    answer, _ = await connect(path, subprotocols)
    assert answer["user"] == ""


async def test_expired_and_refresh_tokens_do_not_open_sockets(pair):
    expired = AccessToken(pair.access)
    expired.set_exp(lifetime=-timedelta(seconds=1))
    for token in (str(expired), pair.refresh):
        answer, _ = await connect(subprotocols=["bearer", token])
        assert answer["user"] == ""


async def test_an_ended_session_does_not_open_sockets(pair):
    await sync_to_async(session_end)(refresh_token=pair.refresh)
    answer, _ = await connect(subprotocols=["bearer", pair.access])
    assert answer["user"] == ""


async def sign_out(user, pair):
    await sync_to_async(session_end)(refresh_token=pair.refresh)


async def sign_out_everywhere(user, pair):
    await sync_to_async(sessions_end_all)(user=user)


async def change_password(user, pair):
    user.set_password("another horse battery")
    await user.asave()


async def outlive_the_token(user, pair):
    """Not an end: sockets stay open for longer than access tokens live."""
    await sync_to_async(session_continue)(refresh_token=pair.refresh)


@pytest.mark.parametrize("end", [sign_out, sign_out_everywhere, change_password, outlive_the_token])
async def test_who_signs_out_hears_no_more(ada, monkeypatch, end):
    monkeypatch.setattr(base, "RECHECK_EVERY_S", 0.0)
    task = await sync_to_async(a_task)(ada)
    monkeypatch.setattr(AccessToken, "lifetime", timedelta(seconds=2))
    pair = await sync_to_async(lambda: session_begin(request=None, username="ada", password=PASSWORD)[1])()
    socket = WebsocketCommunicator(
        TokenAuthMiddleware(URLRouter(websocket_urlpatterns)),
        f"/ws/tracking/{task.pk}",
        subprotocols=["bearer", pair.access],
    )
    assert (await socket.connect(timeout=PATIENCE_S))[0]
    assert (await socket.receive_json_from(timeout=PATIENCE_S))["type"] == "task_status"
    await end(ada, pair)
    if end is outlive_the_token:
        await asyncio.sleep(2.1)
        assert await sync_to_async(user_of_access_token)(pair.access) is None
    await sync_to_async(commit_first_batch)(task)
    answer = await socket.receive_json_from(timeout=PATIENCE_S)
    if end is outlive_the_token:
        assert answer["type"] == "tracking_update"
    else:
        assert (answer["type"], answer["error"]["code"]) == ("error", "not_authenticated")
        assert (await socket.receive_output(timeout=PATIENCE_S))["code"] == 4401
    await socket.disconnect()


def a_task(user):
    redis_client().flushall()
    environment = factories.yard()
    for camera in environment.cameras.all():
        factories.record(camera)
    membership_set(user=user, environment=environment, role=Role.OPERATOR)
    return factories.prepared(task_start(user=user, environment=environment, pacing="max"))


def commit_first_batch(task):
    factories.perceived(task, 0)
    assert commit_ready_batches(task_id=str(task.pk), associate=factories.walk) == 1
