"""Errors that a caller can act on. Each has a stable code, a status and a message that says what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class DomainError(Exception):
    """Base of all errors that services and selectors raise on purpose.

    The API answers them in the one error shape; commands print the message.

    Attributes:
        code: stable, documented string.
        status: HTTP status.
        message: what is wrong and what to do; leaks nothing.
        details: further facts for clients, JSON-serialisable.
        headers: of the HTTP answer.
    """

    code = "error"
    status = 400

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})
        self.headers = dict(headers or {})


class NotFoundError(DomainError):
    code = "not_found"
    status = 404


class EnvironmentNotFoundError(NotFoundError):
    code = "environment_not_found"


class CameraNotFoundError(NotFoundError):
    code = "camera_not_found"


class SessionNotFoundError(NotFoundError):
    """An analysis session that is unknown, expired, or somebody else's."""

    code = "session_not_found"


class PermissionDeniedError(DomainError):
    code = "permission_denied"
    status = 403


class ValidationFailedError(DomainError):
    code = "validation_error"
    status = 422


class RangeNotAvailableError(DomainError):
    """A time range is invalid or holds no data; details carry the available range."""

    code = "range_not_available"
    status = 422


class ConflictError(DomainError):
    code = "conflict"
    status = 409


class SessionLimitReachedError(ConflictError):
    """The user has as many analysis sessions as are kept; details hold the limit."""

    code = "session_limit_reached"
