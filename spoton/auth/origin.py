"""Which pages may open a socket."""

from channels.security.websocket import OriginValidator
from django.conf import settings


def AllowedOriginMiddleware(application):  # noqa: N802 - an ASGI middleware, named like the ones of Channels
    """Refuse sockets opened by pages of other sites than ours and the configured CORS origins."""
    hosts = settings.ALLOWED_HOSTS or ["localhost"]
    return OriginValidator(application, [*hosts, *settings.CORS_ALLOWED_ORIGINS])
