"""Server-sent events and long polls; both end when the gateway stops."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

import anyio
from fastapi.sse import format_sse_event
from starlette.responses import Response, StreamingResponse

from framegate.domain.machine import REAL_MACHINE

QUIET_SECONDS_MAX = 15.0
PING_SPREAD = 0.6  # the shortest time between two pings, as a share of the longest
RETRY_MS = 2000
PING = "still here"

T = TypeVar("T")
Refusal = Callable[[], Awaitable[bytes | None]]


async def _no_refusal() -> None:
    return None


def format_event(name: str | None, data: Mapping[str, Any], *, number: int | None = None) -> bytes:
    """Return one server-sent event. Clients send `number` back as `Last-Event-ID`."""
    event_id = None if number is None else str(number)
    return format_sse_event(data_str=json.dumps(data, ensure_ascii=False), event=name, id=event_id)


def event_stream(
    frames: AsyncGenerator[bytes],
    closing: asyncio.Event,
    *,
    refusal: Refusal,
    ping: str = PING,
    retry: bool = True,
) -> StreamingResponse:
    """Return a response of server-sent events: `frames`, comments in between, an end when the gateway stops.

    `refusal` is called before each event and comment: it returns the last event once the client has lost access.
    `retry` sends the reconnection time first; some clients mistake that line for an event.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _kept_alive(frames, closing, refusal, ping, retry=retry), media_type="text/event-stream", headers=headers
    )


async def _kept_alive(
    frames: AsyncGenerator[bytes],
    closing: asyncio.Event,
    refusal: Refusal = _no_refusal,
    ping: str = PING,
    *,
    retry: bool = True,
) -> AsyncGenerator[bytes]:
    if retry:
        yield format_sse_event(retry=RETRY_MS)
    stop = asyncio.ensure_future(closing.wait())
    next_frame: asyncio.Future[bytes | None] | None = None
    try:
        while not stop.done():
            next_frame = next_frame or asyncio.ensure_future(anext(frames, None))
            seconds = QUIET_SECONDS_MAX * REAL_MACHINE.uniform(PING_SPREAD, 1)  # not all streams at one moment
            await asyncio.wait({next_frame, stop}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not stop.done() and (last := await refusal()) is not None:
                yield last
                return
            if next_frame.done():
                frame, next_frame = next_frame.result(), None
                if frame is None:
                    return
                yield frame
            elif not stop.done():
                yield format_sse_event(comment=ping)
    finally:
        with anyio.CancelScope(shield=True):  # also if the client is gone: no task and no generator stays behind
            await _cancel(stop, next_frame)
            await frames.aclose()


def refusal_event(response: Response) -> bytes:
    """Return the event `error` with the body of an error response: the last one of a stream."""
    return format_sse_event(data_str=bytes(response.body).decode(), event="error")


async def until_closing(waiting: Awaitable[T], closing: asyncio.Event) -> T | None:
    """Return the result of `waiting`, or None if the gateway begins to stop first."""
    result, stop = asyncio.ensure_future(waiting), asyncio.ensure_future(closing.wait())
    try:
        await asyncio.wait({result, stop}, return_when=asyncio.FIRST_COMPLETED)
        return result.result() if result.done() else None
    finally:
        with anyio.CancelScope(shield=True):
            await _cancel(result, stop)


async def _cancel(*futures: asyncio.Future[Any] | None) -> None:
    pending = [future for future in futures if future is not None]
    for future in pending:
        future.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
