"""Jobs that are late because the gateway was not there: a video that was made is paid for, and is not left behind."""

import asyncio

import pytest

from framegate.domain import Failed, Fault, Running, State
from framegate.domain.errors import OutcomeUnknown, ProviderError

pytestmark = pytest.mark.anyio
AWAY = 10_000.0  # longer than a job may take, and its video to come in


async def stopped_in(gateway, state):
    """A job that stands there when the gateway stops, and is late when it comes back."""
    async with gateway.open():
        job = await gateway.create()
        await gateway.until(job, state)
    pass_over(gateway)
    return job


def pass_over(gateway):
    gateway.clock.set_clock_forward(AWAY)


async def test_a_video_that_completed_while_the_gateway_was_down_is_downloaded(world):
    gateway = world(looks=[Running()])
    job = await stopped_in(gateway, State.RUNNING)
    gateway.provider.looks = ["done"]
    async with gateway.open():
        job = await gateway.end(job)

    assert (job.state, gateway.provider.cancelled) == (State.COMPLETED, [])


async def test_a_failed_poll_of_a_late_order_is_repeated(world):
    gateway = world(looks=[Running()], concurrency=1)
    job = await stopped_in(gateway, State.RUNNING)
    gateway.provider.looks = [ProviderError("no network yet")] * 3 + ["done"]
    async with gateway.open():
        job = await gateway.end(job)

    assert job.state is State.COMPLETED


async def test_a_late_order_that_can_never_be_polled_expires(world, monkeypatch):
    monkeypatch.setattr("framegate.jobs.worker.LAST_POLL_SECONDS_MAX", 20.0)
    gateway = world(looks=[Running()])
    job = await stopped_in(gateway, State.RUNNING)
    gateway.provider.looks = [ProviderError("no network")]
    async with gateway.open():
        job = await gateway.end(job)

    assert (job.state, job.fault.code) == (State.EXPIRED, "expired")


async def test_an_order_that_failed_while_the_gateway_was_down_ends_with_the_providers_error(world):
    gateway = world(looks=[Running()])
    job = await stopped_in(gateway, State.RUNNING)
    fault = Fault(code="content_policy", message="Not this one.")
    gateway.provider.looks = [Failed(fault=fault)]
    async with gateway.open():
        job = await gateway.end(job)

    assert (job.state, job.fault) == (State.FAILED, fault)


async def test_an_order_of_unknown_outcome_is_reconciled_although_its_job_is_late(world):
    gateway = world(submits=[OutcomeUnknown("Timed out.")])
    gateway.provider.finds = [ProviderError("away")]
    async with gateway.open():
        job = await gateway.create()
        async for event in gateway.jobs.events(job.id, owner="default"):
            if event.stage == "looking up its order":
                break
    pass_over(gateway)
    gateway.provider.finds = [True]
    async with gateway.open():
        job = await gateway.end(job)

    assert (job.state, len(gateway.provider.orders)) == (State.COMPLETED, 1)


@pytest.mark.parametrize("state", [State.FETCHING, State.CHECKING])
async def test_a_completed_video_is_stored_however_long_the_gateway_was_down(world, monkeypatch, state):
    async def stands(*_, **__):
        await asyncio.Event().wait()

    gateway = world()
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(
            f"framegate.jobs.state_machine.finalize.Finalizer.{'download' if state is State.FETCHING else 'verify'}",
            stands,
        )
        job = await stopped_in(gateway, state)
    async with gateway.open():
        job = await gateway.end(job)

    assert job.state is State.COMPLETED


async def test_a_machine_that_slept_past_a_deadline_still_downloads_the_video(world):
    async def asleep(self, job, provider):
        pass_over(gateway)
        meanwhile.undo()
        return await self.download(job, provider)

    meanwhile = pytest.MonkeyPatch()
    meanwhile.setattr("framegate.jobs.state_machine.finalize.Finalizer.download", asleep)
    async with (gateway := world()).open():
        job = await gateway.end(await gateway.create())

    assert job.state is State.COMPLETED
    assert job.finished_at > job.deadline_at + 3600
