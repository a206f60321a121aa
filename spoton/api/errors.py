"""The one shape of errors, for whatever goes wrong below the views."""

from __future__ import annotations

import logging
import math
import traceback
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from environments.errors import DomainError
from environments.json_parser import BodyTooLarge
from spoton.api.envelope import error_body
from tracking.stores import STORES_AWAY, brief

log = logging.getLogger(__name__)

# embedded stores are back within a few seconds
RETRY_AFTER_SECONDS = 2
# DRF's exceptions by the code that clients see; the first class that fits wins
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.ParseError, "malformed_request"),
    (exceptions.NotAuthenticated, "not_authenticated"),
    (exceptions.AuthenticationFailed, "authentication_failed"),
    (exceptions.PermissionDenied, "permission_denied"),
    (exceptions.NotFound, "not_found"),
    (exceptions.MethodNotAllowed, "method_not_allowed"),
    (exceptions.NotAcceptable, "not_acceptable"),
    (exceptions.UnsupportedMediaType, "unsupported_media_type"),
    (BodyTooLarge, "request_too_large"),
    (exceptions.Throttled, "throttled"),
)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook: one body for every error, with the right status and headers."""
    if isinstance(error, Http404):
        error = exceptions.NotFound("There is nothing here.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, RecursionError) and _raised_by_json(error):
        error = exceptions.ParseError("The JSON is nested too deeply.")
    if isinstance(error, DomainError):
        set_rollback()
        body = error_body(error.code, error.message, error.details)
        return Response(body, status=error.status, headers=error.headers, exception=True)
    if isinstance(error, exceptions.ValidationError):
        set_rollback()
        body = error_body(
            "validation_error",
            "Some fields are missing or wrong; see details.",
            {"fields": error.detail} if isinstance(error.detail, dict) else {"errors": error.detail},
        )
        return Response(body, status=status.HTTP_422_UNPROCESSABLE_ENTITY, exception=True)
    if isinstance(error, exceptions.APIException):
        set_rollback()
        return _api_exception(error)
    if isinstance(error, STORES_AWAY):
        log.warning("a request could not be answered: %s", brief(error))
        body = error_body(
            "service_unavailable", "The database or Redis is restarting; try again in a moment."
        )
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return Response(body, status=status.HTTP_503_SERVICE_UNAVAILABLE, headers=headers, exception=True)
    return None


def _raised_by_json(error: RecursionError) -> bool:
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__", "").startswith("json.")


def _api_exception(error: exceptions.APIException) -> Response:
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "error")
    headers, details = {}, {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header
    if isinstance(error, exceptions.Throttled) and error.wait is not None:
        seconds = math.ceil(error.wait)
        headers["Retry-After"] = str(seconds)
        details["retry_after_seconds"] = seconds
    message = error.detail
    if isinstance(message, dict):
        message = message.get("detail", "The request was refused.")
    elif isinstance(message, list):
        message = " ".join(map(str, message))
    return Response(
        error_body(code, str(message), details), status=error.status_code, headers=headers, exception=True
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What is refused before any view: a host name that is not ours, a path or form that cannot be read."""
    return JsonResponse(error_body("malformed_request", "This request cannot be understood."), status=400)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return JsonResponse(error_body("not_found", "There is no such address; see /api/docs/."), status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    body = error_body(
        "internal_error", "Something failed on our side; quote the request_id when you report it."
    )
    return JsonResponse(body, status=500)
