"""A real database for every store test: SQLite always, PostgreSQL where FRAMEGATE_TEST_POSTGRES names one."""

import os
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from framegate.store import Store

POSTGRES = os.environ.get("FRAMEGATE_TEST_POSTGRES", "")
BACKENDS = [
    "sqlite",
    pytest.param(
        "postgres",
        marks=pytest.mark.skipif(not POSTGRES, reason="waits for FRAMEGATE_TEST_POSTGRES"),
    ),
]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(params=BACKENDS)
async def url(request, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'framegate.db'}"
    # A new database for each test, and a name for each worker: tests run side by side.
    name = f"framegate_test_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    engine = create_async_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    return make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
async def store(url) -> AsyncIterator[Store]:
    async with Store(url) as store:
        yield store
