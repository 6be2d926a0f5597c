"""Server-sent events and long polls: they come at once, stay alive, and end when the gateway stops."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from framegate.api.http import sse


async def endless() -> AsyncGenerator[bytes]:
    yield sse.format_event("status", {"a": 1}, number=7)
    await asyncio.Event().wait()


def test_an_event_is_written_as_the_standard_says():
    assert (
        sse.format_event("status", {"a": "ü\n"}, number=7) == 'event: status\ndata: {"a": "ü\\n"}\nid: 7\n\n'.encode()
    )
    assert sse.format_event("x", {}) == b"event: x\ndata: {}\n\n"


def test_a_stream_ends_after_the_last_event():
    async def two() -> AsyncGenerator[bytes]:
        yield b"one"
        yield b"two"

    async def read() -> list[bytes]:
        return [piece async for piece in sse._kept_alive(two(), asyncio.Event())]

    assert asyncio.run(read()) == [b"retry: 2000\n\n", b"one", b"two"]


def test_a_quiet_stream_says_that_it_is_alive(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sse, "QUIET_SECONDS_MAX", 0.001)

    async def read() -> list[bytes]:
        stream = sse._kept_alive(endless(), asyncio.Event())
        found = [await anext(stream) for _ in range(4)]
        await stream.aclose()
        return found

    assert asyncio.run(read())[1:] == [
        sse.format_event("status", {"a": 1}, number=7),
        b": still here\n\n",
        b": still here\n\n",
    ]


def test_a_stream_ends_when_the_gateway_stops_and_lets_its_source_go():
    let_go: list[str] = []

    async def source() -> AsyncGenerator[bytes]:
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            let_go.append("closed")

    async def read() -> list[bytes]:
        closing = asyncio.Event()
        asyncio.get_running_loop().call_later(0.01, closing.set)
        return [piece async for piece in sse._kept_alive(source(), closing)]

    assert asyncio.run(asyncio.wait_for(read(), 5)) == [b"retry: 2000\n\n", b"one"]
    assert let_go == ["closed"]


def test_a_wait_ends_with_its_outcome_or_when_the_gateway_stops():
    async def forty_two() -> int:
        return 42

    async def both() -> tuple[int | None, bool | None]:
        closing = asyncio.Event()
        first = await sse.until_closing(forty_two(), closing)
        closing.set()
        return first, await sse.until_closing(asyncio.Event().wait(), closing)

    assert asyncio.run(asyncio.wait_for(both(), 5)) == (42, None)


def test_a_wait_passes_an_error_on():
    async def broken() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        asyncio.run(sse.until_closing(broken(), asyncio.Event()))
