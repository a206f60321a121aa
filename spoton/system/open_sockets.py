"""How many sockets this web server holds open."""

from __future__ import annotations

from typing import Any


class CountSockets:
    """ASGI middleware around everything that answers sockets."""

    open = 0

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # one event loop: nobody else counts meanwhile
        CountSockets.open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            CountSockets.open -= 1
