"""What the old client reads of an answer: plain JSON, errors with a top-level `message`."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from environments.errors import DomainError, ValidationFailedError
from spoton.api.errors import RETRY_AFTER_SECONDS
from spoton.compat.access import client_user, enabled
from tracking.stores import STORES_AWAY, brief

log = logging.getLogger(__name__)

Answer = dict[str, Any] | HttpResponseBase
MOST_BODY_BYTES = 64 * 1024


def route(**methods: Callable[..., Answer]) -> Callable[..., HttpResponseBase]:
    """A view of functions by method; each is given the client's user, the request and the path's parts."""

    @csrf_exempt
    @wraps(next(iter(methods.values())))
    def view(request: HttpRequest, **path: Any) -> HttpResponseBase:
        if not enabled():
            return _error(
                404, "not_found", "The compatibility module is switched off; see SPOTON_COMPAT_ENVIRONMENTS."
            )
        act = methods.get(request.method or "")
        if act is None:
            response = _error(405, "method_not_allowed", f"Use {', '.join(methods)}.")
            response["Allow"] = ", ".join(methods)
            return response
        try:
            answer = act(client_user(), request, **path)
        except DomainError as error:
            return _error(error.status, error.code, error.message, error.details)
        except STORES_AWAY as error:
            log.warning("%s cannot be answered: %s", request.path, brief(error))
            response = _error(503, "service_unavailable", "The database or Redis is restarting; try again.")
            response["Retry-After"] = str(RETRY_AFTER_SECONDS)
            return response
        return answer if isinstance(answer, HttpResponseBase) else JsonResponse(answer)

    view.methods = tuple(methods)  # type: ignore[attr-defined]
    return view


def body_of(request: HttpRequest) -> dict[str, Any]:
    """The JSON object that was sent; an empty body is an empty object. Raises ValidationFailedError."""
    raw = request.read(MOST_BODY_BYTES + 1)
    if len(raw) > MOST_BODY_BYTES:
        raise ValidationFailedError("The body is too large.")
    try:
        body = json.loads(raw or b"{}")
    except (ValueError, RecursionError) as error:
        raise ValidationFailedError("Send a JSON object.") from error
    if not isinstance(body, dict):
        raise ValidationFailedError("Send a JSON object.")
    return body


def _error(status: int, code: str, message: str, details: dict[str, Any] | None = None) -> JsonResponse:
    return JsonResponse({"message": message, "code": code, "details": details or {}}, status=status)
