"""How sockets learn who opens them, with a real consumer behind the middleware."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.testing import WebsocketCommunicator
from django.db import connections
from rest_framework_simplejwt.tokens import AccessToken

from spoton.auth.sessions import session_begin, session_end
from spoton.auth.sockets import TokenAuthMiddleware
from spoton.auth.tests.conftest import PASSWORD

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
