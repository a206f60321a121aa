"""Cursor pagination: stable under inserts, `next`/`previous` in `meta.pagination`."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import CursorPagination as BaseCursorPagination
from rest_framework.response import Response


class CursorPagination(BaseCursorPagination):
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 500
    ordering = "pk"

    def get_paginated_response(self, data: list[Any]) -> Response:
        response = Response(data)
        response.pagination = {"next": self.get_next_link(), "previous": self.get_previous_link()}
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        # the envelope around it is added for all operations at once, see spoton.api.schema
        return schema
