"""Slows down guessing of passwords."""

from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView


class LoginThrottle(SimpleRateThrottle):
    """Counts attempts by address and user name together.

    By address alone, one person's typing errors would lock out a whole office; by name alone, anyone could
    lock out anyone.
    """

    scope = "login"

    def get_ident(self, request: Request) -> str:
        # unless proxies are declared, anyone can invent the forwarding header, with a new address each time
        if api_settings.NUM_PROXIES is None:
            return request.META.get("REMOTE_ADDR", "")
        return super().get_ident(request)

    def get_cache_key(self, request: Request, view: APIView) -> str:
        username = request.data.get("username", "") if isinstance(request.data, dict) else ""
        ident = f"{self.get_ident(request)}:{str(username)[:150].casefold()}"
        return self.cache_format % {"scope": self.scope, "ident": ident}
