"""Slows down guessing of passwords."""

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle
from rest_framework.views import APIView

from spoton.auth.guessing import digest, normalised


def address_of(request: Request | HttpRequest) -> str:
    """Where a request comes from: of the forwarding header, only what declared proxies say is believed."""
    return BaseThrottle().get_ident(request) or ""


class LoginThrottle(SimpleRateThrottle):
    """Counts attempts by address and user name together.

    By address alone, one person's typing errors would lock out a whole office; by name alone, anyone could
    lock out anyone. The much wider limits for these two are in `spoton.auth.guessing`.
    """

    scope = "login"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        username = request.data.get("username", "") if isinstance(request.data, dict) else ""
        ident = f"{address_of(request)}:{digest(normalised(str(username)))}"
        return self.cache_format % {"scope": self.scope, "ident": ident}
