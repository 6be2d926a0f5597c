"""Places at a provider that makes only so many videos at once, and what comes of a long wait for one."""

import asyncio

import pytest

from framegate.domain import Running, State
from framegate.domain.errors import NotSent
from framegate.jobs.account_health import FAILURES_MAX, PAUSE_SECONDS, PAUSE_SECONDS_MAX, AccountHealth
from support.fixed_clock import FixedClock

pytestmark = pytest.mark.anyio


async def test_a_job_keeps_its_slot_however_rarely_its_order_is_polled(world):
    gateway = world(concurrency=1, looks=[Running()] * 4 + ["done"])
    gateway.provider.poll_seconds = 20.0
    async with gateway.open():
        ended = [await gateway.end(job) for job in [await gateway.create() for _ in range(3)]]

    assert {job.state for job in ended} == {State.COMPLETED}
    assert gateway.provider.running_max == 1


async def test_the_age_of_an_order_does_not_include_the_wait_for_a_slot(world):
    gateway = world(concurrency=1, looks=[Running()])
    async with gateway.open():
        first, second = await gateway.create(), await gateway.create()
        await gateway.until(first, State.RUNNING)
        waits_from = gateway.clock.now()
        while gateway.clock.now() < waits_from + 30:
            await gateway.clock.sleep(1)
        gateway.provider.looks = ["done"]
        second = await gateway.end(second)

        written = next(event.at for event in await gateway.store.events(second.id) if event.state is State.SUBMITTING)
    assert written >= waits_from + 30
    assert written - second.submitted_at < 5


async def test_retry_after_holds_for_jobs_that_wait_for_a_slot_too(world):
    async def later(_order):
        await go.wait()
        raise NotSent("Not now.", retry_after=50.0)

    go = asyncio.Event()
    gateway = world(concurrency=1, submits=[later])
    async with gateway.open():
        jobs = [await gateway.create() for _ in range(5)]
        await gateway.until(jobs[0], State.SUBMITTING)
        while len(gateway.worker._concurrency._accounts["animatic/"].waiters) < 4:
            await asyncio.sleep(0)
        asked_at = gateway.clock.now()
        go.set()
        ended = [await gateway.end(job) for job in jobs]

        assert {(job.state, job.attempts) for job in ended[1:]} == {(State.COMPLETED, 1)}
        assert min(job.submitted_at for job in ended) >= asked_at + 50


async def test_a_long_queue_for_one_provider_waits_in_the_store_and_does_not_block_other_jobs(world, monkeypatch):
    monkeypatch.setattr("framegate.jobs.concurrency.WAITERS_MAX", 2)
    gateway = world(concurrency=1, looks=[Running()])
    async with gateway.open():
        jobs = [await gateway.create() for _ in range(8)]
        for job in jobs:
            await gateway.until(job, State.PREPARING)
        async with asyncio.timeout(10):
            while len(gateway.worker._jobs) > 3:
                await asyncio.sleep(0.01)
        gateway.provider.looks = ["done"]
        ended = [await gateway.end(job) for job in jobs]

    assert {job.state for job in ended} == {State.COMPLETED}
    assert gateway.provider.running_max == 1


def test_the_pause_of_a_failing_account_is_bounded(world):
    provider, clock = world().provider, FixedClock()
    standing = AccountHealth(clock)
    pauses = []
    for number in range(2000):
        standing.record_submit(provider)
        standing.record_failure(provider, str(number))
        pauses.append(standing.retry_in(provider))
        clock.at += standing.retry_in(provider)

    assert pauses[: FAILURES_MAX + 1] == [*[0.0] * (FAILURES_MAX - 1), PAUSE_SECONDS, 2 * PAUSE_SECONDS]
    assert max(pauses) == PAUSE_SECONDS_MAX
