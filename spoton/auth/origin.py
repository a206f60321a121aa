"""Which pages may open a socket."""

from urllib.parse import ParseResult

from channels.security.websocket import OriginValidator
from django.conf import settings


class AllowedOriginMiddleware(OriginValidator):
    """Refuses sockets opened by pages of other sites than ours and the configured CORS origins.

    Clients that are no browsers send no origin; they prove who they are by their token alone, as on REST.
    """

    def __init__(self, application: object) -> None:
        super().__init__(application, [*settings.ALLOWED_HOSTS, *settings.CORS_ALLOWED_ORIGINS])

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        return parsed_origin is None or self.validate_origin(parsed_origin)
