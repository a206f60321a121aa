"""Makes the OpenAPI document tell the truth about the envelope, the errors and what is refused."""

from __future__ import annotations

from functools import cache
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView

_META = {
    "type": "object",
    "required": ["timestamp", "request_id"],
    "properties": {
        "timestamp": {"type": "string", "format": "date-time"},
        "request_id": {"type": "string"},
        "pagination": {
            "type": "object",
            "properties": {
                "next": {"type": ["string", "null"], "format": "uri"},
                "previous": {"type": ["string", "null"], "format": "uri"},
            },
        },
    },
}
_META_EXAMPLE = {
    "timestamp": "2026-01-05T09:00:00.000Z",
    "request_id": "9c0a4b5b2f3e4c0d8d1f6f0f2f4f7a11",
}
_ERROR = {
    "type": "object",
    "required": ["success", "error", "timestamp", "request_id"],
    "properties": {
        "success": {"type": "boolean", "const": False},
        "error": {
            "type": "object",
            "required": ["code", "message", "details"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "details": {"type": "object"},
            },
        },
        "timestamp": {"type": "string", "format": "date-time"},
        "request_id": {"type": "string"},
    },
}
# of every operation
_ERRORS = {
    "400": "Malformed request",
    "401": "Not authenticated",
    "403": "Not allowed",
    "404": "Unknown, or not visible to the caller",
    "406": "JSON is not among what the caller accepts",
    "422": "Well-formed but wrong; details name the fields or the available range",
    "429": "Too many requests; see Retry-After",
    "503": "The database, Redis or a worker does not answer now; try again in a moment",
}
# of those that change something, and of those that take a body
_CHANGE_ERRORS = {"409": "Not possible as things are; the code says why"}
_BODY_ERRORS = {"413": "The body is too large", "415": "The body is not JSON"}
_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds", "required": True, "schema": {"type": "integer", "minimum": 0}}
}
_ID = "1f0e9a52-6f8b-5d0c-9a55-0a4f5a3f6d21"
# of the parts of paths
_EXAMPLES = {"env_id": "campus", "camera_id": "c01"}
_OPERATIONS = ("get", "post", "put", "patch", "delete")


class KnownFields(OpenApiSerializerExtension):
    """Says of a body that further fields are refused."""

    target_class = "environments.known_fields.KnownFieldsSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        schema = auto_schema._map_basic_serializer(self.target, direction)
        return {**schema, "additionalProperties": False}


class RememberedSchema(SchemaGenerator):
    """The document is made once per process: routes do not change, and anybody may ask for it."""

    def get_schema(self, request: Any = None, public: bool = False) -> dict[str, Any]:
        return openapi_document()


class OpenApiView(SpectacularAPIView):
    generator_class = RememberedSchema


@cache
def openapi_document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    return SchemaGenerator().get_schema(request=None, public=True)


def tell_the_truth(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular hook: the envelope, the errors that all operations share, summaries, examples of ids."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["Meta"], schemas["Error"] = _META, _ERROR
    for path, operations in result["paths"].items():
        if not path.startswith("/api/v1/"):
            continue
        for method, operation in operations.items():
            if method in _OPERATIONS:
                _described(operation)
                responses = operation.setdefault("responses", {})
                _wrapped(responses)
                _with_errors(responses, changes=method != "get", body="requestBody" in operation)
    return result


def _described(operation: dict[str, Any]) -> None:
    description = operation.get("description", "")
    if not operation.get("summary") and description:
        operation["summary"] = description.split("\n\n")[0].split(". ")[0].replace("\n", " ").rstrip(".")
    operation.setdefault("description", operation.get("summary", ""))
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter.setdefault("example", _EXAMPLES.get(parameter["name"], _ID))


def _wrapped(responses: dict[str, Any]) -> None:
    """JSON that is answered comes in the envelope; so do its examples."""
    for status, response in responses.items():
        content = response.get("content", {}).get("application/json")
        if status.startswith("2") and content and "schema" in content:
            content["schema"] = {
                "type": "object",
                "required": ["success", "data", "meta"],
                "properties": {
                    "success": {"type": "boolean", "const": True},
                    "data": content["schema"],
                    "meta": {"$ref": "#/components/schemas/Meta"},
                },
            }
            for example in content.get("examples", {}).values():
                example["value"] = {"success": True, "data": example["value"], "meta": _META_EXAMPLE}


def _with_errors(responses: dict[str, Any], *, changes: bool, body: bool) -> None:
    common = {**_ERRORS, **(_CHANGE_ERRORS if changes else {}), **(_BODY_ERRORS if body else {})}
    for status, description in common.items():
        responses.setdefault(status, {"description": description})
    for status, response in responses.items():
        if status >= "400":
            reference = {"$ref": "#/components/schemas/Error"}
            response.setdefault("content", {"application/json": {"schema": reference}})
    responses["429"].setdefault("headers", _RETRY_AFTER)
