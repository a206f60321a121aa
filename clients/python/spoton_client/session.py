"""Being signed in, and how a request is carried through. Generators say what to do; a client does it.

They yield `Send`, `Sleep` and `Renew`, and are sent what came of it: this way the blocking and the asynchronous client
differ in nothing but how they wait.
"""

from __future__ import annotations

import random
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import httpx

from spoton_client.errors import ApiError, SignedOutError, UnreachableError
from spoton_client.request import IDEMPOTENT, Request, data_of, error_of

# a token is renewed when it has less than this left: a request may take a moment
RENEW_BEFORE_S = 10.0
MOST_ATTEMPTS = 5
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0
# whoever is told to wait longer than this hears it as an error
MOST_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Send:
    """Send it, as this token's owner; the answer is the response, whatever its status. Raises UnreachableError."""

    request: Request
    token: str | None = None


@dataclass(frozen=True)
class Sleep:
    seconds: float


@dataclass(frozen=True)
class Renew:
    """Carry out `Session.renewal(stale)`, one at a time."""

    stale: str | None


Steps = Generator[Send | Sleep | Renew, Any, Any]


@dataclass(frozen=True)
class Tokens:
    """Attributes: expires_at by the monotonic clock."""

    access: str
    refresh: str
    expires_at: float


class Session:
    """Who is signed in. Signs in when a token is first needed, and again when the session has ended."""

    def __init__(self, username: str, password: str) -> None:
        self._credentials: dict[str, str] | None = {"username": username, "password": password}
        self._tokens: Tokens | None = None

    def token(self) -> Steps:
        """Returns an access token that is good for the next seconds."""
        tokens = self._tokens
        if tokens is None or tokens.expires_at - time.monotonic() < RENEW_BEFORE_S:
            yield Renew(tokens.access if tokens else None)
        return self._tokens.access if self._tokens else None

    def renewal(self, stale: str | None) -> Steps:
        """New tokens instead of `stale`, unless somebody else got them meanwhile."""
        if self._credentials is None:
            raise SignedOutError("You have logged out; make a new client.")
        tokens = self._tokens
        if tokens is not None:
            if tokens.access != stale:
                return
            response = yield Send(Request("POST", "/api/v1/auth/refresh", body={"refresh": tokens.refresh}))
            if response.status_code < 400:
                self._adopt(data_of(response))
                return
            if response.status_code != 401:
                raise error_of(response)
        yield from self.sign_in()

    def sign_in(self) -> Steps:
        """Returns the profile. Raises ApiError `invalid_credentials`."""
        if self._credentials is None:
            raise SignedOutError("You have logged out; make a new client.")
        response = yield Send(Request("POST", "/api/v1/auth/login", body=self._credentials))
        if response.status_code >= 400:
            raise error_of(response)
        data = data_of(response)
        self._adopt(data)
        return data["user"]

    def log_out(self) -> Steps:
        """Ends the session; afterwards this client is signed out for good."""
        tokens, self._tokens, self._credentials = self._tokens, None, None
        if tokens is not None:
            yield Send(Request("POST", "/api/v1/auth/logout", body={"refresh": tokens.refresh}))

    def _adopt(self, data: dict[str, Any]) -> None:
        self._tokens = Tokens(data["access"], data["refresh"], time.monotonic() + data["expires_in"])


def exchange(session: Session, request: Request) -> Steps:
    """The response to a request, with a good token and with patience. Raises ApiError, UnreachableError."""
    attempt, renewed = 0, False
    while True:
        token = yield from session.token()
        try:
            response: httpx.Response = yield Send(request, token)
        except UnreachableError:
            if not may_retry(request, attempt):
                raise
            pause = pause_before(attempt)
        else:
            if response.status_code < 400:
                return response
            if response.status_code == 401 and not renewed:
                renewed = True
                yield Renew(token)
                continue
            error = error_of(response)
            if error.status not in (429, 503) or not may_retry(request, attempt):
                raise error
            pause = patience(error, attempt)
        attempt += 1
        yield Sleep(pause)


def may_retry(request: Request, attempt: int) -> bool:
    return request.method in IDEMPOTENT and attempt + 1 < MOST_ATTEMPTS


def patience(error: ApiError, attempt: int) -> float:
    """Seconds to wait after this answer. Raises it when that would be too long."""
    if error.retry_after_s is None:
        return pause_before(attempt)
    if error.retry_after_s > MOST_PATIENCE_S:
        raise error
    return error.retry_after_s


def pause_before(attempt: int) -> float:
    """Seconds, growing, with jitter so that many clients do not return together."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempt, 16)) * random.uniform(0.75, 1.25)
