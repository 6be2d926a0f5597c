"""Clocks that are set forward or back while jobs are under way."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.domain import Running, State
from framegate.domain.errors import NotSent, OutcomeUnknown, ProviderError
from framegate.jobs.clock import JobClock
from framegate.jobs.state_machine.submit import ATTEMPTS_MAX
from framegate.jobs.state_machine.transition import POLL_SECONDS_MIN, poll_wait
from support.stored_jobs import make_job
from support.virtual_machine import VirtualMachine
from support.world import ScriptedProvider

pytestmark = pytest.mark.anyio
STEPS = [-3600.0, -61.0, 301.0, 100_000.0]
LOOKUPS_SECONDS = 62.0


@pytest.mark.parametrize("step", STEPS)
async def test_a_job_lasts_as_long_as_it_would_have_whatever_happens_to_the_clock(world, step):
    gateway = world(looks=[Running()] * 20 + ["done"], job_deadline_seconds=60)
    async with gateway.open():
        job = await gateway.create()
        await gateway.until(job, State.RUNNING)
        began = gateway.clock.monotonic()
        gateway.clock.set_clock_forward(step)
        job = await gateway.end(job)

    assert (job.state, len(gateway.provider.orders)) == (State.COMPLETED, 1)
    assert gateway.clock.monotonic() - began < 60


@pytest.mark.parametrize("step", STEPS)
async def test_polls_are_neither_back_to_back_nor_suspended_after_a_step_of_the_clock(world, step):
    times = []

    async def poll(_handle):
        times.append(gateway.clock.monotonic())
        if len(times) == 3:
            gateway.clock.set_clock_forward(step)
        return Running() if len(times) < 10 else gateway.provider.done({"id": job.id})

    gateway = world()
    gateway.provider.poll, gateway.provider.poll_seconds = poll, 8.0  # so long a wait is spent in the store
    async with gateway.open():
        job = await gateway.create()
        job = await gateway.end(job)

    assert job.state is State.COMPLETED
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert min(waits) > 0.5
    assert max(waits) < 20


@pytest.mark.parametrize("step", STEPS)
async def test_an_order_in_doubt_is_looked_up_for_as_long_whatever_happens_to_the_clock(world, monkeypatch, step):
    monkeypatch.setattr("framegate.jobs.state_machine.submit.ARRIVAL_SECONDS_MAX", LOOKUPS_SECONDS)
    gateway = world(submits=[OutcomeUnknown("Timed out.")])
    gateway.provider.finds = [False]
    async with gateway.open():
        job = await gateway.create()
        await gateway.until_stage(job, "looking up its order")
        began = gateway.clock.monotonic()
        gateway.clock.set_clock_forward(step)
        while len(gateway.provider.orders) < 2:
            await gateway.clock.sleep(1)

        assert gateway.clock.monotonic() - began > LOOKUPS_SECONDS - 1
        assert (await gateway.end(job)).state is State.COMPLETED


async def test_an_order_that_never_arrives_is_repeated_only_as_often_as_any_failed_order(world, monkeypatch):
    monkeypatch.setattr("framegate.jobs.state_machine.submit.ARRIVAL_SECONDS_MAX", LOOKUPS_SECONDS)
    gateway = world(submits=[OutcomeUnknown("Timed out.")] * 20)
    gateway.provider.finds = [False]
    async with gateway.open():
        job = await gateway.end(await gateway.create())

        assert (job.fault.code, job.fault.unsure) == (NotSent.code, False)
        assert await gateway.orders(job) == ["not_sent"] * ATTEMPTS_MAX
        assert (await gateway.jobs.bill(job.id, owner="default")).state == "void"


@pytest.mark.parametrize("step", STEPS)
async def test_a_deadline_never_comes_early_and_late_by_a_step_back_at_most(world, step):
    gateway = world(looks=[Running()], job_deadline_seconds=100)
    async with gateway.open():
        job = await gateway.create()
        began = gateway.clock.monotonic()
        await gateway.until(job, State.RUNNING)
        gateway.clock.set_clock_forward(step)
        job = await gateway.end(job)

    assert job.state is State.EXPIRED
    assert 98 < gateway.clock.monotonic() - began < 105 + max(0.0, -step)


async def test_a_hundred_failed_polls_in_a_row_do_not_end_a_paid_job(world):
    looks = [ProviderError("502")] * 100 + ["done"]
    async with world(looks=looks).open() as gateway:
        job = await gateway.end(await gateway.create())

    assert (job.state, len(gateway.provider.orders), gateway.provider.cancelled) == (State.COMPLETED, 1, [])


@pytest.mark.parametrize("error", [ProviderError("502"), ZeroDivisionError("a bug")])
async def test_a_paid_job_that_cannot_be_polled_is_followed_until_its_deadline_and_grace_end(world, error):
    gateway = world(looks=[Running(), *[error] * 140, "done"], job_deadline_seconds=60)
    gateway.provider.poll_seconds = 1.0
    async with gateway.open():
        job = await gateway.create()
        await gateway.until(job, State.RUNNING)
        await gateway.clock.sleep(300)
        assert not (await gateway.jobs.get(job.id, owner="default")).state.is_final
        gateway.provider.looks = ["done"]
        assert (await gateway.end(job)).state is State.COMPLETED


@given(
    steps=st.lists(st.tuples(st.floats(0, 1e4), st.floats(-1e5, 1e5)), max_size=5),
    at=st.integers(0, 5),
    wait=st.floats(0, 1e4),
)
def test_elapsed_seconds_are_never_negative_and_never_more_than_the_process_lived_them(steps, at, wait):
    machine = VirtualMachine()
    clock = JobClock(machine)
    recorded, recorded_at = machine.now(), machine.monotonic()
    for index, (seconds, step) in enumerate(steps):
        if index == at:
            recorded, recorded_at = machine.now(), machine.monotonic()
        machine.seconds += seconds
        machine.set_clock_forward(step)
        clock.observe()
    machine.seconds += wait

    assert 0 <= clock.elapsed(recorded) <= machine.monotonic() - recorded_at + 1


@given(age=st.floats(-1e9, 1e9), seconds=st.floats(0, 100))
def test_the_wait_between_two_polls_is_never_negative_nor_zero(age, seconds):
    provider = ScriptedProvider.__new__(ScriptedProvider)
    provider.poll_seconds = seconds
    job = make_job()

    assert POLL_SECONDS_MIN * 0.8 <= poll_wait(job, provider, age=age) < math.inf
