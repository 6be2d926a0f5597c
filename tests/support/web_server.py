"""A web server in the test's own loop, each answer written byte by byte by the test."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable

Answer = Callable[[], AsyncIterator[bytes]]


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """One whole HTTP/1.1 answer."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Web:
    """Routes and what was asked of them."""

    def __init__(self) -> None:
        self.routes: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.port = 0

    def says(self, path: str, *parts: bytes) -> str:
        """Answer `path` with these bytes; returns its address."""

        async def write() -> AsyncIterator[bytes]:
            for part in parts:
                yield part

        return self.does(path, write)

    def does(self, path: str, write: Answer) -> str:
        """Answer `path` as `write` does; returns its address."""
        self.routes[path] = write
        return self.url(path)

    def url(self, path: str, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            write = self.routes.get(head.split(" ")[1])
            if write is None:
                writer.write(answer(b"no", "404 Not Found"))
            else:
                async for part in write():
                    writer.write(part)
                    await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client had enough
        finally:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def listening(web: Web, tls: ssl.SSLContext | None = None) -> AsyncIterator[Web]:
    """Serve on a free loopback port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(web.serve(reader, writer))
        tasks.add(task)
        await asyncio.wait([task])

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    web.port = server.sockets[0].getsockname()[1]
    try:
        yield web
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
