"""What can go wrong between a program and SpotOn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SpotOnError(Exception):
    """The root of all errors of this package."""


class UnreachableError(SpotOnError):
    """No answer: SpotOn is not running, or the way to it is broken."""


class SignedOutError(SpotOnError):
    """`log_out` was called."""


class ApiError(SpotOnError):
    """SpotOn refused.

    Attributes:
        code: stable name, such as `task_not_running`; message: for people; details: depends on the code.
        status: of HTTP; of sockets the close code, or 0 while the socket stays open.
        request_id: quote it when you report a problem.
        retry_after_s: when to try again, where SpotOn said so.
    """

    def __init__(
        self,
        *,
        code: str,
        message: str,
        status: int,
        details: Mapping[str, Any] | None = None,
        request_id: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{code} ({status}): {message}")
        self.code, self.message, self.status = code, message, status
        self.details = dict(details or {})
        self.request_id, self.retry_after_s = request_id, retry_after_s


class SocketClosedError(ApiError):
    """The socket was closed for good; `status` is the close code."""
