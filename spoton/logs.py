"""How log records are written: with what they are about (`tracking.log_context`), as a line or as a JSON object."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from spoton.api.envelope import timestamp_utc
from tracking.log_context import bound


class ContextFilter(logging.Filter):
    """Gives every log record `context` (a mapping) and `context_suffix` (empty when there is nothing to say)."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.context = bound()
        fields = " ".join(f"{name}={value}" for name, value in record.context.items())
        record.context_suffix = f" [{fields}]" if fields else ""
        return True


class JsonFormatter(logging.Formatter):
    """One object per record: time, level, logger, message; where known request_id, task_id, batch, ..., exception.

    Needs the filters of `settings.LOGGING`.
    """

    def format(self, record: logging.LogRecord) -> str:
        context = {"task_id" if name == "task" else name: value for name, value in record.context.items()}
        fields = {
            "time": timestamp_utc(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": record.request_id,
            **context,
            "exception": self.formatException(record.exc_info) if record.exc_info else "",
        }
        return json.dumps(
            {name: value for name, value in fields.items() if value not in ("", None)}, default=str
        )
