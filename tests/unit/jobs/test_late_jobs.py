"""Jobs that are late because the gate was not there: a video that was made is paid for, and is not left behind."""

import asyncio

import pytest

from framegate.domain import Failed, Fault, Running, State
from framegate.domain.errors import OutcomeUnknown, ProviderError

pytestmark = pytest.mark.anyio
AWAY = 10_000.0  # longer than a job may take, and its video to come in


async def stopped_in(gate, state):
    """A job that stands there when the gate stops, and is late when it comes back."""
    async with gate.open():
        job = await gate.create()
        await gate.until(job, state)
    pass_over(gate)
    return job


def pass_over(gate):
    gate.clock.set_clock_forward(AWAY)


async def test_a_video_that_completed_while_the_gateway_was_down_is_downloaded(world):
    gate = world(looks=[Running()])
    job = await stopped_in(gate, State.RUNNING)
    gate.provider.looks = ["done"]
    async with gate.open():
        job = await gate.end(job)

    assert (job.state, gate.provider.cancelled) == (State.COMPLETED, [])


async def test_a_failed_poll_of_a_late_order_is_repeated(world):
    gate = world(looks=[Running()], concurrency=1)
    job = await stopped_in(gate, State.RUNNING)
    gate.provider.looks = [ProviderError("no network yet")] * 3 + ["done"]
    async with gate.open():
        job = await gate.end(job)

    assert job.state is State.COMPLETED


async def test_a_late_order_that_can_never_be_polled_expires(world, monkeypatch):
    monkeypatch.setattr("framegate.jobs.worker.LAST_POLL_SECONDS_MAX", 20.0)
    gate = world(looks=[Running()])
    job = await stopped_in(gate, State.RUNNING)
    gate.provider.looks = [ProviderError("no network")]
    async with gate.open():
        job = await gate.end(job)

    assert (job.state, job.fault.code) == (State.EXPIRED, "expired")


async def test_an_order_that_failed_while_the_gateway_was_down_ends_with_the_providers_error(world):
    gate = world(looks=[Running()])
    job = await stopped_in(gate, State.RUNNING)
    fault = Fault(code="content_policy", message="Not this one.")
    gate.provider.looks = [Failed(fault=fault)]
    async with gate.open():
        job = await gate.end(job)

    assert (job.state, job.fault) == (State.FAILED, fault)


async def test_an_order_of_unknown_outcome_is_reconciled_although_its_job_is_late(world):
    gate = world(submits=[OutcomeUnknown("Timed out.")])
    gate.provider.finds = [ProviderError("away")]
    async with gate.open():
        job = await gate.create()
        async for event in gate.jobs.events(job.id, owner="default"):
            if event.stage == "looking up its order":
                break
    pass_over(gate)
    gate.provider.finds = [True]
    async with gate.open():
        job = await gate.end(job)

    assert (job.state, len(gate.provider.orders)) == (State.COMPLETED, 1)


@pytest.mark.parametrize("state", [State.FETCHING, State.CHECKING])
async def test_a_completed_video_is_stored_however_long_the_gateway_was_down(world, monkeypatch, state):
    async def stands(*_, **__):
        await asyncio.Event().wait()

    gate = world()
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(
            f"framegate.jobs.state_machine.finalize.Finalizer.{'download' if state is State.FETCHING else 'verify'}",
            stands,
        )
        job = await stopped_in(gate, state)
    async with gate.open():
        job = await gate.end(job)

    assert job.state is State.COMPLETED


async def test_a_machine_that_slept_past_a_deadline_still_downloads_the_video(world):
    async def asleep(self, job, provider):
        pass_over(gate)
        meanwhile.undo()
        return await self.download(job, provider)

    meanwhile = pytest.MonkeyPatch()
    meanwhile.setattr("framegate.jobs.state_machine.finalize.Finalizer.download", asleep)
    async with (gate := world()).open():
        job = await gate.end(await gate.create())

    assert job.state is State.COMPLETED
    assert job.finished_at > job.deadline_at + 3600
