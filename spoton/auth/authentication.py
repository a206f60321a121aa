"""Who is calling: an access token whose session is still open."""

from __future__ import annotations

from typing import Any

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken
from rest_framework_simplejwt.tokens import Token

from spoton.auth.sessions import SESSION_CLAIM, password_is_unchanged, session_is_over


class SessionJWTAuthentication(JWTAuthentication):
    """`Authorization: Bearer <access token>`; refused once its session has ended or the password was changed."""

    def get_validated_token(self, raw_token: bytes) -> Token:
        try:
            token = super().get_validated_token(raw_token)
        except InvalidToken as error:
            raise InvalidToken(
                "The access token is not valid or has expired. Refresh it or sign in."
            ) from error
        session_id = token.get(SESSION_CLAIM)
        if not session_id or session_is_over(session_id):
            raise InvalidToken("This session has ended. Sign in again.")
        return token

    def get_user(self, validated_token: Token) -> Any:
        user = super().get_user(validated_token)
        if not password_is_unchanged(user, validated_token):
            raise AuthenticationFailed("The password was changed. Sign in again.")
        return user


def user_of_access_token(raw_token: str) -> Any | None:
    """The active user an access token stands for, or None when the token is not good (any more)."""
    authentication = SessionJWTAuthentication()
    try:
        return authentication.get_user(authentication.get_validated_token(raw_token.encode()))
    except (AuthenticationFailed, InvalidToken):
        return None


class SessionJWTScheme(SimpleJWTScheme):
    """Tells drf-spectacular how callers authenticate."""

    target_class = "spoton.auth.authentication.SessionJWTAuthentication"
    name = "bearer"
