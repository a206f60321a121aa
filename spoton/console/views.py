"""The console: one page, whose script talks to REST and WebSockets like any other client."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static

from spoton.api.methods import read_only
from tracking.picture_files import foreign_origin

# nothing but our own files; pictures also from memory (blob:) and the bucket of stored ones, if there is one; sockets
# to any port of this host's name
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:{bucket}; "
    "font-src 'self'; connect-src 'self' ws: wss:; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


@read_only
def console(request: HttpRequest) -> HttpResponse:
    """The page at `/`. It holds no data; signing in happens in the browser."""
    response = render(request, "console/index.html")
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.format(
        bucket=f" {foreign_origin()}".rstrip()
    )
    response["Referrer-Policy"] = "same-origin"
    response["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    response["Cache-Control"] = "no-cache"
    return response


@read_only
def favicon(request: HttpRequest) -> HttpResponse:
    """Where browsers look for an icon of pages that name none, such as the administration's."""
    return redirect(static("console/logo.svg"))
