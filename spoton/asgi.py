"""The ASGI application: HTTP to Django, WebSockets to the sockets."""

import os
import sys
import warnings

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spoton.settings")
http_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from spoton.auth.origin import AllowedOriginMiddleware  # noqa: E402
from spoton.auth.sockets import TokenAuthMiddleware  # noqa: E402
from spoton.compat.announcement import announce_at_start  # noqa: E402
from spoton.routing import websocket_urlpatterns  # noqa: E402
from spoton.settling import settle  # noqa: E402
from spoton.system.open_sockets import CountSockets  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": CountSockets(
            AllowedOriginMiddleware(TokenAuthMiddleware(URLRouter(websocket_urlpatterns)))
        ),
    }
)
# WhiteNoise reads files as threads do; the console's are small, and nobody who starts SpotOn can do anything about it
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators", Warning)
announce_at_start()
# sockets are served by one thread, and beside it others ask the database: it must not wait 5 ms for each of them
sys.setswitchinterval(0.001)
settle()
