"""Answers with stored images."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpResponse
from django.utils.http import http_date

from environments.validators import image_content_type


def image_response(request: Any, file: Any, missing: Exception) -> HttpResponse:
    """A stored image, for this caller only, with validators for its cache.

    Raises:
        missing: there is no file.
    """
    if not file:
        raise missing
    try:
        with file.open("rb") as opened:
            data = opened.read()
        modified = file.storage.get_modified_time(file.name)
    except FileNotFoundError:
        raise missing from None
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    if request.headers.get("If-None-Match") == etag:
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(data, content_type=image_content_type(data) or "application/octet-stream")
    response["ETag"] = etag
    response["Last-Modified"] = http_date(modified.timestamp())
    response["Cache-Control"] = "private, no-cache"
    return response
