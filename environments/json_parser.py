"""What is accepted as JSON: of bounded size, and text that can be stored and answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

# routes that take pictures have a limit of their own; everything else is far smaller
MOST_BODY_BYTES = 1024 * 1024


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE


class BoundedJSONParser(JSONParser):
    """JSON without halves of surrogate pairs (`"\\ud800"`), which are no characters, also not in names of fields."""

    most_bytes = MOST_BODY_BYTES

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        raw = stream.read(self.most_bytes + 1)
        if len(raw) > self.most_bytes:
            raise BodyTooLarge(f"The body is too large; send at most {self.most_bytes} bytes.")
        data = super().parse(BytesIO(raw), media_type, parser_context)
        # only an escape can name one
        if b"\\ud" in raw.lower():
            try:
                json.dumps(data, ensure_ascii=False).encode()
            except UnicodeEncodeError as error:
                raise ParseError("The JSON has half of a surrogate pair, which is no character.") from error
        return data
