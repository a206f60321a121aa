"""Signing in, staying signed in, signing out.

A session begins with a password and is carried on by refresh tokens, each good for one use. All tokens of a
session name it in the claim `sid`, and the password they were begun with in the claim `pwd`: with a new password,
however it was set, they are over. simplejwt's table of outstanding tokens holds one row for the session and
one for each refresh token; blacklisting the session's row ends all of its tokens, access tokens included.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth import SESSION_KEY, authenticate, get_user_model
from django.contrib.auth.models import update_last_login
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token, UntypedToken
from rest_framework_simplejwt.utils import datetime_from_epoch

from environments.notices import access_changed
from spoton.auth.errors import InvalidCredentialsError, TokenNotValidError

log = logging.getLogger(__name__)

SESSION_CLAIM, PASSWORD_CLAIM = "sid", "pwd"
# a second browser tab, or a client that lost our answer, may show a token again just after its rotation;
# later than this it was copied, and whoever holds the copies must sign in again
REPLAY_LEEWAY = timedelta(seconds=30)


@dataclass(frozen=True)
class TokenPair:
    """What a client keeps: lifetimes in seconds from now."""

    access: str
    refresh: str
    access_expires_in: int
    refresh_expires_in: int


def session_begin(*, request: HttpRequest | None, username: str, password: str) -> tuple[Any, TokenPair]:
    """Check the password and open a session.

    Raises:
        InvalidCredentialsError: unknown or inactive user, or wrong password; not told apart.
    """
    user = authenticate(request, username=username, password=password)
    if user is None:
        raise InvalidCredentialsError
    refresh = RefreshToken()
    refresh["user_id"] = str(user.pk)
    refresh[SESSION_CLAIM] = uuid4().hex
    refresh[PASSWORD_CLAIM] = _fingerprint(user)
    with transaction.atomic():
        _remember(user, refresh[SESSION_CLAIM], refresh)
        _remember(user, refresh["jti"], refresh)
        update_last_login(None, user)
    return user, _pair(refresh)


def session_continue(*, refresh_token: str) -> TokenPair:
    """Exchange a refresh token for a new pair; the old refresh token is used up.

    Raises:
        TokenNotValidError: forged, expired, used before, or its session or user is gone. A used token shown
            again later than `REPLAY_LEEWAY` also ends its session.
    """
    refresh = _decoded(refresh_token)
    with transaction.atomic():
        row = OutstandingToken.objects.select_for_update().filter(jti=refresh["jti"]).first()
        user = get_user_model().objects.filter(pk=refresh["user_id"], is_active=True).first()
        if row is None or user is None or session_is_over(refresh[SESSION_CLAIM]):
            raise TokenNotValidError
        if not password_is_unchanged(user, refresh):
            raise TokenNotValidError
        use, first_use = BlacklistedToken.objects.get_or_create(token=row)
        if first_use:
            refresh.set_jti()
            refresh.set_exp()
            refresh.set_iat()
            _remember(user, refresh["jti"], refresh)
            expires_at = datetime_from_epoch(refresh["exp"])
            OutstandingToken.objects.filter(jti=refresh[SESSION_CLAIM]).update(expires_at=expires_at)
            return _pair(refresh)
    if timezone.now() - use.blacklisted_at > REPLAY_LEEWAY:
        log.warning("A used refresh token of user %s was shown again; its session is ended.", user.pk)
        _end(refresh[SESSION_CLAIM])
    raise TokenNotValidError


def session_end(*, refresh_token: str) -> None:
    """Sign out: none of the session's tokens works any more. Ending a session again changes nothing.

    Raises:
        TokenNotValidError: forged or expired.
    """
    _end(_decoded(refresh_token)[SESSION_CLAIM])


@transaction.atomic
def sessions_end_all(*, user: Any) -> None:
    """Sign the user out everywhere: all tokens, and the cookies of the administration."""
    open_tokens = OutstandingToken.objects.filter(user=user, blacklistedtoken=None)
    BlacklistedToken.objects.bulk_create(
        [BlacklistedToken(token=token) for token in open_tokens], ignore_conflicts=True
    )
    # whose a cookie is stands only inside; there are few, staff alone have any
    for cookie in Session.objects.filter(expire_date__gt=timezone.now()):
        if cookie.get_decoded().get(SESSION_KEY) == str(user.pk):
            cookie.delete()
    access_changed(user.pk)


def password_is_unchanged(user: Any, token: Token) -> bool:
    """Whether the user's password is still the one with which the token's session was begun."""
    return constant_time_compare(token.get(PASSWORD_CLAIM) or "", _fingerprint(user))


def session_is_over(session_id: str) -> bool:
    """Whether the session was ended, or is not known here."""
    row = OutstandingToken.objects.filter(jti=session_id).select_related("blacklistedtoken").first()
    return row is None or hasattr(row, "blacklistedtoken")


def session_is_open(*, access_token: str) -> bool:
    """Whether the session of a token that was good before goes on, even after the token's own lifetime."""
    token = AccessToken(access_token, verify=False)
    user = get_user_model().objects.filter(pk=token["user_id"], is_active=True).first()
    return (
        user is not None and password_is_unchanged(user, token) and not session_is_over(token[SESSION_CLAIM])
    )


def _decoded(refresh_token: str) -> RefreshToken:
    """The token, its signature, kind and lifetime checked, but not whether it was used."""
    try:
        UntypedToken(refresh_token)
        refresh = RefreshToken(refresh_token, verify=False)
        refresh.verify_token_type()
    except TokenError as error:
        raise TokenNotValidError from error
    if any(claim not in refresh for claim in (SESSION_CLAIM, "user_id", "jti")):
        raise TokenNotValidError
    return refresh


def _fingerprint(user: Any) -> str:
    """Of the user's password as it is stored; tells nothing of it without our secret key."""
    return user.get_session_auth_hash()[:32]


def _remember(user: Any, jti: str, refresh: RefreshToken) -> None:
    # without the token itself: who reads the database cannot sign in with it
    OutstandingToken.objects.create(
        user=user,
        jti=jti,
        token="",
        created_at=refresh.current_time,
        expires_at=datetime_from_epoch(refresh["exp"]),
    )


def _end(session_id: str) -> None:
    row = OutstandingToken.objects.filter(jti=session_id).first()
    if row is not None:
        BlacklistedToken.objects.get_or_create(token=row)
        access_changed(row.user_id)


def _pair(refresh: RefreshToken) -> TokenPair:
    access = refresh.access_token
    now = timezone.now()
    return TokenPair(
        str(access), str(refresh), _seconds_left(access["exp"], now), _seconds_left(refresh["exp"], now)
    )


def _seconds_left(epoch: int, now: datetime) -> int:
    return max(0, round((datetime_from_epoch(epoch) - now).total_seconds()))
