"""Request bodies, read within limits: streamed, or whole as strict JSON."""

import asyncio
import hashlib
import json
import math
from collections.abc import AsyncIterator
from typing import Any, cast

from fastapi import Request
from pydantic_core import from_json

from framegate.api.http.validation import INTEGER_MAX
from framegate.domain import Problem
from framegate.domain.errors import FramegateError, InvalidRequest, TooLarge, UnsupportedMediaType

DEPTH_MAX = 32
TEXT_CHARS_MAX = 10_000
IDLE_SECONDS_MAX = 60.0  # between two chunks of a body


class TooSlow(FramegateError):
    """Timeout while reading the body. Send it again."""

    code = "body_too_slow"
    status = 408


async def chunks(request: Request, *, bytes_max: int) -> AsyncIterator[bytes]:
    """Yield the body as it arrives. Raises `TooLarge` as early as possible, `TooSlow` after a minute without a byte."""
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


async def read_json(request: Request, *, bytes_max: int) -> Any:  # noqa: ANN401 - JSON is what it is
    """Return the JSON body.

    Raises `UnsupportedMediaType` for another content type (a web page of another origin can send those without a
    preflight), and `InvalidRequest` for JSON that cannot be stored: NaN, infinity, integers beyond 64 bits, NUL
    characters, more than 32 levels.
    """
    kind = media_type(request)
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        received = f"`{kind}`" if kind else "no content type"
        raise UnsupportedMediaType(f"The body must be JSON with `Content-Type: application/json`; received {received}.")
    text = bytearray()
    async for chunk in chunks(request, bytes_max=bytes_max):
        text += chunk
    if not text.strip():
        raise _not_json("The body is empty; it must be a JSON object.")
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise _not_json(f"Invalid JSON: {error}.") from error
    _check_values(value)
    return value


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


def _not_json(message: str) -> InvalidRequest:
    return InvalidRequest([Problem(code="invalid_json", pointer="", message=message)])


def _check_values(value: object) -> None:
    stack: list[tuple[object, int, tuple[str | int, ...]]] = [(value, 1, ())]
    while stack:
        item, depth, path = stack.pop()
        rule = _broken_rule(item, depth)
        if rule:
            pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
            raise InvalidRequest([Problem(code="invalid_json", pointer=pointer, message=rule)])
        if isinstance(item, dict):
            for key, child in cast("dict[str, object]", item).items():
                if "\0" in key:
                    raise _not_json("A key contains a NUL character, which is not allowed.")
                stack.append((child, depth + 1, (*path, key)))
        elif isinstance(item, list):
            stack.extend((child, depth + 1, (*path, index)) for index, child in enumerate(cast("list[object]", item)))


def _broken_rule(item: object, depth: int) -> str:
    if depth > DEPTH_MAX:
        return f"The body is nested deeper than {DEPTH_MAX} levels."
    if isinstance(item, str) and "\0" in item:
        return "A text contains a NUL character, which is not allowed."
    if isinstance(item, int) and not -INTEGER_MAX - 1 <= item <= INTEGER_MAX:
        return "An integer is larger than 64 bits."
    if isinstance(item, float) and not math.isfinite(item):
        return "A number is too large."
    return ""
