"""Every socket of the product."""

from __future__ import annotations

import json
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import path, re_path

from analytics.routing import websocket_urlpatterns as analytics
from spoton.compat.sockets import with_old_client
from spoton.system.sockets import SystemSocket
from tracking.routing import websocket_urlpatterns as tracking
from tracking.sockets.protocol import Close, error_message


class UnknownSocket(AsyncWebsocketConsumer):
    """Whoever comes to a path that is none is told so."""

    channel_layer_alias = None

    async def connect(self) -> None:
        await self.accept(subprotocol=self.scope.get("accepted_subprotocol"))
        await self.send(
            text_data=json.dumps(error_message("not_found", "There is no such socket; see /api/asyncapi."))
        )
        await self.close(code=Close.UNKNOWN)

    async def receive(self, *args: Any, **kwargs: Any) -> None:
        """Nothing that is sent here matters."""


websocket_urlpatterns = [
    *with_old_client(tracking),
    *analytics,
    path("ws/system", SystemSocket.as_asgi()),
    re_path(r"", UnknownSocket.as_asgi()),
]
