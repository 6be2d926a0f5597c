"""Request bodies, read within limits: streamed, or whole as strict JSON.

This is the only JSON parser for what clients send. A body that costs more than it may is rejected before it is parsed.
"""

import asyncio
import hashlib
import json
import math
import re
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from typing import Any, cast

import jiter
from fastapi import Request

from framegate.api.http.json_scan import KEY_CHARS_MAX, JsonScan, invalid_json
from framegate.api.http.validation import INTEGER_MAX, NAME_CHARS_MAX, json_pointer
from framegate.domain import Problem
from framegate.domain.errors import FramegateError, InvalidRequest, TooLarge, UnsupportedMediaType

INLINE_BYTES_MAX = 2**18  # a larger body is parsed in a thread
DISCARDED_BYTES_MAX = 8 * 2**20  # received of the rest of a rejected body
TEXT_CHARS_MAX = 10_000  # a longer text is hashed before it is compared
IDLE_SECONDS_MAX = 60.0  # between two chunks of a body
BOM = b"\xef\xbb\xbf"
DUPLICATE = re.compile(r'Detected duplicate key "(.*)" at line \d+ column \d+', re.DOTALL)


class TooSlow(FramegateError):
    """Timeout while reading the body. Send it again."""

    code = "body_too_slow"
    status = 408


class UnsupportedCoding(UnsupportedMediaType):
    """Compressed request bodies are not supported."""

    code = "unsupported_content_encoding"


async def chunks(request: Request, *, bytes_max: int) -> AsyncIterator[bytes]:
    """Yield the body as it arrives.

    Raises `UnsupportedCoding` for a compressed body, `TooLarge` as early as possible, `TooSlow` after a minute without
    a byte.
    """
    _check_coding(request)
    problem = f"The body is larger than the maximum of {bytes_max:,} bytes."
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > bytes_max:
        raise TooLarge(problem)
    stream = aiter(request.stream())
    received = 0
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS_MAX):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            raise TooSlow from error
        if chunk is None:
            return
        received += len(chunk)
        if received > bytes_max:
            raise TooLarge(problem)
        yield chunk


def media_type(request: Request) -> str:
    """Return the content type of the body, without its parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_json(request: Request, *, bytes_max: int, base64_fields: Collection[bytes] = ()) -> Any:  # noqa: ANN401 - JSON is what it is
    """Return the JSON body, of at most `bytes_max` with its data URLs; the other limits are those of `json_scan`.

    `base64_fields` are keys whose value may be as long as a data URL. Raises `UnsupportedMediaType` for another content
    type (a web page of another origin can send those without a preflight), `TooLarge`, and `InvalidRequest` for what
    `parse_json` rejects.
    """
    kind = media_type(request)
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        received = f"`{kind[:NAME_CHARS_MAX]}`" if kind else "no content type"
        raise UnsupportedMediaType(f"The body must be JSON with `Content-Type: application/json`; received {received}.")
    body, scan = bytearray(), JsonScan(base64_fields)
    pieces = chunks(request, bytes_max=bytes_max)
    async for piece in pieces:
        body += piece
        try:
            scan.extend(body)
        except (InvalidRequest, TooLarge):
            await _discard(pieces)
            raise
    return await asyncio.to_thread(_parse, body) if len(body) > INLINE_BYTES_MAX else _parse(body)


async def _discard(pieces: AsyncIterator[bytes]) -> None:
    """Receive the rest of a body, within limits: a client that is still sending would not read the answer."""
    size = 0
    with suppress(TooLarge, TooSlow):
        async for piece in pieces:
            size += len(piece)
            if size > DISCARDED_BYTES_MAX:
                return


def parse_json(text: bytes) -> Any:  # noqa: ANN401 - JSON is what it is
    """Return the value of JSON that a client sent outside of a body, for example in a header.

    Raises `TooLarge`, and `InvalidRequest` for JSON that costs too much (see `json_scan`), that says two things
    (duplicate keys), or that cannot be stored: NaN, infinity, integers beyond 64 bits, NUL characters.
    """
    body = bytearray(text)
    JsonScan().extend(body)
    return _parse(body)


def _parse(body: bytearray) -> object:
    if not body or body.isspace():
        raise invalid_json("The body is empty; it must be a JSON object.")
    text = bytes(memoryview(body)[len(BOM) :] if body.startswith(BOM) else body)
    body.clear()
    try:
        value = jiter.from_json(text, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        message = str(error)
        if duplicate := DUPLICATE.fullmatch(message):
            message = f"The key `{duplicate[1][:NAME_CHARS_MAX]}` occurs twice in one object. Send it once."
            raise InvalidRequest([Problem(code="duplicate_key", pointer="", message=message)]) from error
        raise invalid_json(f"Invalid JSON: {message[:NAME_CHARS_MAX]}.") from error
    _check_values(value)
    return value


def _check_coding(request: Request) -> None:
    codings = [coding.strip().lower() for coding in ",".join(request.headers.getlist("content-encoding")).split(",")]
    coding = next((coding for coding in codings if coding not in ("", "identity")), None)
    if coding is not None:
        name = coding[:NAME_CHARS_MAX]
        raise UnsupportedCoding(f"`Content-Encoding: {name}` is not supported. Send the body uncompressed.")


def fingerprint(value: object) -> str:
    """Return a hash that is equal for equal JSON values, whatever the order of their keys."""
    text = json.dumps(_shortened(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _shortened(value: object) -> object:
    """Return the value with a hash in place of each long text (a data URL), which is slow to serialize."""
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_shortened(item) for item in cast("list[object]", value)]
    if isinstance(value, str) and len(value) > TEXT_CHARS_MAX:
        return f"\0{hashlib.sha256(value.encode()).hexdigest()}"  # no text of a client starts with NUL
    return value


def _check_values(value: object) -> None:
    stack: list[tuple[object, tuple[str | int, ...]]] = [(value, ())]
    while stack:
        item, path = stack.pop()
        if rule := _broken_rule(item):
            raise invalid_json(rule, pointer=json_pointer(path))
        if isinstance(item, dict):
            for key, child in cast("dict[str, object]", item).items():
                if "\0" in key:
                    raise invalid_json("A key contains a NUL character, which is not allowed.")
                if len(key) > KEY_CHARS_MAX:
                    name = key[:NAME_CHARS_MAX]
                    raise invalid_json(f"The key `{name}…` is longer than {KEY_CHARS_MAX} characters.")
                stack.append((child, (*path, key)))
        elif isinstance(item, list):
            stack.extend((child, (*path, index)) for index, child in enumerate(cast("list[object]", item)))


def _broken_rule(item: object) -> str:
    if isinstance(item, str) and "\0" in item:
        return "A text contains a NUL character, which is not allowed."
    if isinstance(item, int) and not -INTEGER_MAX - 1 <= item <= INTEGER_MAX:
        return "An integer is larger than 64 bits."
    if isinstance(item, float) and not math.isfinite(item):
        return "A number is too large."
    return ""
