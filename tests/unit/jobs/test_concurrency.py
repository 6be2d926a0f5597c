"""Places at a provider that makes only so many videos at once, and what comes of a long wait for one."""

import asyncio

import pytest

from framegate.domain import Running, State
from framegate.domain.errors import NotSent
from framegate.jobs.account_health import FAILURES_MAX, PAUSE_SECONDS_MAX, AccountHealth

pytestmark = pytest.mark.anyio


async def test_a_job_keeps_its_slot_however_rarely_its_order_is_polled(world):
    gate = world(concurrency=1, looks=[Running()] * 4 + ["done"])
    gate.provider.poll_seconds = 20.0
    async with gate.open():
        ended = [await gate.end(job) for job in [await gate.create() for _ in range(3)]]

    assert {job.state for job in ended} == {State.COMPLETED}
    assert gate.provider.running_max == 1


async def test_the_age_of_an_order_does_not_include_the_wait_for_a_slot(world):
    gate = world(concurrency=1, looks=[Running()])
    async with gate.open():
        first, second = await gate.create(), await gate.create()
        await gate.until(first, State.RUNNING)
        waits_from = gate.clock.now()
        while gate.clock.now() < waits_from + 30:
            await gate.clock.sleep(1)
        gate.provider.looks = ["done"]
        second = await gate.end(second)

        written = next(event.at for event in await gate.store.events(second.id) if event.state is State.SUBMITTING)
    assert written >= waits_from + 30
    assert written - second.submitted_at < 5


async def test_retry_after_holds_for_jobs_that_wait_for_a_slot_too(world):
    async def later(_order):
        await go.wait()
        raise NotSent("Not now.", retry_after=50.0)

    go = asyncio.Event()
    gate = world(concurrency=1, submits=[later])
    async with gate.open():
        jobs = [await gate.create() for _ in range(5)]
        await gate.until(jobs[0], State.SUBMITTING)
        while len(gate.worker._concurrency._accounts["animatic/"].waiters) < 4:
            await asyncio.sleep(0)
        asked_at = gate.clock.now()
        go.set()
        ended = [await gate.end(job) for job in jobs]

        assert {(job.state, job.attempts) for job in ended[1:]} == {(State.COMPLETED, 1)}
        assert min(job.submitted_at for job in ended) >= asked_at + 50


async def test_a_long_queue_for_one_provider_waits_in_the_store_and_does_not_block_other_jobs(world, monkeypatch):
    monkeypatch.setattr("framegate.jobs.concurrency.WAITERS_MAX", 2)
    gate = world(concurrency=1, looks=[Running()])
    async with gate.open():
        jobs = [await gate.create() for _ in range(8)]
        for job in jobs:
            await gate.until(job, State.PREPARING)
        async with asyncio.timeout(10):
            while len(gate.worker._jobs) > 3:
                await asyncio.sleep(0.01)
        gate.provider.looks = ["done"]
        ended = [await gate.end(job) for job in jobs]

    assert {job.state for job in ended} == {State.COMPLETED}
    assert gate.provider.running_max == 1


def test_the_pause_of_a_failing_account_is_bounded(world):
    gate = world()
    standing = AccountHealth(gate.clock)
    for _ in range(FAILURES_MAX + 2000):
        standing.record_failure(gate.provider)

    assert PAUSE_SECONDS_MAX - 60 < standing.retry_in(gate.provider) <= PAUSE_SECONDS_MAX
