"""Requests as descriptions, and what their answers mean. No input or output happens here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from spoton_client.errors import ApiError

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True)
class Request:
    """Attributes: body goes as JSON, or as a form when a value of it is `bytes` (a file).

    An underscore at the end of a name in query and body is taken off: `from_` is `from`.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None

    def at(self, next_url: str) -> Request:
        """The same for the page that `meta.pagination.next` names."""
        return replace(self, query={**self.query, "cursor": parse_qs(urlsplit(next_url).query)["cursor"][0]})

    def arguments(self) -> dict[str, Any]:
        """For `build_request` of httpx."""
        query = {name: _text(value) for name, value in _named(self.query).items() if value is not None}
        arguments: dict[str, Any] = {"method": self.method, "url": self.path, "params": query}
        if self.body is None:
            return arguments
        body = _named(self.body)
        files = {name: (name, value) for name, value in body.items() if isinstance(value, bytes)}
        if files:
            fields = {name: value for name, value in body.items() if name not in files}
            return {**arguments, "files": files, "data": fields}
        return {**arguments, "json": body}


def path(template: str, **values: str) -> str:
    """The path with its values quoted."""
    return template.format_map({name: quote(str(value), safe="") for name, value in values.items()})


def data_of(response: httpx.Response) -> Any:
    """The answer without its envelope."""
    return None if response.status_code == 204 else response.json()["data"]


def page_of(response: httpx.Response) -> tuple[list[Any], str | None]:
    """(items, address of the next page)."""
    answer = response.json()
    return answer["data"], answer["meta"]["pagination"]["next"]


def error_of(response: httpx.Response) -> ApiError:
    """The error that a read response of 400 or more tells."""
    try:
        answer = response.json()
        told = answer["error"]
        known = {"code": told["code"], "message": told["message"], "details": told["details"]}
        request_id = answer["request_id"]
    except (ValueError, KeyError, TypeError):
        # a proxy in between answers in its own way
        known = {"code": "unexpected_answer", "message": f"Not an answer of SpotOn: {response.text[:200]}"}
        request_id = response.headers.get("X-Request-ID", "")
    after = response.headers.get("Retry-After", "")
    wait = float(after) if after.isdigit() else None
    return ApiError(status=response.status_code, request_id=request_id, retry_after_s=wait, **known)


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removesuffix("_"): value for name, value in values.items()}


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
