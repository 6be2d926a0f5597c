"""Finished files whose download brings something else first: what is paid for is fetched again, within bounds."""

from contextlib import asynccontextmanager

import pytest

from framegate.domain import Done, ProviderFile, State
from framegate.domain.errors import ReferenceUnusable, Refused
from framegate.jobs.state_machine.finalize import (
    LARGE_UNPLAYABLE_ATTEMPTS_MAX,
    PERMANENT_ATTEMPTS_MAX,
    TOO_LARGE_ATTEMPTS_MAX,
)

pytestmark = pytest.mark.anyio
URL = "https://service.test/film.mp4"
PAGES = {
    "html": b"<!doctype html><title>Just a moment...</title>",
    "json": b'{"status": "processing"}',
    "xml": b'<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>',
    "text": b"not ready",
    "zeros": bytes(5000),
    "riff": b"RIFF\x10\x00\x00\x00WAVEfmt ",
    "ftyp": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom",
}


@asynccontextmanager
async def sending(world, *bodies):
    """A gateway whose provider sends these bodies, the last one again and again; an exception is raised."""
    gateway = world(looks=[Done(outputs=(ProviderFile(url=URL, behind_key=True),), cost_micro_usd=120_000)])
    sent = []

    async def download(_file, into, *, bytes_max):
        body = bodies[min(len(sent), len(bodies) - 1)]
        sent.append(body)
        if isinstance(body, Exception):
            raise body
        into.write_bytes(body)

    gateway.provider.download = download
    async with gateway.open():
        yield gateway, sent


def cut(film, part):
    return film.read_bytes()[: int(film.stat().st_size * part)]


@pytest.mark.parametrize("kind", [*PAGES, "cut at half", "cut at nine tenths"])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_body_that_is_no_whole_video_is_fetched_again(world, film, kind, times):
    bad = PAGES.get(kind) or cut(film, 0.5 if "half" in kind else 0.9)
    async with sending(world, *[bad] * times, film.read_bytes()) as (gateway, sent):
        job = await gateway.end(await gateway.create())

        assert (job.state, len(sent), job.failed_downloads) == (State.COMPLETED, times + 1, times)
        assert (await gateway.jobs.bill(job.id, owner="default")).settled_micro_usd == 120_000
    assert job.outputs[0].frames == 8


async def test_a_page_that_stays_is_given_up_after_a_few_tries_and_the_address_is_kept(world):
    async with sending(world, PAGES["html"]) as (gateway, sent):
        job = await gateway.end(await gateway.create())

        assert (await gateway.jobs.bill(job.id, owner="default")).state == "settled"
    assert (job.state, job.fault.code, len(sent)) == (State.FAILED, "output_unplayable", PERMANENT_ATTEMPTS_MAX)
    assert URL in job.fault.message
    assert job.report["verdict"] == "fail"


async def test_a_large_unplayable_file_is_fetched_fewer_times(world, monkeypatch):
    monkeypatch.setattr("framegate.jobs.state_machine.finalize.SMALL_FILE_BYTES_MAX", 100)
    async with sending(world, bytes(5000)) as (gateway, sent):
        job = await gateway.end(await gateway.create())

    assert (job.fault.code, len(sent)) == ("output_unplayable", LARGE_UNPLAYABLE_ATTEMPTS_MAX)


@pytest.mark.parametrize(
    "error",
    [
        Refused("The file exceeds the limit.", code="file_too_large"),
        ReferenceUnusable("reference_too_large", "The file exceeds the limit."),
    ],
)
async def test_a_file_over_the_limit_is_given_up_after_one_repeat_and_the_address_is_kept(world, monkeypatch, error):
    monkeypatch.setattr("framegate.jobs.state_machine.finalize.PROGRESS_BYTES_MIN", 0)
    async with sending(world, error) as (gateway, sent):
        job = await gateway.end(await gateway.create())

    assert (job.fault.code, len(sent)) == ("output_not_fetched", TOO_LARGE_ATTEMPTS_MAX)
    assert URL in job.fault.message


async def test_a_file_that_was_too_large_once_is_fetched(world, film):
    error = Refused("The file exceeds the limit.", code="file_too_large")
    async with sending(world, error, film.read_bytes()) as (gateway, sent):
        job = await gateway.end(await gateway.create())

    assert (job.state, len(sent)) == (State.COMPLETED, 2)


async def test_a_failed_download_is_repeated_at_the_address_that_the_provider_names_by_then(world, film):
    fetched = []

    async def download(file, into, *, bytes_max):
        fetched.append(file.url)
        if "expired" in file.url:
            raise Refused("403")
        into.write_bytes(film.read_bytes())

    gateway = world(looks=[_done("https://service.test/expired"), _done(URL)])
    gateway.provider.download = download
    async with gateway.open():
        job = await gateway.end(await gateway.create())

    assert (job.state, fetched) == (State.COMPLETED, ["https://service.test/expired", URL])


def _done(url):
    return Done(outputs=(ProviderFile(url=url, behind_key=True),))


@pytest.mark.parametrize("again", [True, False])
async def test_a_file_that_another_gateway_stored_is_fetched_again_from_the_provider(world, film, monkeypatch, again):
    """The next process has no file of the job that it finds in `checking`, as on another host."""
    reached = []

    async def wait(finalizer, job, **_):
        finalizer.blobs.path(job.provider_files[0].blob.sha256).unlink()
        reached.append(job.id)
        await gateway.clock.sleep(1e6)

    bodies = [film.read_bytes()] if again else [film.read_bytes(), Refused("410")]
    async with sending(world, *bodies) as (gateway, sent):
        with monkeypatch.context() as first:
            first.setattr("framegate.jobs.state_machine.finalize.Finalizer.verify", wait)
            job = await gateway.create()
            while not reached:
                await gateway.clock.sleep(0.1)
            await gateway.worker.stop()
        gateway.worker._stopping = False
        await gateway.worker.start()
        job = await gateway.end(job)

    if again:
        assert (job.state, len(sent)) == (State.COMPLETED, 2)
    else:
        assert (job.fault.code, len(sent)) == ("output_not_fetched", 1 + PERMANENT_ATTEMPTS_MAX)


async def test_where_gateways_share_a_store_a_stop_finishes_the_videos_in_hand(world, film, monkeypatch):
    from framegate.jobs.state_machine.finalize import Finalizer

    real = Finalizer.verify
    started = []

    async def slow(finalizer, job, **options):
        started.append(job.id)
        await gateway.clock.sleep(5)
        return await real(finalizer, job, **options)

    monkeypatch.setattr(Finalizer, "verify", slow)
    async with sending(world, film.read_bytes()) as (gateway, _):
        gateway.worker._sole = False
        job = await gateway.create()
        while not started:
            await gateway.clock.sleep(0.1)
        await gateway.worker.stop()

        assert (await gateway.jobs.get(job.id, owner="default")).state is State.COMPLETED
