"""Plain views that only read: what they take is known to whoever walks the routes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from spoton.api.envelope import error_body

SAFE = ("GET", "HEAD")


def read_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Other methods than GET and HEAD are answered 405, in the one shape of errors."""

    # nothing is changed here, so that a stranger's form has nothing to forge: 405, not a page about cookies
    @csrf_exempt
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in SAFE:
            return view(request, *args, **kwargs)
        body = error_body("method_not_allowed", f"This address is only read; use {' or '.join(SAFE)}.")
        return JsonResponse(body, status=405, headers={"Allow": ", ".join(SAFE)})

    checked.methods = ("GET",)
    return checked
