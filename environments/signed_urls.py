"""Addresses of pictures that work without headers, in `<img>` and `<video>`: signed, and good for some minutes.

A signature (`?sig=`) stands for a user and one path until a time. It proves who asks, nothing more: whether they are
active and may see the picture is checked at every request. Other options of the query may vary.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.signing import BadSignature, Signer
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

PARAMETER = "sig"


def sign_url(path: str, user: Any) -> tuple[str, datetime]:
    """`path` (with or without a query) with a signature for this user, and when it ends."""
    expires_at = (timezone.now() + timedelta(minutes=settings.ENV.media_url_minutes)).replace(microsecond=0)
    signature = _signer(urlsplit(path).path).sign(f"{user.pk}:{int(expires_at.timestamp())}")
    return f"{path}{'&' if '?' in path else '?'}{PARAMETER}={signature}", expires_at


def user_of_signature(path: str, signature: str) -> Any | None:
    """The active user it was made for; None when it is forged, of another path, or over."""
    try:
        user_id, expires_s = _signer(path).unsign(signature).split(":")
    except (BadSignature, ValueError):
        return None
    if datetime.fromtimestamp(int(expires_s), UTC) <= timezone.now():
        return None
    return get_user_model().objects.filter(pk=user_id, is_active=True).first()


class SignedUrlAuthentication(BaseAuthentication):
    """For views of pictures only, which are read and nothing else."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        signature = request.query_params.get(PARAMETER)
        if signature is None or request.method not in ("GET", "HEAD"):
            return None
        user = user_of_signature(request.path, signature)
        if user is None:
            raise AuthenticationFailed("This signed address is not valid or has expired. Ask for a new one.")
        return user, None


class SignedUrlScheme(OpenApiAuthenticationExtension):
    """Tells drf-spectacular how callers authenticate."""

    target_class = "environments.signed_urls.SignedUrlAuthentication"
    name = "signedUrl"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "query", "name": PARAMETER}


def _signer(path: str) -> Signer:
    return Signer(salt=f"environments.signed_urls:{path}")
