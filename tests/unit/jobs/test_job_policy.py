"""How a client wants its job to be treated: when it must have begun, its rank, whether it is ordered again."""

import asyncio

import pytest

from framegate.domain import JobPolicy, Running, State
from framegate.domain.errors import NotSent
from framegate.jobs.concurrency import ConcurrencyLimiter

pytestmark = pytest.mark.anyio


async def test_a_job_that_does_not_start_in_time_expires_without_an_order(world):
    gateway = world(looks=[Running(progress=0.5)] * 50_000 + ["done"], concurrency=1)
    async with gateway.open():
        first = await gateway.create()
        await gateway.until(first, State.RUNNING)
        job = await gateway.end(await gateway.create(policy=JobPolicy(start_seconds=30)))
        orders = await gateway.orders(job)

    assert (job.state, job.fault.code) == (State.EXPIRED, "start_timeout")
    assert "30 seconds" in job.fault.message
    assert orders == []


async def test_a_job_that_started_in_time_is_not_limited_by_the_start_timeout(world):
    gateway = world(looks=[Running(progress=0.5), Running(progress=0.6), Running(progress=0.7), "done"])
    gateway.provider.poll_seconds = 20.0
    async with gateway.open():
        job = await gateway.end(await gateway.create(policy=JobPolicy(start_seconds=30)))

    assert job.state is State.COMPLETED
    assert job.finished_at - job.created_at > 60


async def test_an_order_that_was_not_sent_is_not_retried_if_the_client_disabled_retries(world):
    gateway = world(submits=[NotSent("busy"), None])
    async with gateway.open():
        job = await gateway.end(await gateway.create(policy=JobPolicy(retry=False)))

    assert (job.state, job.fault.message) == (State.FAILED, "busy")
    assert len(gateway.provider.orders) == 1


async def test_low_priority_jobs_wait_behind_all_others():
    slots, told = ConcurrencyLimiter(), []
    await slots.acquire("first", "fal", 1)

    async def wait(name: str, *, low: bool) -> None:
        await slots.acquire(name, "fal", 1, low_priority=low)
        told.append(name)
        slots.release(name)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for name, low in (("low 1", True), ("normal 1", False), ("low 2", True), ("normal 2", False)):
            group.create_task(wait(name, low=low))
        await asyncio.sleep(0)
        slots.release("first")

    assert told == ["normal 1", "normal 2", "low 1", "low 2"]


async def test_the_jobs_queued_before_one_are_counted(world):
    gateway = world(looks=[Running(progress=0.5)] * 50_000 + ["done"], concurrency=1)
    async with gateway.open():
        first = await gateway.create()
        await gateway.until(first, State.RUNNING)
        waiting = [await gateway.create() for _ in range(3)]
        ahead = [await gateway.jobs.ahead(job.id) for job in (first, *waiting)]
        in_all = await gateway.jobs.ahead()

    assert (ahead, in_all) == ([0, 0, 1, 2], 3)
