"""Log lines: no secret in any of them, and one object per line as JSON."""

import json
import logging
from typing import Any

import pytest

from framegate.telemetry.logging import FIELDS, REQUEST_ID, JsonFormatter, TextFormatter

KEY = f"fg_{'a' * 12}_{'B' * 43}"


def record(message: str, *args: object, **more: Any) -> logging.LogRecord:
    return logging.LogRecord("framegate.x", logging.INFO, "x.py", 1, message, args, more.pop("exc_info", None))


@pytest.fixture(params=[TextFormatter(), JsonFormatter()], ids=["text", "json"])
def formatter(request: pytest.FixtureRequest) -> logging.Formatter:
    return request.param


@pytest.mark.parametrize(
    "text",
    [
        f"GET /api/v1/videos?key={KEY} HTTP/1.1",
        f"GET /x?a=1&api_key={KEY}&b=2",
        f"/x?access_token={KEY}",
        f"/x?API-KEY={KEY}",
        f"Authorization: Bearer {KEY}",
        f"a key in words: {KEY}.",
        "GET /x?key=operator-key-SECRET-B",
        "GET /x?signature=SECRETBBBB&expires=1",
        "GET /x?download_token=SECRETBBBB",
        "GET /x?fal_jwt_token=SECRETBBBB",
    ],
)
@pytest.mark.parametrize("place", ["message", "argument", "error"])
def test_no_line_has_a_key_a_signature_or_a_token(formatter: logging.Formatter, text: str, place: str):
    if place == "error":
        error = ValueError(text)
        line = formatter.format(record("failed", exc_info=(type(error), error, None)))
    else:
        line = formatter.format(record(text) if place == "message" else record("%s", text))

    assert "SECRET" not in line
    assert "B" * 43 not in line
    assert "…" in line or "\\u2026" in line


def test_harmless_text_is_unchanged():
    text = "GET /api/v1/videos?limit=5&monkey_business=1 took a keyframe 200"

    assert TextFormatter().format(record(text)) == text


def test_a_json_line_has_the_fields_of_its_record_and_the_request():
    token = REQUEST_ID.set("request-1")
    try:
        line = record("Job %s\nfailed", "a")
        setattr(line, FIELDS, {"job": "a", "seconds": 1.5})
        written = JsonFormatter().format(line)
    finally:
        REQUEST_ID.reset(token)

    assert "\n" not in written
    fields = json.loads(written)
    assert (fields["message"], fields["job"], fields["seconds"]) == ("Job a\nfailed", "a", 1.5)
    assert (fields["level"], fields["logger"], fields["request_id"]) == ("info", "framegate.x", "request-1")
