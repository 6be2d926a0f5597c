"""A service that goes wrong: each fault is a coroutine that is given the connection after the whole request is read."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Faulty:
    """Counts what it was sent; `heads` are the requests' first lines and headers."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.heads: list[str] = []
        self.url = ""
        self.open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open[writer] = asyncio.current_task()
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
            await reader.readexactly(int(lengths[0]) if lengths else 0)
            self.heads.append(head)
            await self.act(writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def end(self) -> None:
        """End what is still going on."""
        for task in self.open.values():
            if task is not None:
                task.cancel()
        for writer in self.open:
            writer.transport.abort()
        await asyncio.gather(*filter(None, self.open.values()), return_exceptions=True)


@asynccontextmanager
async def faulty(act: Act) -> AsyncIterator[Faulty]:
    """Serve one fault on a free port."""
    service = Faulty(act)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield service
    finally:
        server.close()
        await service.end()


def answer(status: int, body: object = "", **headers: str) -> Act:
    """A plain answer."""

    async def act(writer: asyncio.StreamWriter) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        lines = [f"HTTP/1.1 {status} x", f"content-length: {len(data)}", "connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + data)
        await writer.drain()

    return act


def raw(data: bytes) -> Act:
    """These bytes, and the end."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return act


async def cut(writer: asyncio.StreamWriter) -> None:
    """The connection ends as the request is read."""
    writer.transport.abort()


async def silence(_: asyncio.StreamWriter) -> None:
    """Nothing at all."""
    await asyncio.Event().wait()


async def trickle(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, for ever."""
    writer.write(b"HTTP/1.1 200 x\r\ncontent-length: 1000000\r\n\r\n")
    while not writer.transport.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)
