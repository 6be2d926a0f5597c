"""The ledger and the orders of a job agree, however the job ended."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.domain import Failed, Fault, Lost, Request, Running, State
from framegate.domain.errors import Conflict, NotSent, OutcomeUnknown, ProviderError, Refused
from framegate.domain.keys import OPERATOR
from framegate.domain.ledger import EntryState
from framegate.net.submission import mark_leaving
from support.soak import examples
from support.virtual_machine import VirtualMachine
from support.world import ScriptedProvider, World

pytestmark = pytest.mark.anyio
NO_ORDER, DOUBT, TAKEN = (None, "refused", "not_sent"), ("unsure",), ("accepted",)
ALLOWED = {
    EntryState.VOID: (*NO_ORDER, *TAKEN),  # the provider reported a failure, or stopped the order
    EntryState.SETTLED: TAKEN,
    EntryState.HELD: (*DOUBT, *TAKEN),
}


async def agrees(gateway, job):
    """Assert what holds for every job that has ended."""
    entry = await gateway.jobs.bill(job.id, owner="default")
    newest = (await gateway.orders(job) or [None])[-1]
    assert newest in ALLOWED[entry.state], (job.state, job.fault, entry.state, newest)
    unsure = job.fault is not None and job.fault.unsure
    assert unsure == (newest == "unsure")
    if entry.state is EntryState.HELD:
        assert job.fault is not None
        assert job.fault.unsure or job.fault.may_charge
    if entry.state is EntryState.VOID and job.fault:
        assert not job.fault.unsure
        assert not job.fault.may_charge


async def _before_it_left(_order):
    raise FileNotFoundError("a reference is gone")


async def _after_it_left(_order):
    mark_leaving()
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize(("fault", "orders", "state"), [
    (_before_it_left, ["not_sent"] * 4, EntryState.VOID),
    (_after_it_left, ["unsure"], EntryState.HELD),
])  # fmt: skip
async def test_nothing_is_held_for_an_order_that_did_not_leave(world, fault, orders, state):
    gateway = world(submits=[fault] * 4)
    gateway.provider.marks_submission = True
    async with gateway.open():
        job = await gateway.end(await gateway.create())

        assert (await gateway.orders(job), job.fault.code) == (orders, "internal_error")
        assert (await gateway.jobs.bill(job.id, owner="default")).state is state
        await agrees(gateway, job)


@pytest.mark.parametrize("step", ["prepare", "submit"])
async def test_nothing_is_held_for_a_job_that_failed_before_its_order(world, monkeypatch, step):
    gateway = world()
    if step == "prepare":
        monkeypatch.setattr("framegate.jobs.state_machine.machine.prepare", _before_it_left)
    else:
        monkeypatch.setattr("framegate.jobs.state_machine.machine.JobStateMachine.order", lambda *_: 1 // 0)
        gateway.provider.marks_submission = True
    async with gateway.open():
        job = await gateway.end(await gateway.create())

        assert job.state is State.FAILED
        assert (await gateway.jobs.bill(job.id, owner="default")).state is EntryState.VOID
        await agrees(gateway, job)


FAILURE = Failed(fault=Fault(code="content_filtered", message="No."))
HELD_FAILURE = Failed(fault=Fault(code="odd", message="Something may have been made.", may_charge=True))
SUBMITS = [None, Refused("No."), NotSent("429"), NotSent("away", connect_failed=True), OutcomeUnknown(),
           ProviderError("500"), ZeroDivisionError("a bug"), _before_it_left, _after_it_left]  # fmt: skip
LOOKS = [Running(progress=0.4), "done", FAILURE, HELD_FAILURE, Lost(), ProviderError("502"), ZeroDivisionError("a bug")]


async def _live(machine, folder, film, script, finds, steps, cancel_at):
    work = folder / "film"
    work.mkdir()
    providers = []
    for name in "ab":
        provider = ScriptedProvider(Path(shutil.copy(film, work / "film.mp4")), account=name, **script)
        provider.finds, provider.marks_submission = list(finds), True
        providers.append(provider)
    gateway = World(machine, folder / "data", *providers, job_deadline_seconds=400)
    ended = []
    for life in (*steps, None):
        async with gateway.open():
            if not ended:
                request = Request(model="framegate/animatic", prompt="a cat")
                ended = [await gateway.jobs.create(request, caller=OPERATOR, dialect="native") for _ in range(2)]
            if life is not None:
                await machine.sleep(life[0])
                machine.set_clock_forward(life[1])
                if cancel_at is not None and life is steps[min(cancel_at, len(steps) - 1)]:
                    await asyncio.gather(_cancel(gateway, ended[0]), return_exceptions=True)
                continue
            for job in ended:
                await agrees(gateway, await gateway.end(job))


async def _cancel(gateway, job):
    try:
        await gateway.jobs.cancel(job.id, owner="default")
    except Conflict:
        assert (await gateway.jobs.get(job.id, owner="default")).state.is_final


@pytest.mark.slow
@given(
    submits=st.lists(st.sampled_from(SUBMITS), max_size=6),
    looks=st.lists(st.sampled_from(LOOKS), max_size=4).map(lambda looks: [*looks, "done"]),
    finds=st.sampled_from([[], [True], [False], [ProviderError("away"), False]]),
    steps=st.lists(st.tuples(st.floats(0, 30), st.sampled_from([0.0, -500.0, 500.0, 1e5])), max_size=3),
    cancel_at=st.none() | st.integers(0, 2),
)
@examples(6)
def test_ledger_and_orders_agree_whatever_happens(film, submits, looks, finds, steps, cancel_at):
    machine = VirtualMachine()
    with tempfile.TemporaryDirectory() as folder:
        script = {"submits": submits, "looks": looks}
        machine.run(_live(machine, Path(folder), film, script, finds, steps, cancel_at))
