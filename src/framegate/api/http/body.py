"""Request bodies, read within limits: as they arrive, or whole as strict JSON."""

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
IDLE_SECONDS_MAX = 60.0  # between two pieces of a body


class TooSlow(FramegateError):
    """The body stopped arriving. Send it again."""

    code = "body_too_slow"
    status = 408


async def pieces(request: Request, *, bytes_max: int) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises `TooLarge` as soon as that is known, `TooSlow` after a minute without a byte."""
    problem = f"The body is larger than the {bytes_max} bytes that are taken here."
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > bytes_max:
        raise TooLarge(problem)
    stream = aiter(request.stream())
    received = 0
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS_MAX):
                piece = await anext(stream, None)
        except TimeoutError as error:
            raise TooSlow from error
        if piece is None:
            return
        received += len(piece)
        if received > bytes_max:
            raise TooLarge(problem)
        yield piece


def media_type(request: Request) -> str:
    """The body's content type, without its parameters, in small letters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_json(request: Request, *, bytes_max: int) -> Any:  # noqa: ANN401 - JSON is what it is
    """The JSON body.

    Raises `UnsupportedMediaType` for another content type (a foreign web page can send those without asking), and
    `InvalidRequest` for what is not JSON that every part behind can keep: NaN, infinity, integers beyond 64 bits,
    NUL characters, more than 32 levels.
    """
    kind = media_type(request)
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        said = f"`{kind}`" if kind else "no content type"
        raise UnsupportedMediaType(
            f"The body must be JSON, sent as `Content-Type: application/json`; it came as {said}."
        )
    text = bytearray()
    async for piece in pieces(request, bytes_max=bytes_max):
        text += piece
    if not text.strip():
        raise _not_json("The body is empty; it must be a JSON object.")
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise _not_json(f"The body is not JSON: {error}.") from error
    _look_through(value)
    return value


def fingerprint(value: object) -> str:
    """The same for two JSON values that mean the same, whatever the order of their keys."""
    text = json.dumps(_shortened(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _shortened(value: object) -> object:
    """The value with a hash in the place of each long text (a data URL): those take long to write as JSON."""
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_shortened(item) for item in cast("list[object]", value)]
    if isinstance(value, str) and len(value) > TEXT_CHARS_MAX:
        return f"\0{hashlib.sha256(value.encode()).hexdigest()}"  # no text of a client begins with NUL
    return value


def _not_json(message: str) -> InvalidRequest:
    return InvalidRequest([Problem(code="invalid_json", pointer="", message=message)])


def _look_through(value: object) -> None:
    todo: list[tuple[object, int, tuple[str | int, ...]]] = [(value, 1, ())]
    while todo:
        item, depth, place = todo.pop()
        rule = _broken_rule(item, depth)
        if rule:
            pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place)
            raise InvalidRequest([Problem(code="invalid_json", pointer=pointer, message=rule)])
        if isinstance(item, dict):
            for key, child in cast("dict[str, object]", item).items():
                if "\0" in key:
                    raise _not_json("A key has a NUL character, which is not taken.")
                todo.append((child, depth + 1, (*place, key)))
        elif isinstance(item, list):
            todo.extend((child, depth + 1, (*place, at)) for at, child in enumerate(cast("list[object]", item)))


def _broken_rule(item: object, depth: int) -> str:
    if depth > DEPTH_MAX:
        return f"The body is nested more than {DEPTH_MAX} levels deep."
    if isinstance(item, str) and "\0" in item:
        return "A text has a NUL character, which is not taken."
    if isinstance(item, int) and not -INTEGER_MAX - 1 <= item <= INTEGER_MAX:
        return "An integer is beyond 64 bits."
    if isinstance(item, float) and not math.isfinite(item):
        return "A number is too large."
    return ""
