"""A service with one fault: a coroutine that gets the connection after the whole request is read."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Fault = Callable[[asyncio.StreamWriter], Awaitable[None]]


class FaultyServer:
    """Records the first line and headers of each request in `heads`."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
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
            await self.fault(writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def stop(self) -> None:
        """Abort the open connections."""
        for task in self.open.values():
            if task is not None:
                task.cancel()
        for writer in self.open:
            writer.transport.abort()
        await asyncio.gather(*filter(None, self.open.values()), return_exceptions=True)


@asynccontextmanager
async def faulty(fault: Fault) -> AsyncIterator[FaultyServer]:
    """Serve one fault on a free port."""
    service = FaultyServer(fault)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield service
    finally:
        server.close()
        await service.stop()


def answer(status: int, body: object = "", **headers: str) -> Fault:
    """A plain response."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        lines = [f"HTTP/1.1 {status} x", f"content-length: {len(data)}", "connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + data)
        await writer.drain()

    return respond


def raw(data: bytes) -> Fault:
    """These bytes, then the end of the connection."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return respond


async def cut(writer: asyncio.StreamWriter) -> None:
    """The connection is aborted after the request."""
    writer.transport.abort()


async def silence(_: asyncio.StreamWriter) -> None:
    """No response."""
    await asyncio.Event().wait()


async def trickle(writer: asyncio.StreamWriter) -> None:
    """An endless response, one byte at a time."""
    writer.write(b"HTTP/1.1 200 x\r\ncontent-length: 1000000\r\n\r\n")
    while not writer.transport.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)
