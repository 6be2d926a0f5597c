"""Log lines: their format, the request and job that they belong to, and no secret in them."""

import json
import logging
import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

from framegate.domain.provider_text import clean_text

LogFormat = Literal["text", "json"]
NOISY_LOGGERS = ("aiosqlite", "httpx2")  # they log whole statements and URLs, with the secrets in them
TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
FIELDS = "framegate_fields"  # attribute of a log record: more values for JSON lines
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
_SECRETS = re.compile(
    r"(\b(?:signature|sig|fal_jwt_token|download_token|download_sig|[a-z_-]*key|[a-z_-]*token|[a-z_-]*secret|password)=)"
    r"[^&\s\"']+"
    r"|(\bfg_[a-z0-9]{12}_)[A-Za-z0-9_-]{43}",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Return a text without keys, signatures and tokens: those in URLs, and the keys of Framegate and of accounts."""
    return _SECRETS.sub(lambda match: f"{match[1] or match[2]}…", clean_text(text))


def redact_query_secrets(record: logging.LogRecord) -> bool:
    """Redact the arguments of a log record; a filter for loggers that have handlers of others."""
    if isinstance(record.args, tuple):
        record.args = tuple(redact(item) if isinstance(item, str) else item for item in record.args)
    return True


class TextFormatter(logging.Formatter):
    """One line per record, with the id of the request."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        request_id = REQUEST_ID.get()
        return redact(super().format(record)) + (f" [{request_id}]" if request_id else "")


class JsonFormatter(logging.Formatter):
    """One JSON object per record: `time`, `level`, `logger`, `message`, `request_id`, `error`, and more fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        fields: Mapping[str, Any] = getattr(record, FIELDS, {})
        line |= {name: redact(value) if isinstance(value, str) else value for name, value in fields.items()}
        if record.exc_info:
            line["error"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging(level: str, log_format: LogFormat) -> None:
    """Write log lines to stderr in a format, with nothing secret in them."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter(TEXT_FORMAT))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def quiet_noisy_loggers() -> None:
    """Log only warnings of the libraries whose debug lines hold secrets."""
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def redact_request_logs() -> None:
    """Redact the lines of the HTTP server."""
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).addFilter(redact_query_secrets)
