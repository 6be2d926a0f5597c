"""Waiting with a client without holding a thread: server-sent events and long polls, both ended by a stop."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Mapping
from typing import Any, TypeVar

from starlette.responses import StreamingResponse

QUIET_SECONDS_MAX = 15.0
RETRY_MS = 2000
PING = "still here"

T = TypeVar("T")


def frame(name: str, data: Mapping[str, Any], *, number: int | None = None) -> bytes:
    """One server-sent event. `number` is what the client sends back as `Last-Event-ID`."""
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def data_frame(data: Mapping[str, Any]) -> bytes:
    """One server-sent event without a name."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def event_stream(
    frames: AsyncGenerator[bytes], closing: asyncio.Event, *, ping: str = PING, retry: bool = True
) -> StreamingResponse:
    """An answer of server-sent events: these frames, a comment where it is quiet, an end when the gate stops.

    `retry`: first say how soon to come back. Some clients take that line for an event.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _kept_alive(frames, closing, ping, retry=retry), media_type="text/event-stream", headers=headers
    )


async def _kept_alive(
    frames: AsyncGenerator[bytes], closing: asyncio.Event, ping: str = PING, *, retry: bool = True
) -> AsyncGenerator[bytes]:
    if retry:
        yield f"retry: {RETRY_MS}\n\n".encode()
    stop = asyncio.ensure_future(closing.wait())
    following: asyncio.Future[bytes | None] | None = None
    try:
        while not stop.done():
            following = following or asyncio.ensure_future(anext(frames, None))
            await asyncio.wait({following, stop}, timeout=QUIET_SECONDS_MAX, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                written, following = following.result(), None
                if written is None:
                    return
                yield written
            elif not stop.done():
                yield f": {ping}\n\n".encode()
    finally:
        await _let_go(stop, following)
        await frames.aclose()


async def until_closing(waiting: Awaitable[T], closing: asyncio.Event) -> T | None:
    """What was waited for, or None when the gate begins to stop first."""
    wanted, stop = asyncio.ensure_future(waiting), asyncio.ensure_future(closing.wait())
    try:
        await asyncio.wait({wanted, stop}, return_when=asyncio.FIRST_COMPLETED)
        return wanted.result() if wanted.done() else None
    finally:
        await _let_go(wanted, stop)


async def _let_go(*futures: asyncio.Future[Any] | None) -> None:
    mine = [future for future in futures if future is not None]
    for future in mine:
        future.cancel()
    await asyncio.gather(*mine, return_exceptions=True)
