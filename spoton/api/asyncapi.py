"""The AsyncAPI document: what OpenAPI is for REST, for the sockets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.http import HttpRequest, JsonResponse

from analytics.sockets import CHANNELS as ANALYTICS
from spoton.api.methods import read_only
from spoton.system.sockets import CHANNELS as SYSTEM
from tracking.sockets.described import CHANNELS as TRACKING
from tracking.sockets.described import Channel, Message

CHANNELS: tuple[Channel, ...] = (*TRACKING, *ANALYTICS, *SYSTEM)
_CLOSE_CODES = (
    "Close codes: 4401 not authenticated (any more), 4403 not allowed, 4404 unknown or not visible (any more), "
    "4408 too slow, 4409 the task has ended and is not played back, 4429 too many messages, 4500 an error of ours, "
    "4503 the database or Redis is restarting: connect again in a moment."
)

_SERVER = {
    "host": "{host}",
    "protocol": "ws",
    "variables": {"host": {"default": "localhost:8000"}},
    "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in ("subprotocol", "query")],
}


@cache
def asyncapi_document() -> dict[str, Any]:
    """AsyncAPI 3.0."""
    channels, operations = {}, {}
    for channel in CHANNELS:
        channels[channel.name] = _channel(channel)
        for action, messages in (("send", channel.sent), ("receive", channel.received)):
            operations[f"{action}_{channel.name}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{channel.name}"},
                "messages": [{"$ref": f"#/channels/{channel.name}/messages/{m.name}"} for m in messages],
            }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "SpotOn sockets",
            "version": "1",
            "description": "On connect a snapshot, then updates numbered by `seq`; a gap is healed by `resync`. "
            f"Messages are compressed (permessage-deflate) where the client can. {_CLOSE_CODES}",
        },
        "defaultContentType": "application/json",
        "servers": {"here": _SERVER},
        "channels": channels,
        "operations": operations,
        "components": {
            "securitySchemes": {
                "subprotocol": {
                    "type": "httpApiKey",
                    "in": "header",
                    "name": "Sec-WebSocket-Protocol",
                    "description": "`bearer, <access token>`: what browsers can send.",
                },
                "query": {
                    "type": "httpApiKey",
                    "in": "query",
                    "name": "token",
                    "description": "The access token.",
                },
            }
        },
    }


@read_only
def asyncapi(request: HttpRequest) -> JsonResponse:
    """Served like the OpenAPI document: it holds nothing that is secret."""
    return JsonResponse(asyncapi_document())


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "address": channel.path,
        "summary": channel.summary,
        "parameters": {name: {"description": text} for name, text in channel.parameters.items()},
        "messages": {m.name: _message(m) for m in _once((*channel.sent, *channel.received))},
        "bindings": {"ws": {"method": "GET"}},
    }


def _message(message: Message) -> dict[str, Any]:
    examples = [] if message.example is None else [{"payload": message.example}]
    return {
        "name": message.name,
        "summary": message.summary,
        "contentType": message.content_type,
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": message.schema,
        },
        **({"examples": examples} if examples else {}),
    }


def _once(messages: Sequence[Message]) -> list[Message]:
    return list({m.name: m for m in messages}.values())
