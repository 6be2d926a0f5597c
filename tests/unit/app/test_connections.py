"""Connections: half-sent requests are bounded in time, size and number, and keep no other client out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from framegate.app import connections
from framegate.app.connections import ConnectionLimits, LimitedHttp, connection_limits
from framegate.config.settings import Settings, SettingsInvalid

WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HALF = b"GET / HTTP/1.1\r\nHost: a\r\n"
NEVER = 10**6
SOON = 0.02
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/slow":
        await asyncio.Event().wait()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving(limits: ConnectionLimits) -> AsyncIterator[Callable[[], Coroutine[Any, Any, Client]]]:
    config = uvicorn.Config(app, log_config=None, timeout_keep_alive=NEVER, lifespan="off")
    config.load()
    protocol = partial(LimitedHttp, config=config, server_state=ServerState(), app_state={}, limits=limits)
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    clients: list[asyncio.StreamWriter] = []

    async def connect() -> Client:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        clients.append(writer)
        return reader, writer

    try:
        yield connect
    finally:
        for writer in clients:
            writer.close()
        server.close()


async def status(client: Client, request: bytes = WHOLE) -> bytes:
    client[1].write(request)
    line = await client[0].readline()
    return b" ".join(line.split()[1:2])


def played(script: Callable[[Callable[[], Coroutine[Any, Any, Client]]], Coroutine[Any, Any, None]], **limits: Any):
    async def play() -> None:
        all_limits: dict[str, Any] = {"connections_max": 10, "header_seconds": NEVER} | limits
        async with asyncio.timeout(30), serving(ConnectionLimits(**all_limits)) as connect:
            await script(connect)

    asyncio.run(play())


@pytest.mark.parametrize("sent", [b"", b"G", HALF, WHOLE[:-1]])
def test_a_connection_without_a_whole_header_is_closed_in_time(sent: bytes):
    async def script(connect: Any) -> None:
        client = await connect()
        client[1].write(sent)
        answer = await client[0].read()
        assert answer.startswith(b"HTTP/1.1 408" if sent else b"")

    played(script, header_seconds=SOON)


@pytest.mark.parametrize("sent", [b"\r\n", HALF])
def test_so_is_a_kept_connection_whose_next_header_does_not_end(sent: bytes):
    async def script(connect: Any) -> None:
        client = await connect()
        assert await status(client) == b"200"
        client[1].write(sent)
        assert await client[0].read()

    played(script, header_seconds=SOON)


def test_a_request_that_takes_long_to_answer_is_not_closed():
    async def script(connect: Any) -> None:
        slow, other = await connect(), await connect()
        slow[1].write(WHOLE.replace(b"/ ", b"/slow "))
        assert await other[0].read() == b""  # the header timeout of a later connection is over
        assert not slow[0].at_eof()

    played(script, header_seconds=SOON)


def test_a_header_without_an_end_is_refused_by_its_size():
    async def script(connect: Any) -> None:
        client = await connect()
        line = b"X-A: " + b"a" * 1000 + b"\r\n"
        assert await status(client, HALF + line * (connections.HEADER_BYTES_MAX // 1000 + 1)) == b"431"

    played(script)


def test_a_body_that_its_request_did_not_need_is_no_header():
    async def script(connect: Any) -> None:
        client = await connect()
        size = 2 * connections.HEADER_BYTES_MAX
        assert await status(client, HALF + b"Content-Length: %d\r\n\r\n" % size) == b"200"
        await client[0].readuntil(b"ok")
        client[1].write(b"x" * size)
        assert await status(client) == b"200"

    played(script)


@pytest.mark.parametrize("sent", [b"", HALF])
def test_half_sent_requests_keep_no_client_out(sent: bytes):
    async def script(connect: Any) -> None:
        for _ in range(50):
            client = await connect()
            client[1].write(sent)
        assert await status(await connect()) == b"200"

    played(script)


def test_kept_connections_without_a_request_give_way_too():
    async def script(connect: Any) -> None:
        clients = [await connect() for _ in range(10)]
        for client in clients:
            assert await status(client) == b"200"
        assert await status(await connect()) == b"200"
        await clients[0][0].read()
        assert await status(clients[-1]) != b""

    played(script)


def test_a_connection_beyond_the_limit_gets_a_503_if_all_others_are_at_work():
    async def script(connect: Any) -> None:
        for _ in range(10):
            client = await connect()
            client[1].write(WHOLE.replace(b"/ ", b"/slow "))
            await client[1].drain()
        await asyncio.sleep(0)
        late = await connect()
        while (code := await status(late)) == b"200":  # the last of the ten has not begun yet
            late = await connect()
        assert code == b"503"

    played(script)


def test_the_limit_of_open_files_is_raised_for_the_connections():
    asked: list[int] = []

    def raised(needed: int) -> int:
        asked.append(needed)
        return needed

    limits = connection_limits(Settings(connections_max=500), raise_file_limit=raised)

    assert (limits.connections_max, asked) == (500, [500 + connections.FILES_RESERVED])


def test_connections_that_do_not_fit_are_refused_at_the_start_with_a_number_that_does():
    with pytest.raises(SettingsInvalid, match=r"5000 .* 6024 open files.* 4096\..* to 3072\."):
        connection_limits(Settings(connections_max=5000), raise_file_limit=lambda _: 4096)


def test_the_default_is_lowered_to_what_fits_and_the_log_says_so(caplog: pytest.LogCaptureFixture):
    limits = connection_limits(Settings(), raise_file_limit=lambda _: 4096)

    assert limits.connections_max == 3072
    assert "At most 3072 connections" in caplog.text
