"""The fetcher with its default rule, and one that may also reach the test's own server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from framegate.config.settings import Settings
from framegate.net.fetcher import Fetcher
from framegate.net.ssrf import blocked_address_reason
from support.web_server import Web, listening


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def web(anyio_backend: str) -> AsyncIterator[Web]:
    async with listening(Web()) as served:
        yield served


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
async def guarded(settings: Settings, anyio_backend: str) -> AsyncIterator[Fetcher]:
    """As it is shipped."""
    async with Fetcher(settings) as net:
        yield net


@pytest.fixture
async def net(settings: Settings, anyio_backend: str) -> AsyncIterator[Fetcher]:
    """The guard as shipped but for this very machine, where the test's server listens."""

    def refusal(address: str) -> str | None:
        return None if address == "127.0.0.1" else blocked_address_reason(address)

    async with Fetcher(settings, blocked_reason=refusal) as opened:
        yield opened
