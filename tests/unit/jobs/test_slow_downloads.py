"""Servers that send their files very slowly: neither polls nor other jobs wait for them."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from framegate.config.settings import Settings
from framegate.domain import Done, ProviderFile, Running, State
from framegate.domain.errors import ProviderError, ReferenceUnusable
from framegate.jobs.state_machine.finalize import ACCOUNT_DOWNLOADS_MAX
from framegate.net.fetcher import Fetcher
from framegate.net.minimum_rate import BYTES_PER_SECOND_MIN, WINDOW_SECONDS, MinimumRate, TooSlow
from framegate.net.vendor_client import VendorClient
from support.fixed_clock import FixedClock

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("rate", "is_enough"), [(1, False), (BYTES_PER_SECOND_MIN - 1, False), (2 * BYTES_PER_SECOND_MIN, True)]
)
def test_a_download_below_the_minimum_rate_ends_after_one_window(rate, is_enough):
    clock = FixedClock()
    minimum = MinimumRate(clock)

    def receive():
        for _ in range(int(3 * WINDOW_SECONDS)):
            clock.at += 1
            minimum.count(rate)

    if is_enough:
        receive()
    else:
        with pytest.raises(TooSlow):
            receive()
        assert clock.at == WINDOW_SECONDS


@asynccontextmanager
async def trickling(machine):
    """A server that sends a byte a second of what it announces as a video."""

    async def serve(reader, writer):
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: 1000000\r\n\r\n")
        try:
            while True:
                writer.write(b"\0")
                await writer.drain()
                await machine.sleep(1)
        except OSError:
            pass

    writers = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await machine.sleep(2)


async def test_a_trickling_file_behind_the_key_is_an_interrupted_download(machine, tmp_path):
    async with trickling(machine) as url:
        client = VendorClient(url, headers={}, machine=machine)
        with pytest.raises(ProviderError, match="too slowly"):
            await client.download(f"{url}/film.mp4", tmp_path / "film", bytes_max=10**9)
        await client.close()


async def test_a_trickling_file_elsewhere_is_an_interrupted_download(machine, tmp_path):
    settings = Settings(data_dir=tmp_path / "data", allow_private_addresses=True)
    async with trickling(machine) as url, Fetcher(settings, machine=machine) as fetcher:
        with pytest.raises(ReferenceUnusable, match="too slowly") as error:
            await fetcher.fetch(f"{url}/a", tmp_path / "a", bytes_max=10**9, seconds_max=1e5, resume=True)
        assert error.value.retryable


async def test_downloads_of_an_account_are_limited_and_a_new_job_comes_before_those_that_failed(world, film):
    under_way, most, polls = set(), 0, []

    async def download(file, into, *, bytes_max):
        nonlocal most
        if "good" in file.url:
            into.write_bytes(film.read_bytes())
            return
        under_way.add(file.url)
        most = max(most, len(under_way))
        await gateway.clock.sleep(20)
        under_way.discard(file.url)
        raise ProviderError("The service sends its file too slowly.")

    async def poll(handle):
        polls.append(handle["id"])
        if handle["id"] == running.id:
            return Running()
        kind = "good" if handle["id"] == good_id else "slow"
        return Done(outputs=(ProviderFile(url=f"https://service.test/{kind}/{handle['id']}", behind_key=True),))

    gateway, good_id = world(looks=[Running()]), ""
    gateway.provider.download, gateway.provider.poll = download, poll
    async with gateway.open():
        running = await gateway.create()
        slow = [await gateway.create() for _ in range(2 * ACCOUNT_DOWNLOADS_MAX)]
        await gateway.until(slow[-1], State.FETCHING)
        await gateway.clock.sleep(100)
        good = await gateway.create()
        good_id, began, before = good.id, gateway.clock.monotonic(), polls.count(running.id)
        good = await gateway.end(good)

        assert good.state is State.COMPLETED
        assert gateway.clock.monotonic() - began < 30
        assert polls.count(running.id) > before
    assert most == ACCOUNT_DOWNLOADS_MAX
