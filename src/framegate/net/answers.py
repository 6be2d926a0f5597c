"""Responses of vendors: one bounded and lenient reading of everything that such a response can say."""

import email.utils
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from math import isfinite
from typing import Any, cast

from framegate.domain.errors import ProviderError
from framegate.domain.json import as_list, as_object
from framegate.domain.numbers import bounded_number
from framegate.domain.provider_text import clean_line

RESPONSE_BYTES_MAX = 16 * 2**20  # of a body, compressed and decompressed
DEPTH_MAX = 64  # of nested objects and lists
NODES_MAX = 200_000  # values in one body
DIGITS_MAX = 18  # a longer whole number stays the text that was sent
RETRY_AFTER_SECONDS_MAX = 300.0  # the next order after it is the probe
MESSAGE_CHARS_MAX = 500
CODE_CHARS_MAX = 100
ERROR_DEPTH_MAX = 8
ERROR_PARTS_MAX = 20  # of one list of errors
SALVAGED_CHARS_MAX = 2**20  # of a body that is not JSON, in which a value is searched

MESSAGE_KEYS = (
    "error", "message", "msg", "error_message", "errorMessage", "detail", "details", "reason", "failure_reason",
    "failureReason", "description", "title", "errors", "data",
)  # fmt: skip
CODE_KEYS = ("code", "error_code", "errorCode", "type", "error_type", "errorType")
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.?)*+"?+|[\[\]{}]', re.DOTALL)
_VALUE = re.compile(r'\s*:\s*("(?:[^"\\]++|\\.)*+"|-?\d+(?=[\s,}\]]))', re.DOTALL)


class Unreadable(ValueError):
    """A body that is not JSON, or more of it than is read."""


@dataclass(frozen=True, slots=True)
class Response:
    """A service's response. `is_cut`: the connection ended before the whole body had arrived."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: float = 0.0  # wall clock, in Unix seconds
    is_cut: bool = False

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:  # noqa: ANN401 - a JSON value
        """The body as JSON. Raises `ProviderError` if it cannot be read."""
        try:
            return parse_json(self.body)
        except Unreadable as error:
            start = clean_line(self.body[:400].decode("utf-8", "replace"), 80)
            message = f"The response ({self.status}) cannot be read: {error}. It starts: {start!r}."
            raise ProviderError(message) from error

    def object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises `ProviderError` if it is not one."""
        value = self.json()
        if not isinstance(value, dict):
            raise ProviderError(f"The response ({self.status}) is not a JSON object.")
        return cast("dict[str, Any]", value)

    def value(self) -> Any:  # noqa: ANN401 - a JSON value
        """The body as JSON; None if it cannot be read."""
        try:
            return parse_json(self.body)
        except Unreadable:
            return None

    def fields(self) -> dict[str, Any]:
        """The fields of a JSON object; none for any other body."""
        return as_object(self.value())

    @property
    def sent_at(self) -> datetime | None:
        """When the service sent the response, by its own clock; None if it does not say so."""
        try:
            sent_at = email.utils.parsedate_to_datetime(self.headers.get("date", ""))
        except (ValueError, TypeError, OverflowError):
            return None
        return sent_at if sent_at.tzinfo else sent_at.replace(tzinfo=UTC)

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before the next request, if the service says so: at most 5 minutes."""
        text = self.headers.get("retry-after", "").strip()
        if text.isdecimal():
            seconds = bounded_number(text.lstrip("0") or "0", RETRY_AFTER_SECONDS_MAX)
            return RETRY_AFTER_SECONDS_MAX if seconds is None else float(seconds)
        try:
            retry_at = email.utils.parsedate_to_datetime(text).timestamp()
        except (ValueError, TypeError, OverflowError, OSError):
            return None
        return min(max(0.0, retry_at - self.received_at), RETRY_AFTER_SECONDS_MAX)


@dataclass(frozen=True, slots=True)
class ErrorText:
    """What a service says about an error: a sentence, and its code. Each is empty if it says none."""

    message: str = ""
    code: str = ""


# -- JSON


def parse_json(body: bytes) -> Any:  # noqa: ANN401 - a JSON value
    """JSON whose bytes may be wrongly encoded. Size and nesting are judged before it is parsed.

    A number that is longer than a machine number remains the text that was sent. Raises `Unreadable`.
    """
    if len(body) > RESPONSE_BYTES_MAX:
        raise Unreadable(f"it is larger than {RESPONSE_BYTES_MAX:,} bytes")
    text = body.decode(json.detect_encoding(body), "replace")
    opened = text.count("[") + text.count("{")
    if opened + text.count(",") > NODES_MAX:
        raise Unreadable(f"it has more than {NODES_MAX:,} values")
    if opened > DEPTH_MAX and _depth(text) > DEPTH_MAX:
        raise Unreadable(f"it is nested more than {DEPTH_MAX} levels deep")
    try:
        return _decoder.decode(text)
    except ValueError as error:
        raise Unreadable("it is not JSON") from error


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) <= DIGITS_MAX else digits


def _number(digits: str) -> float | str:
    number = float(digits)
    return number if isfinite(number) else digits


_decoder = json.JSONDecoder(strict=False, parse_int=_whole_number, parse_float=_number, parse_constant=str)


def _depth(text: str) -> int:
    """The nesting of JSON; the count ends above `DEPTH_MAX`."""
    depth = deepest = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > DEPTH_MAX:
                break
        elif token[0] in "]}":
            depth -= 1
    return deepest


def salvage(body: bytes, key: str) -> str | None:
    """The value of a key, a text or a number, in a body that is not whole JSON: the least nested one.

    Only the first megabyte is searched.
    """
    text = body[:SALVAGED_CHARS_MAX].decode("utf-8", "replace")
    depth, found, found_at = 0, None, None
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        elif token[0] == f'"{key}"' and (found_at is None or depth < found_at):
            value = _VALUE.match(text, token.end())
            found, found_at = (value[1], depth) if value else (found, found_at)
    if found is None:
        return None
    try:
        return str(json.loads(found, strict=False)) if found.startswith('"') else found
    except ValueError:
        return None


def decompressed(body: bytes, encoding: str) -> bytes:
    """A body without its `content-encoding`, if that is gzip or deflate and the body has it; else as it is.

    Raises `Unreadable` if it becomes too large.
    """
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    for is_raw, window_bits in ((False, zlib.MAX_WBITS | 32), (True, -zlib.MAX_WBITS)):  # by its header; without one
        stream = zlib.decompressobj(window_bits)
        try:
            plain = stream.decompress(body, RESPONSE_BYTES_MAX + 1)
        except zlib.error:
            continue
        if len(plain) > RESPONSE_BYTES_MAX:
            raise Unreadable(f"it is larger than {RESPONSE_BYTES_MAX:,} bytes")
        if stream.eof or not is_raw:
            return plain
    return body


# -- errors


def find_error_message(response: Response) -> str:
    """The error message in a response, at the places where services commonly put it."""
    value = response.value()
    if value is None:
        return clean_line(response.body[: 8 * MESSAGE_CHARS_MAX].decode("utf-8", "replace"), MESSAGE_CHARS_MAX)
    return find_error(value).message or clean_line(json.dumps(value)[: 8 * MESSAGE_CHARS_MAX], MESSAGE_CHARS_MAX)


def find_error(value: object) -> ErrorText:
    """The sentence and the code in an error of any shape: a text, an object, a list, each in another."""
    messages = list(islice(_messages(value, ERROR_DEPTH_MAX), ERROR_PARTS_MAX))
    sentences = [message for message in messages if " " in message or message.rstrip()[-1] in ".!?"]
    code = next(_codes(value, ERROR_DEPTH_MAX), "")
    words = [message for message in messages if message not in sentences]
    if sentences and not code:
        code = next((word for word in words if word.isascii()), "")
    return ErrorText(
        message=clean_line(next(iter(sentences or words), ""), MESSAGE_CHARS_MAX),
        code=clean_line(code, CODE_CHARS_MAX),
    )


def _messages(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if value.strip():
            yield value
    elif depth:
        for part in _parts(value):
            yield from _messages(part, depth - 1)


def _parts(value: object) -> list[Any]:
    """The items of a list, or the fields of an object that may have a message."""
    fields = as_object(value)
    return [*as_list(value)[:ERROR_PARTS_MAX], *(fields[key] for key in MESSAGE_KEYS if key in fields)]


def _codes(value: object, depth: int) -> Iterator[str]:
    """The codes next to the messages, the innermost first."""
    if not depth:
        return
    for part in _parts(value):
        yield from _codes(part, depth - 1)
    for key in CODE_KEYS:
        code = as_object(value).get(key)
        if isinstance(code, str | int) and not isinstance(code, bool) and str(code).strip():
            yield str(code)
