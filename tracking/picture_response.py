"""Pictures as HTTP answers: validators, 304, parts, and how long they may be kept."""

from __future__ import annotations

import re

from django.http import HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import http_date
from rest_framework.request import Request

from environments.errors import DomainError
from tracking.rendering import Rendered

_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*")


class RangeNotSatisfiableError(DomainError):
    code = "range_not_satisfiable"
    status = 416


class PreconditionFailedError(DomainError):
    code = "precondition_failed"
    status = 412


def picture_response(request: Request, picture: Rendered, *, max_age_s: int | None = None) -> HttpResponse:
    """The picture, a part of it (206), or 304 when the client has it.

    Args:
        max_age_s: how long the client's own cache may show it unasked; None: it asks every time.

    Raises:
        RangeNotSatisfiableError: the part asked for lies behind its end.
        PreconditionFailedError: `If-Match` or `If-Unmodified-Since` does not hold.
    """
    headers = {
        "ETag": picture.etag,
        "Last-Modified": http_date(picture.captured_at),
        "Cache-Control": "private, no-cache" if max_age_s is None else f"private, max-age={max_age_s}",
        "Accept-Ranges": "bytes",
    }
    whole = HttpResponse(picture.data, content_type=picture.content_type, headers=headers)
    patch_vary_headers(whole, ["Authorization"])
    unconditional = get_conditional_response(
        request, etag=picture.etag, last_modified=int(picture.captured_at), response=whole
    )
    if unconditional is not whole:
        if unconditional.status_code == 412:
            raise PreconditionFailedError("The picture is another one by now; ask without the condition.")
        for name, value in {**headers, "Vary": whole["Vary"]}.items():
            unconditional[name] = value
        return unconditional
    return _part(request, picture, whole)


def _part(request: Request, picture: Rendered, whole: HttpResponse) -> HttpResponse:
    asked = _RANGE.fullmatch(request.headers.get("Range", ""))
    # several parts, other units and nonsense may be answered with everything
    if asked is None or asked.groups() == ("", "") or not _range_holds(request, picture):
        return whole
    first, last = asked.groups()
    size = len(picture.data)
    if first:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return whole
    else:
        start, end = max(0, size - int(last)), size - 1
    if start > end:
        raise RangeNotSatisfiableError(
            "The picture ends before this part.",
            details={"size": size},
            headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"},
        )
    whole.content = picture.data[start : end + 1]
    whole.status_code = 206
    whole["Content-Range"] = f"bytes {start}-{end}/{size}"
    return whole


def _range_holds(request: Request, picture: Rendered) -> bool:
    """Whether the client's earlier parts belong to this picture, if it says which they are of."""
    condition = request.headers.get("If-Range")
    return condition is None or condition in (picture.etag, http_date(picture.captured_at))
