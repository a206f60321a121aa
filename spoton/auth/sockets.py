"""Who opens a socket: browsers set no headers there, so the token comes as a subprotocol or in the query."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from channels.db import database_sync_to_async
from django.contrib.auth.models import AnonymousUser

from spoton.auth.authentication import user_of_access_token
from spoton.auth.sessions import session_is_open

SUBPROTOCOL = "bearer"


class TokenAuthMiddleware:
    """ASGI middleware for `Sec-WebSocket-Protocol: bearer, <JWT>` or `?token=<JWT>`.

    Sets `scope["user"]` (anonymous without a good token), `scope["session_open"]` (a function that asks the
    database whether they are still signed in) and, when the client offered the subprotocol,
    `scope["accepted_subprotocol"]`: pass it on accepting, else browsers close the socket. The token is taken
    out of the scope, so that nothing further in can log it.
    """

    def __init__(self, inner: Callable[..., Awaitable[Any]]) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> Any:
        scope = dict(scope)
        token = _take_token(scope)
        user = await database_sync_to_async(user_of_access_token)(token) if token else None
        scope["user"] = user or AnonymousUser()
        scope["session_open"] = lambda: user is not None and session_is_open(access_token=token)
        return await self.inner(scope, receive, send)


def _take_token(scope: dict[str, Any]) -> str | None:
    """The token the client gave, removed from `scope`; the subprotocol counts before the query."""
    offered = list(scope.get("subprotocols", []))
    query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    token = next((value for key, value in query if key == "token"), None)
    scope["query_string"] = urlencode([(k, v) for k, v in query if k != "token"]).encode()
    scope["accepted_subprotocol"] = None
    if SUBPROTOCOL in offered:
        scope["accepted_subprotocol"] = SUBPROTOCOL
        following = offered[offered.index(SUBPROTOCOL) + 1 :]
        token = following[0] if following else token
        scope["subprotocols"] = [SUBPROTOCOL]
        scope["headers"] = [h for h in scope.get("headers", []) if h[0].lower() != b"sec-websocket-protocol"]
    return token or None
