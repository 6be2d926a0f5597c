"""A finished video comes in once: what had come when a try broke off is kept, also over a restart of the gateway."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from framegate.domain import Done, ProviderFile, State
from framegate.domain.errors import MovedOrigin
from framegate.jobs.state_machine.finalize import DOWNLOAD_ATTEMPTS_MAX, PERMANENT_ATTEMPTS_MAX
from framegate.storage.blobs import BlobStore

pytestmark = pytest.mark.anyio


class Films:
    """A server of one film that breaks off after so many bytes of its first answers, and can go on."""

    def __init__(self, film: bytes, cuts) -> None:
        self.film, self.cuts = film, list(cuts)
        self.sent, self.asked = 0, 0
        self.missing = False
        self.url = ""

    async def serve(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        except asyncio.IncompleteReadError:  # a gateway that stops just as it has connected
            writer.close()
            return
        self.asked += 1
        if self.missing:
            writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
            writer.close()
            return
        start = int(head.split("range: bytes=")[1].split("-")[0]) if "range: bytes=" in head else 0
        rest = self.film[start:]
        lines = ["HTTP/1.1 206 Partial Content" if start else "HTTP/1.1 200 OK"]
        lines += [f"content-range: bytes {start}-{len(self.film) - 1}/{len(self.film)}"] if start else []
        lines += [f"content-length: {len(rest)}", 'etag: "film"', "connection: close", "", ""]
        part = rest[: self.cuts.pop(0)] if self.cuts else rest
        self.sent += len(part)
        writer.write("\r\n".join(lines).encode() + part)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def serving(film: bytes, *cuts: int):
    films = Films(film, cuts)
    server = await asyncio.start_server(films.serve, "127.0.0.1", 0)
    films.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/film.mp4"
    async with server:
        yield films


def giving(world, films):
    gateway = world(looks=[Done(outputs=(ProviderFile(url=films.url),))])
    gateway.settings = gateway.settings.model_copy(update={"allow_private_addresses": True})
    return gateway


def leftovers(gateway):
    return list((gateway.settings.data_dir / "blobs" / "tmp").iterdir())


async def test_an_interrupted_download_is_resumed(world, film):
    body = film.read_bytes()
    async with serving(body, len(body) // 2, 100) as films:
        gateway = giving(world, films)
        async with gateway.open():
            job = await gateway.end(await gateway.create())

    assert (job.state, job.failed_downloads) == (State.COMPLETED, 2)
    assert films.sent == len(body)
    assert leftovers(gateway) == []


async def test_a_download_is_resumed_after_a_restart(world, film):
    body = film.read_bytes()
    async with serving(body, len(body) // 2) as films:
        gateway = giving(world, films)
        async with gateway.open():
            job = await gateway.create()
            async with asyncio.timeout(600):
                while not (job := await gateway.jobs.get(job.id, owner="default")).failed_downloads:
                    await asyncio.sleep(0.01)
        BlobStore(gateway.settings.data_dir / "blobs").clean()
        async with gateway.open():
            job = await gateway.end(job)

    assert job.state is State.COMPLETED
    assert films.sent == len(body)


async def test_a_download_that_always_fails_is_retried_for_long_and_leaves_no_files(world, film, monkeypatch):
    monkeypatch.setattr("framegate.jobs.state_machine.finalize.WAIT_SECONDS_MAX", 2.0)
    body = film.read_bytes()
    async with serving(body, 100, *[0] * 100) as films:
        gateway = giving(world, films)
        async with gateway.open():
            job = await gateway.end(await gateway.create())

    assert (job.state, job.fault.code) == (State.FAILED, "output_not_fetched")
    assert films.asked == DOWNLOAD_ATTEMPTS_MAX
    assert leftovers(gateway) == []


async def test_a_rejected_download_is_retried_a_few_times_only(world, film, monkeypatch):
    monkeypatch.setattr("framegate.jobs.state_machine.finalize.WAIT_SECONDS_MAX", 2.0)
    async with serving(film.read_bytes()) as films:
        films.missing = True
        gateway = giving(world, films)
        async with gateway.open():
            job = await gateway.end(await gateway.create())

    assert (job.state, job.fault.code) == (State.FAILED, "output_not_fetched")
    assert films.asked == PERMANENT_ATTEMPTS_MAX
    assert films.url.partition("?")[0] in job.fault.message


async def test_a_video_that_completes_late_is_still_downloaded(world, film):
    body = film.read_bytes()
    async with serving(body, *[0] * 13) as films:  # nine minutes of waits
        gateway = giving(world, films)
        gateway.settings = gateway.settings.model_copy(update={"job_deadline_seconds": 400})
        async with gateway.open():
            job = await gateway.end(await gateway.create())

    assert job.state is State.COMPLETED
    assert job.finished_at > job.deadline_at


async def test_a_download_attempt_that_makes_progress_does_not_count_as_failed(world, film, monkeypatch):
    monkeypatch.setattr("framegate.jobs.state_machine.finalize.PROGRESS_BYTES_MIN", 20)
    body = film.read_bytes()
    async with serving(body, *[20] * (DOWNLOAD_ATTEMPTS_MAX + 2)) as films:
        gateway = giving(world, films)
        async with gateway.open():
            job = await gateway.end(await gateway.create())

    assert (job.state, job.failed_downloads) == (State.COMPLETED, 0)
    assert films.sent == len(body)
    assert films.asked == DOWNLOAD_ATTEMPTS_MAX + 3


async def test_a_video_is_downloaded_when_its_removed_account_returns(world, film):
    body = film.read_bytes()
    async with serving(body, *[0] * 4) as films:
        gateway = giving(world, films)
        async with gateway.open():
            job = await gateway.create()
            await gateway.until(job, State.FETCHING)
        providers, gateway.providers = gateway.providers, []
        async with gateway.open():
            async for event in gateway.jobs.events(job.id, owner="default"):
                if event.stage.startswith("waiting for the account"):
                    break
        gateway.providers = providers
        async with gateway.open():
            job = await gateway.end(job)

    assert (job.state, len(gateway.provider.orders)) == (State.COMPLETED, 1)


async def test_an_internal_error_during_a_download_counts_as_one_failed_attempt(world, film, monkeypatch):
    real, faults = BlobStore.add_file, [ZeroDivisionError("a bug"), ZeroDivisionError("a bug")]

    async def add_file(*given, **how):
        if faults:
            raise faults.pop()
        return await real(*given, **how)

    monkeypatch.setattr(BlobStore, "add_file", add_file)
    async with serving(film.read_bytes()) as films:
        gateway = giving(world, films)
        async with gateway.open():
            job = await gateway.end(await gateway.create())

    assert (job.state, job.failed_downloads, len(gateway.provider.orders)) == (State.COMPLETED, 2, 1)


async def test_a_download_that_is_redirected_to_another_host_is_made_there_without_the_key(world, film):
    body = film.read_bytes()
    async with serving(body, len(body) // 2) as films:
        gateway = giving(world, films)
        gateway.provider.looks = [Done(outputs=(ProviderFile(url="https://service.test/film", behind_key=True),))]

        async def download(made, into, *, bytes_max):
            raise MovedOrigin("The service sends on.", films.url)

        gateway.provider.download = download
        async with gateway.open():
            job = await gateway.end(await gateway.create())

    assert (job.state, films.sent) == (State.COMPLETED, len(body))
