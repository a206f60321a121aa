"""The one shape of answers: `{"success": true, "data": ..., "meta": {...}}`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rest_framework.renderers import JSONRenderer

from spoton.api.request_id import current_request_id


def timestamp_utc(moment: datetime | None = None) -> str:
    """ISO 8601 UTC with milliseconds."""
    return (
        (moment or datetime.now(UTC))
        .astimezone(UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def success_body(data: Any, *, pagination: Mapping[str, Any] | None = None) -> dict[str, Any]:
    meta: dict[str, Any] = {"timestamp": timestamp_utc(), "request_id": current_request_id()}
    if pagination is not None:
        meta["pagination"] = dict(pagination)
    return {"success": True, "data": data, "meta": meta}


def error_body(code: str, message: str, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "success": False,
        "error": {"code": code, "message": message, "details": dict(details or {})},
        "timestamp": timestamp_utc(),
        "request_id": current_request_id(),
    }


class EnvelopeRenderer(JSONRenderer):
    """Wraps what views return; errors arrive already in their shape from the exception handler."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        response = (renderer_context or {}).get("response")
        if response is not None and response.status_code == 204:
            return b""
        if response is None or not response.exception:
            data = success_body(data, pagination=getattr(response, "pagination", None))
        return super().render(data, accepted_media_type, renderer_context)
