"""Makes the OpenAPI document tell the truth about the envelope and the errors."""

from __future__ import annotations

from typing import Any

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
_COMMON_ERRORS = {
    "400": "Malformed request",
    "401": "Not authenticated",
    "403": "Not allowed",
    "404": "Unknown, or not visible to the caller",
    "422": "Well-formed but wrong; details name the fields or the available range",
    "429": "Too many requests; see Retry-After",
}


def wrap_in_envelope(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular hook: every JSON success gets the envelope, every operation the common errors."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["Meta"], schemas["Error"] = _META, _ERROR
    error_reference = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    for path, operations in result["paths"].items():
        if not path.startswith("/api/v1/"):
            continue
        for operation in operations.values():
            responses = operation.get("responses", {})
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
            for status, description in _COMMON_ERRORS.items():
                responses.setdefault(status, {"description": description, **error_reference})
    return result
