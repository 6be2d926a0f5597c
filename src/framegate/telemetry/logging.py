"""Log hygiene: no secret in a line of the log."""

import logging
import re

NOISY_LOGGERS = ("aiosqlite", "httpx2")  # they log whole statements and URLs, with the secrets in them
_SECRET_PARAMETERS = re.compile(r"\b((?:signature|fal_jwt_token|download_token|download_sig)=)[^&\s\"]+")


def redact_query_secrets(record: logging.LogRecord) -> bool:
    """Replace the signatures and tokens of URLs in a log record; a filter for `logging`."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            _SECRET_PARAMETERS.sub(r"\1…", argument) if isinstance(argument, str) else argument
            for argument in record.args
        )
    return True


def quiet_noisy_loggers() -> None:
    """Log only warnings of the libraries whose debug lines hold secrets."""
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def redact_request_logs() -> None:
    """Redact the lines of the HTTP server."""
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).addFilter(redact_query_secrets)
