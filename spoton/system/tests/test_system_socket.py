"""`/ws/system`: for operators; cameras of their own environments only."""

from __future__ import annotations

import pytest
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator

from spoton.routing import websocket_urlpatterns
from spoton.system.sockets import SystemSocket
from tracking.tests.socket_client import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)


async def opened(user):
    communicator = WebsocketCommunicator(URLRouter(websocket_urlpatterns), "/ws/system")
    communicator.scope["user"] = user
    assert (await communicator.connect(timeout=PATIENCE_S))[0]
    return communicator


async def test_the_state_at_once_and_again(yard, operator, monkeypatch):
    monkeypatch.setattr(SystemSocket, "least_s", 0.05)
    monkeypatch.setattr(SystemSocket, "most_s", 0.05)
    watching = await opened(operator)
    for seq in (1, 2, 3):
        update = await watching.receive_json_from(timeout=PATIENCE_S)
        assert (update["type"], update["seq"]) == ("system_update", seq)
    payload = update["payload"]
    assert payload["components"]["database"]["status"] == "healthy"
    assert {c["camera_id"] for c in payload["cameras"]} == {"c01", "c02"}
    await watching.disconnect()


async def test_viewers_are_refused(yard, viewer):
    watching = await opened(viewer)
    assert (await watching.receive_json_from(timeout=PATIENCE_S))["error"]["code"] == "permission_denied"
    assert await watching.receive_output(timeout=PATIENCE_S) == {"type": "websocket.close", "code": 4403}
