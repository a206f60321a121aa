"""The clients know every operation and type of SpotOn, as its documents tell them now."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints, is_typeddict

import pytest
from django.conf import settings

import generate
from spoton_client import AsyncSpotOn, SpotOn, types
from spoton_client.operations import AsyncOperations, Operations

HINT = "The API has changed: run `python clients/python/generate.py`, and look at what it changed."


@pytest.fixture(scope="module")
def documents() -> tuple[dict[str, Any], dict[str, Any]]:
    return generate.documents()


def test_what_is_generated_is_up_to_date(documents) -> None:
    for path, content in generate.rendered(*documents).items():
        assert path.read_text() == content, f"{path.relative_to(settings.BASE_DIR)}: {HINT}"


def test_every_operation_is_a_method_of_both_clients(documents) -> None:
    told = {
        operation["operationId"]: path
        for path, methods in documents[0]["paths"].items()
        for operation in methods.values()
    }
    assert len(told) > 50
    for name, path in told.items():
        for client in (SpotOn, AsyncSpotOn):
            method = getattr(client, generate.BY_HAND.get(name, name), None)
            assert method is not None, f"{client.__name__}.{name} is missing. {HINT}"
            if name not in generate.BY_HAND:
                places = [word.split("}")[0] for word in path.split("{")[1:]]
                assert list(inspect.signature(method).parameters)[1 : len(places) + 1] == places


def test_every_channel_is_a_method_of_both_clients(documents) -> None:
    channels = documents[1]["channels"]
    assert len(channels) >= 5
    for name, channel in channels.items():
        for client in (SpotOn, AsyncSpotOn):
            assert hasattr(client, name), (
                f"{client.__name__}.{name}() for {channel['address']} is to be written."
            )


def test_every_type_that_is_named_is_there() -> None:
    methods = [m for c in (Operations, AsyncOperations) for _, m in inspect.getmembers(c, inspect.isfunction)]
    dicts = [kind for kind in vars(types).values() if is_typeddict(kind)]

    assert len(dicts) > 60
    for one in (*methods, *dicts):
        assert get_type_hints(one)


def test_what_carries_a_request_reads_its_operation() -> None:
    """A form and a query beside it, a word of Python, a list in pages: read from a small document of its own."""
    reference = "#/components/schemas/"
    openapi = {
        "components": {
            "schemas": {
                "Find": {"properties": {"from": {"type": "string"}}, "required": ["from"]},
                "FindForm": {"properties": {"image": {"type": "string", "format": "binary"}}},
                "PaginatedThingList": {"type": "array"},
                "Thing": {"properties": {"size": {"type": ["integer", "null"]}}, "required": ["size"]},
            }
        },
        "paths": {
            "/things/{kind}": {
                "post": {
                    "operationId": "things_find",
                    "parameters": [
                        {"in": "query", "name": "cursor", "schema": {"type": "string"}},
                        {"in": "query", "name": "kind", "schema": {"type": "string"}},
                    ],
                    "requestBody": {
                        "content": {
                            "application/json": {"schema": {"$ref": f"{reference}Find"}},
                            "multipart/form-data": {"schema": {"$ref": f"{reference}FindForm"}},
                        }
                    },
                    "responses": {
                        "200": {
                            "content": {
                                "application/json": {
                                    "schema": {
                                        "properties": {"data": {"$ref": f"{reference}PaginatedThingList"}}
                                    }
                                }
                            }
                        }
                    },
                }
            }
        },
    }

    (operation,) = generate.operations_of(openapi)

    source = generate.method_source(operation, asynchronous=True)
    assert "def things_find(self, kind: str, /, body: types.ThingsFindBody, " in source
    assert "**query: Unpack[types.ThingsFindQuery]) -> AsyncIterator[types.Thing]:" in source
    assert source.endswith(
        "return self._pages(Request('POST', path('/things/{kind}', kind=kind), query=query, body=body))"
    )
    body = generate.typed_dict(operation.body_name, operation.body)
    assert body.splitlines()[1:] == ["    from_: NotRequired[str]", "    image: NotRequired[bytes]"]
    assert "size: int | None" in generate.typed_dict("Thing", openapi["components"]["schemas"]["Thing"])
