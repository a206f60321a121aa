"""The AsyncAPI document: whole, and true of what sockets say."""

from __future__ import annotations

import jsonschema
import pytest
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser
from rest_framework.test import APIClient

from spoton.api.asyncapi import CHANNELS, asyncapi_document
from spoton.routing import websocket_urlpatterns
from tracking.sockets.protocol import Close


def test_it_is_served_beside_openapi():
    document = APIClient().get("/api/asyncapi").json()
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]) == {"tracking", "frames", "focus", "analytics", "system"}


def test_every_socket_is_in_it():
    routes = {"/" + str(p.pattern) for p in websocket_urlpatterns if str(p.pattern)}
    described = {c.path for c in CHANNELS}
    assert {r.replace("<uuid:", "{").replace("<slug:", "{").replace(">", "}") for r in routes} == described


def test_every_reference_leads_somewhere():
    document = asyncapi_document()

    def look(node):
        if isinstance(node, dict):
            for key, value in node.items():
                # those inside schemas are of the schema itself
                if key == "$ref" and value.startswith(("#/channels", "#/components")):
                    found = document
                    for part in value[2:].split("/"):
                        found = found[part]
                look(value)
        elif isinstance(node, list):
            for value in node:
                look(value)

    look(document["operations"])
    look(document["servers"])


@pytest.mark.parametrize(
    "message",
    [m for c in CHANNELS for m in (*c.sent, *c.received) if m.example is not None],
    ids=lambda m: m.name,
)
def test_examples_fit_their_schemas(message):
    jsonschema.Draft202012Validator(message.schema).validate(message.example)


def test_close_codes_are_all_told():
    told = asyncapi_document()["info"]["description"]
    for name, code in vars(Close).items():
        if not name.startswith("_"):
            assert str(code) in told, name


async def test_a_path_that_is_no_socket_is_told_so():
    communicator = WebsocketCommunicator(URLRouter(websocket_urlpatterns), "/ws/nonsense")
    communicator.scope["user"] = AnonymousUser()
    assert (await communicator.connect())[0]
    assert (await communicator.receive_json_from())["error"]["code"] == "not_found"
    assert await communicator.receive_output() == {"type": "websocket.close", "code": 4404}
