"""One id per request, in the answer, the errors and the logs."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

_current: ContextVar[str] = ContextVar("request_id", default="")
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")


def current_request_id() -> str:
    """The id of the request being answered, or a new one outside of requests."""
    return _current.get() or uuid.uuid4().hex


@sync_and_async_middleware
def RequestIdMiddleware(get_response: Callable):  # noqa: N802 - Django names middleware by class or factory
    """Take the caller's `X-Request-ID` when it is sane, else make one; send it back."""

    def begin(request: HttpRequest) -> str:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _ACCEPTABLE.fullmatch(given) else uuid.uuid4().hex
        _current.set(request_id)
        return request_id

    def finish(response: HttpResponse, request_id: str) -> HttpResponse:
        response["X-Request-ID"] = request_id
        # what this thread does next is not part of the request any more
        _current.set("")
        return response

    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            request_id = begin(request)
            return finish(await get_response(request), request_id)
    else:

        def middleware(request: HttpRequest) -> HttpResponse:
            request_id = begin(request)
            return finish(get_response(request), request_id)

    return middleware


class RequestIdFilter(logging.Filter):
    """Gives every log record `request_id` and `request_suffix`, empty outside of requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id = _current.get()
        record.request_suffix = f" [request {request_id}]" if request_id else ""
        return True
