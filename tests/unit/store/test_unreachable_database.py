"""A database that cannot be reached, or whose other users are frozen."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from framegate.domain.errors import Unavailable
from framegate.store import Store
from framegate.store.engine import IDLE_TRANSACTION_SECONDS_MAX, make_engines

pytestmark = pytest.mark.anyio
STARTING = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"


@pytest.fixture
def anyio_backend():
    return "asyncio"


@asynccontextmanager
async def listening(answer: bytes | None) -> AsyncGenerator[str]:
    """The address of a PostgreSQL that ends every connection with this error; None: it is not there."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # asks for TLS
        writer.write(b"N")
        await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big") - 4)
        writer.write(b"E" + (len(answer or b"") + 4).to_bytes(4, "big") + (answer or b""))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        if answer is None:
            server.close()
        yield f"postgresql+asyncpg://framegate@127.0.0.1:{port}/framegate"


@pytest.mark.parametrize("answer", [None, STARTING], ids=["not there", "starting up"])
async def test_an_unreachable_database_is_unavailable_to_readers_and_writers(answer: bytes | None):
    async with listening(answer) as url:
        store = Store(url)
        with pytest.raises(Unavailable, match="cannot be opened"):
            await store.__aenter__()
        for asked in (
            store.count_active(),
            store.claim("worker", now=1.0, until=2.0, limit=1),
            store.next_due(),
            store.outbox.next_due(),
            store.secret("links"),
        ):
            with pytest.raises(Unavailable):
                await asked


async def test_a_process_frozen_during_a_write_does_not_block_others_for_ever(url: str):
    engine, _ = make_engines(url)
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one owner")
    async with engine.connect() as connection:
        shown = await connection.execute(text("SHOW idle_in_transaction_session_timeout"))
        assert shown.scalar_one() == f"{IDLE_TRANSACTION_SECONDS_MAX}s"
    await engine.dispose()
