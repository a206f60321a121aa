"""Cursor pagination: stable under inserts, `next`/`previous` in `meta.pagination`."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError, models
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination as BaseCursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from environments.errors import ValidationFailedError


class CursorPagination(BaseCursorPagination):
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 500
    ordering = "pk"
    cursor_query_description = "Where the page begins: from `next` or `previous` of another one."

    def paginate_queryset(
        self, queryset: models.QuerySet, request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        """The page that was asked for.

        Raises:
            ValidationFailedError: `cursor` or `limit` is none.
        """
        try:
            return super().paginate_queryset(queryset, request, view)
        # a cursor is read as a value of the database; whoever writes one can write anything
        except (ValidationError, ValueError, DataError) as error:
            raise _wrong("cursor", "Take it from `next` or `previous` of an answer.") from error

    def decode_cursor(self, request: Request) -> Any:
        try:
            return super().decode_cursor(request)
        except NotFound as error:
            raise _wrong("cursor", "Take it from `next` or `previous` of an answer.") from error

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get(self.page_size_query_param)
        if asked is None:
            return self.page_size
        if not (asked.isascii() and asked.isdecimal() and 1 <= int(asked[:9]) <= self.max_page_size):
            raise _wrong(
                self.page_size_query_param, f"Must be a whole number from 1 to {self.max_page_size}."
            )
        return int(asked)

    def get_paginated_response(self, data: list[Any]) -> Response:
        response = Response(data)
        response.pagination = {"next": self.get_next_link(), "previous": self.get_previous_link()}
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        # the envelope around it is added for all operations at once, see spoton.api.schema
        return schema

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        cursor, limit = super().get_schema_operation_parameters(view)
        limit["schema"] = {
            "type": "integer",
            "minimum": 1,
            "maximum": self.max_page_size,
            "default": self.page_size,
        }
        return [cursor, limit]


def _wrong(name: str, problem: str) -> ValidationFailedError:
    return ValidationFailedError(f"`{name}` is wrong: {problem}", details={"fields": {name: [problem]}})
