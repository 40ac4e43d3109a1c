"""The server's log, on stderr: a line a record, as text or as JSON."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec


def set_up_log(level: str, *, json: bool) -> None:
    """Log everything from `level` (debug, info, warning, error) up to stderr.

    A record may carry `extra={"fields": {...}}`: they follow the text as `key=value`, and are keys
    of their own in JSON.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if json else _TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(record, "fields", {})
    return fields


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        said = " ".join(
            [record.getMessage(), *(f"{key}={value}" for key, value in _fields(record).items())]
        )
        line = f"{_time(record)} {record.levelname.lower()} {said}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()
